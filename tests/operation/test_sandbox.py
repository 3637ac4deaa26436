"""The sandbox's routes, which QA relies on, one by one."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.support.world import CARD, card_page, dump, post, state, subscription
from webapp import create_app
from webapp.config import Misconfigured
from webapp.db import db, transaction
from webapp.models.accounts import Account
from webapp.sandbox import scenarios
from webapp.sandbox.gateway import TEST_CARDS
from webapp.sandbox.scenarios import Made

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("scenario", "business", "enterprise", "cards", "active"),
    [
        ("business", True, False, 1, 5),
        ("business-annual", True, False, 1, 5),
        ("business-two-cards", True, False, 2, 5),
        ("business-backup-card", True, False, 2, 5),
        ("business-at-floor", True, False, 1, 12),
        ("enterprise", False, True, 1, 183),
        ("both", True, True, 1, 5),
    ],
)
def test_a_fresh_account(app: Flask, scenario: str, business: bool, enterprise: bool, cards: int, active: int) -> None:
    made = post(app, "", scenario=scenario)
    assert set(made) == {"account", "email", "password", "now", "subscriptions", "cards"}
    assert made["now"] == "2027-01-15T09:00:00+01:00"
    assert bool(made["subscriptions"]["business"]) == business
    assert bool(made["subscriptions"]["enterprise"]) == enterprise
    assert len(made["cards"]) == cards
    account_state: Any = app.test_client().get(f"/sandbox/accounts/{made['account']}/state").json
    assert (account_state["active_users"], account_state["armed"]) == (active, None)
    assert (account_state["payments"], account_state["gateway"], account_state["messages"]) == (
        [],
        {"charges": [], "refunds": []},
        [],
    )
    assert account_state["invoices"]
    assert [card["default"] for card in account_state["cards"]] == [True, *[False] * (cards - 1)]


def test_invoices_of_the_past_are_numbered_in_date_order(app: Flask) -> None:
    invoices = state(app, scenarios.make("both"))["invoices"]
    assert [invoice["issued_on"] for invoice in invoices] == sorted(invoice["issued_on"] for invoice in invoices)
    for year in ("2026", "2027"):
        numbers = [invoice["number"] for invoice in invoices if invoice["issued_on"].startswith(year)]
        assert numbers == [f"MQ-{year}-{n:06d}" for n in range(1, len(numbers) + 1)]


def test_the_state_of_the_business_subscription(app: Flask, business: Made) -> None:
    shown = state(app, business)["subscriptions"][0]
    assert shown | {"periods": []} == {
        "id": subscription(business),
        "plan": "business",
        "status": "active",
        "seats": 12,
        "next_seats": 12,
        "period_start": "2027-01-15",
        "period_end": "2027-02-15",
        "periods": [],
        "changes": [],
    }
    ends = [period["end"] for period in shown["periods"]]
    assert ends[:-1] == [period["start"] for period in shown["periods"]][1:]


def test_now_and_zone_are_the_testers_choice(app: Flask) -> None:
    assert post(app, "", scenario="business", now="2028-02-29T23:30:00", tz="Pacific/Kiritimati")["now"] == (
        "2028-02-29T23:30:00+14:00"
    )
    assert post(app, "", scenario="business", now="2027-07-01T00:00:00Z")["now"] == "2027-07-01T02:00:00+02:00"


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("", {"scenario": "nothing"}),
        ("", {}),
        ("", {"scenario": "business", "tz": "Mars/Base"}),
        ("", {"scenario": "business", "tz": "../etc"}),
        ("", {"scenario": "business", "now": "soon"}),
        ("", {"scenario": "business", "now": "0001-01-01"}),
        ("/clock", {"advance": "-PT1M"}),
        ("/clock", {"advance": "P"}),
        ("/clock", {}),
        ("/clock", {"to": "later"}),
        ("/clock", {"to": "2027-01-14T09:00:00"}),
        ("/clock", {"advance": "P9999999D"}),
        ("/users", {"active": "-1"}),
        ("/users", {"active": "２"}),
        ("/users", {}),
        ("/gateway", {"next": "explode"}),
    ],
)
def test_a_testers_slip_is_422_with_a_sentence_and_changes_nothing(
    app: Flask, business: Made, path: str, form: dict[str, str]
) -> None:
    before = dump()
    url = f"/sandbox/accounts{'/' + business.account if path else ''}{path}"
    answer = app.test_client().post(url, data=form, headers={"Accept": "application/json"})
    assert answer.status_code == 422
    assert answer.json
    assert (answer.json["error"], bool(answer.json["message"])) == ("invalid", True)
    page = app.test_client().post(url, data=form, headers=BROWSER)
    assert (page.status_code, 'role="alert"' in page.text) == (422, True)
    assert dump() == before


def test_an_account_that_never_was_is_404(app: Flask) -> None:
    for name in ("clock", "users", "gateway"):
        assert app.test_client().post(f"/sandbox/accounts/never/{name}", data={"advance": "PT1M"}).status_code == 404
    assert app.test_client().get("/sandbox/accounts/never/state").status_code == 404
    assert app.test_client().get("/sandbox?account=never").status_code == 404


def test_the_clock_moves_one_account_and_only_forward(app: Flask, business: Made) -> None:
    other = scenarios.make("business")
    for asked, answered in (
        ({"to": "2027-01-31T09:00:00"}, "2027-01-31T09:00"),
        ({"advance": "P1DT2H"}, "2027-02-01T11:00"),
    ):
        now = post(app, f"/{business.account}/clock", **asked)["now"]  # the clock keeps running
        assert (now.startswith(answered), now.endswith("+01:00")) == (True, True)
    assert state(app, other)["now"].startswith("2027-01-15T09:00")


def test_a_browser_gets_the_panel_and_a_program_gets_json(app: Flask) -> None:
    client = app.test_client()
    answer = client.post("/sandbox/accounts", data={"scenario": "business"}, headers=BROWSER)
    assert (answer.status_code, answer.headers["Location"].startswith("/sandbox?account=")) == (303, True)
    page = client.get(answer.headers["Location"], headers=BROWSER)
    assert page.status_code == 200
    for word in ("business-at-floor", "4242 4242 4242 4242", "timeout_after_charge", "@example.test"):
        assert word in page.text
    assert client.post("/sandbox/accounts", data={"scenario": "business"}).json


@pytest.mark.parametrize("body", ["[1]", '"x"', "5", "true", "null", "[" * 60_000, "{"])
def test_json_that_is_no_object_is_a_slip_and_no_fault(app: Flask, business: Made, body: str) -> None:
    for path in ("", f"/{business.account}/clock", f"/{business.account}/users"):
        answer = app.test_client().post(f"/sandbox/accounts{path}", data=body, content_type="application/json")
        assert answer.status_code == 422


def test_the_clock_stops_before_the_calendar_does(app: Flask, business: Made) -> None:
    answer = app.test_client().post(f"/sandbox/accounts/{business.account}/clock", data={"to": "9001-01-01T00:00:00"})
    assert answer.status_code == 422


def test_a_card_deleted_since_stays_deleted(app: Flask, client: FlaskClient, business: Made) -> None:
    back = client.post(card_page(client), data=CARD).headers["Location"].removeprefix("http://localhost")
    client.get(back)
    added = state(app, business)["cards"][-1]["id"]
    with transaction() as session:
        session.execute(text("DELETE FROM card WHERE id = :id"), {"id": added})
    client.get(back)
    assert [card["id"] for card in state(app, business)["cards"]] == business.cards


def test_a_program_may_send_json(app: Flask) -> None:
    answer = app.test_client().post("/sandbox/accounts", json={"scenario": "both"})
    assert answer.status_code == 201


def test_the_sandbox_never_runs_on_a_real_gateway() -> None:
    with pytest.raises(Misconfigured, match="SANDBOX=1 with GATEWAY=stripe"):
        create_app({"SANDBOX": True, "GATEWAY": "stripe"})


def test_a_card_entered_there_is_saved_once(app: Flask, client: FlaskClient, business: Made) -> None:
    page = card_page(client)
    back = client.post(page, data=CARD | {"number": "5555555555554444"}).headers["Location"]
    for _ in range(2):
        assert client.get(back.removeprefix("http://localhost")).status_code == 303
    assert [(card["brand"], card["last4"], card["default"]) for card in state(app, business)["cards"]] == [
        ("Visa", "4242", True),
        ("Mastercard", "4444", False),
    ]


def test_a_visit_without_a_card_saves_nothing(app: Flask, client: FlaskClient, business: Made) -> None:
    reference = card_page(client).rsplit("/", 1)[1]
    assert client.get(f"/billing/cards/return?reference={reference}").headers["Location"] == "/billing"
    assert len(state(app, business)["cards"]) == 1


def test_another_owner_cannot_take_the_card(app: Flask, client: FlaskClient) -> None:
    from tests.support.world import signed_in

    page = card_page(client)
    client.post(page, data=CARD)
    thief = signed_in(app, scenarios.make("business"))
    assert thief.get(f"/billing/cards/return?reference={page.rsplit('/', 1)[1]}").status_code == 404


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("number", "4111 1111 1111 1111", "not a test card number"),
        ("number", "4000000000000002", "The bank declined"),
        ("number", "", "Enter the card number."),
        ("number", "４２４２４２４２４２４２４２４２", "not a test"),
        ("expiry", "13/30", "for example 09/29"),
        ("expiry", "12/20", "has expired"),
        ("expiry", "1230", "for example"),
        ("code", "12", "3 or 4 digits"),
        ("code", "12a", "3 or 4 digits"),
        ("holder", "", "Enter the name"),
        ("holder", "4242424242424242", "without digits"),
        ("holder", "４２４２４２４２４２４２４２４２", "without digits"),
        ("holder", "x" * 101, "cannot be longer"),
    ],
)
def test_a_card_that_is_refused_is_stored_nowhere(client: FlaskClient, field: str, value: str, sentence: str) -> None:
    page, before = card_page(client), None
    before = dump()
    answer = client.post(page, data=CARD | {field: value})
    assert answer.status_code == 422
    assert sentence in answer.text
    assert "4242424242424242" not in answer.text.replace(" ", "").split("<aside")[0]
    assert dump() == before


def test_no_card_number_is_in_the_database(app: Flask, client: FlaskClient) -> None:
    for number in TEST_CARDS:
        page = card_page(client)
        answer = client.post(page, data=CARD | {"number": number})
        if answer.status_code == 303:
            client.get(answer.headers["Location"].removeprefix("http://localhost"))
    everything = "".join(str(rows) for rows in dump().values())
    assert not [number for number in TEST_CARDS if number in everything]


def test_a_card_page_that_never_was_is_404(client: FlaskClient) -> None:
    assert client.get("/sandbox/gateway/cards/never").status_code == 404
    assert client.get("/sandbox/gateway/challenges/never").status_code == 404


def test_the_first_card_becomes_the_default_and_the_schema_keeps_it(app: Flask, client: FlaskClient) -> None:
    from sqlalchemy.exc import IntegrityError

    with pytest.raises(IntegrityError), transaction() as session:
        session.execute(text("DELETE FROM card"))


def test_the_gateways_page_may_live_at_another_origin(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from webapp.ports import ports

    monkeypatch.setattr(ports().gateway, "origin", "http://gateway.test:9")
    where = client.post("/billing/cards/new").headers["Location"]
    assert where.startswith("http://gateway.test:9/sandbox/gateway/cards/")
    page = client.get(where.removeprefix("http://gateway.test:9"))
    assert "form-action 'self' http://localhost;" in page.headers["Content-Security-Policy"]


def test_a_team_has_a_member_of_each_role(app: Flask) -> None:
    made = post(app, "", scenario="team")
    assert [member["role"] for member in made["members"]] == ["manager", "accountant", "viewer"]
    told: Any = app.test_client().get(f"/sandbox/accounts/{made['account']}/state").json
    assert told["members"][0] == {"email": made["email"], "role": "owner"}
    assert {member["email"]: member["role"] for member in told["members"][1:]} == {
        member["email"]: member["role"] for member in made["members"]
    }
    for member in made["members"]:
        answer = app.test_client().post("/sign-in", data={"email": member["email"], "password": member["password"]})
        assert answer.status_code == 303
    assert post(app, "", scenario="no-card")["cards"] == []


def test_a_tester_may_want_it_otherwise(app: Flask) -> None:
    made = post(app, "", scenario="business", seats=30, active=7, term=12, country="de")
    answered: Any = app.test_client().get(f"/sandbox/accounts/{made['account']}/state").json
    told = answered["subscriptions"][0]
    assert (told["seats"], told["period_end"] > "2027-12-01") == (30, True)
    account = db.session.get_one(Account, made["account"])
    assert (account.country, account.vat_number) == ("DE", None)
    for wrong in ({"seats": 0}, {"seats": "x"}, {"active": -1}, {"term": 3}, {"country": "Germany"}):
        form = {"scenario": "business", **wrong}
        answer = app.test_client().post("/sandbox/accounts", data=form, headers={"Accept": "application/json"})
        assert answer.status_code == 422, wrong


def test_the_panel_gives_the_code_of_an_authenticator_app(app: Flask) -> None:
    made = scenarios.make("two-factor")
    page = app.test_client().get(f"/sandbox?account={made.account}").text
    assert f"<code>{made.totp_secret}</code>" in page
    assert re.search(r"<code>[0-9]{6}</code>", page)
