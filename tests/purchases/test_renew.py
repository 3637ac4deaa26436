"""Renew: what a paid renewal does, what is refused, and the cost that the page shows."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.support.world import (
    dump,
    pay,
    post,
    quoted,
    renew_url,
    signed_in,
    state,
    statements,
    step,
    stored,
    subscription,
)
from webapp.accounts import billing_information
from webapp.db import db, transaction
from webapp.domain.refusals import AlreadyRenewed, CancellationOpen, PlanForbids
from webapp.domain.seats import MAX_SEATS
from webapp.models.cards import Card
from webapp.models.purchases import Quote
from webapp.models.subscriptions import ChangeRow
from webapp.purchases import quotes
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCard

HX = {"HX-Request": "true", "HX-Request-Type": "partial"}


def test_a_paid_quote_is_the_period_the_invoice_and_the_receipt(app: Flask, business: Made) -> None:
    quote = quoted(app, business, 14)
    assert pay(app, business, quote) == "captured"
    account_state = state(app, business)
    shown = account_state["subscriptions"][0]
    assert shown["periods"][-1] == {"ordinal": 6, "seats": 14, "start": "2027-02-15", "end": "2027-03-15"}
    assert (shown["seats"], shown["next_seats"], shown["status"]) == (12, 14, "active")
    newest = account_state["invoices"][-1]
    assert (len(newest.pop("id")), len(newest.pop("lines"))) == (32, 2)
    assert newest == {
        "number": "MQ-2027-000002",
        "issued_on": "2027-01-15",
        "net": 40_800,
        "tax": 8_160,
        "total": 48_960,
        "currency": "EUR",
        "kind": "invoice",
    }
    assert account_state["payments"] == [{"key": f"{quote}.1", "state": "captured", "amount": 48_960}]
    assert account_state["gateway"]["charges"] == [{"key": f"{quote}.1", "amount": 48_960, "state": "captured"}]
    (billed,) = billing_information.account_of(business.account).billing_emails
    assert sorted(message["to"] for message in account_state["messages"]) == sorted([business.email, billed])


def test_quoted_charged_and_invoiced_are_one_amount_and_its_lines_add_up(app: Flask, business: Made) -> None:
    for_year = scenarios.make("business-annual")
    for made, seats in ((business, 37), (for_year, 61)):
        quote = stored(Quote, quoted(app, made, seats))
        total, lines, net = quote.total, quote.lines, quote.net
        pay(app, made, quote.id)
        account_state = state(app, made)
        assert total == account_state["gateway"]["charges"][0]["amount"] == account_state["invoices"][-1]["total"]
        assert net == sum(line["amount"] for line in lines) == account_state["invoices"][-1]["net"]


def test_the_receipt_reads_the_owners_language(app: Flask, business: Made) -> None:
    signed_in(app, business).post("/language", data={"locale": "en"})
    pay(app, business, quoted(app, business))
    (subject,) = [mail["subject"] for mail in state(app, business)["messages"] if mail["to"] == business.email]
    assert subject == "Receipt for your payment: Qlik Sense Business"


def test_an_open_reduction_is_superseded_by_the_capture_and_not_before(app: Flask, business: Made) -> None:
    open_change(business, "reduction", 8)
    quote = quoted(app, business, 9)
    assert state(app, business)["subscriptions"][0]["changes"][0]["state"] == "open"
    pay(app, business, quote)
    assert state(app, business)["subscriptions"][0]["changes"][0]["state"] == "superseded"


def test_the_stepper_starts_at_the_projected_seats(client: FlaskClient, business: Made) -> None:
    open_change(business, "reduction", 8)
    assert 'value="8"' in client.get(renew_url(business)).text


def test_a_past_due_subscription_pays_the_owed_period(app: Flask, business: Made) -> None:
    with transaction() as session:
        session.execute(update(SandboxCard).values(behaviour="card_declined"))
    post(app, f"/{business.account}/clock", to="2027-02-15T10:00:00")
    assert state(app, business)["subscriptions"][0]["status"] == "past_due"
    with transaction() as session:
        session.execute(update(SandboxCard).values(behaviour="accepted"))
    pay(app, business, quoted(app, business, 12))
    assert state(app, business)["subscriptions"][0]["periods"][-1]["start"] == "2027-02-15"


def open_change(made: Made, kind: str, seats: int | None) -> None:
    with transaction() as session:
        session.add(
            ChangeRow(
                account_id=made.account,
                subscription_id=subscription(made),
                kind=kind,
                seats=seats,
                effective_ordinal=6,
                requested_at=made.now,
            )
        )


@pytest.mark.parametrize(
    "seats", ["-1", "0", "2.5", "1e9", "１２", "1e3", "", "1 2", str(MAX_SEATS + 1), "0x1f", "12;", "9" * 400]
)
def test_seats_that_are_no_number_are_refused_at_the_field(client: FlaskClient, business: Made, seats: str) -> None:
    before = dump()
    answer = client.post(renew_url(business), data={"seats": seats})
    assert answer.status_code == 422
    assert answer.text.count(f"Enter a whole number from 1 to {MAX_SEATS:,}.") >= 2
    assert 'aria-invalid="true"' in answer.text
    assert "<title>Error: " in answer.text
    assert dump() == before


def test_seats_under_the_floor_are_refused_with_the_count_and_the_wait(client: FlaskClient, business: Made) -> None:
    answer = client.post(renew_url(business), data={"seats": "4"})
    assert answer.status_code == 422
    assert "The tenant has 5 active users" in answer.text
    assert "wait at least two minutes" in answer.text
    assert db.session.scalars(select(Quote)).all() == []


def test_the_floor_moves_two_minutes_after_the_tenant(app: Flask, client: FlaskClient) -> None:
    made = scenarios.make("business-at-floor")
    client = signed_in(app, made)
    post(app, f"/{made.account}/users", active=9)
    assert client.post(renew_url(made), data={"seats": "9"}).status_code == 422
    post(app, f"/{made.account}/clock", advance="PT2M")
    assert client.post(renew_url(made), data={"seats": "9"}).status_code == 303


@pytest.mark.parametrize(
    ("kind", "seats", "refusal"), [("cancellation", None, CancellationOpen), ("reduction", 8, None)]
)
def test_an_open_request(
    business: Made, app: Flask, kind: str, seats: int | None, refusal: type[Exception] | None
) -> None:
    open_change(business, kind, seats)
    if refusal is None:
        assert quoted(app, business)
    else:
        with pytest.raises(refusal):
            quoted(app, business)


def test_one_period_at_most_is_paid_ahead(app: Flask, client: FlaskClient, business: Made) -> None:
    pay(app, business, quoted(app, business))
    with pytest.raises(AlreadyRenewed):
        quoted(app, business)
    assert client.get(renew_url(business)).status_code == 409


def test_a_plan_that_may_not_renew_is_refused_and_nothing_changes(app: Flask) -> None:
    made = scenarios.make("enterprise")
    client, before = signed_in(app, made), None
    url = f"/subscriptions/{made.subscriptions['enterprise']}/renew"
    before = dump()
    assert client.get(url).status_code == 403
    answer = client.post(url, data={"seats": "300"})
    assert answer.status_code == 403
    assert "/contact" in answer.text
    assert dump() == before
    with pytest.raises(PlanForbids):
        quotes.quote_renewal(made.account, made.subscriptions["enterprise"] or "", 300)


def test_a_body_over_64_kilobytes_is_413(client: FlaskClient, business: Made) -> None:
    assert client.post(renew_url(business), data={"seats": "1" * 70_000}).status_code == 413


def test_the_payment_page_wants_a_card_of_this_account(app: Flask, client: FlaskClient, business: Made) -> None:
    quote, other = quoted(app, business), scenarios.make("business")
    answer = client.post(step(business, quote, "payment"), data={})
    assert (answer.status_code, "Choose a payment method, or add one first." in answer.text) == (422, True)
    for card in ("nothing", other.cards[0]):
        assert client.post(step(business, quote, "payment"), data={"card": card}).status_code == 404


def test_an_expired_card_is_refused(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business)
    with transaction() as session:
        session.execute(update(Card).values(exp_year=2026, exp_month=12))
    answer = client.post(step(business, quote, "payment"), data={"card": business.cards[0]})
    assert (answer.status_code, "This card has expired" in answer.text) == (422, True)


def test_a_card_is_good_to_the_end_of_its_month(business: Made, app: Flask) -> None:
    quote = quoted(app, business)
    with transaction() as session:
        session.execute(update(Card).values(exp_year=2027, exp_month=1))
    assert pay(app, business, quote) == "captured"


@pytest.mark.service
def test_the_cost_fragment_is_small_and_asks_the_database_twice(
    app: Flask, client: FlaskClient, business: Made
) -> None:
    with statements() as asked:
        answer = client.get(f"{renew_url(business)}?seats=60", headers=HX)
    assert answer.status_code == 200
    assert "€1,515.00" in answer.text
    assert len(answer.data) <= 1400
    assert len(asked) == 2
    assert {"HX-Request", "HX-Request-Type"} <= set(answer.vary)


def test_the_cost_of_no_number_is_422_and_below_the_floor_it_says_so(client: FlaskClient, business: Made) -> None:
    assert client.get(f"{renew_url(business)}?seats=2.5", headers=HX).status_code == 422
    low = client.get(f"{renew_url(business)}?seats=3", headers=HX)
    assert (low.status_code, "At least 5" in low.text, "€90.00" in low.text) == (200, True, True)
