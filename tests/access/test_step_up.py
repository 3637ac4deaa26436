"""Some forms ask for the password or a factor again, and are then carried out as they were sent."""

import re
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.access.test_sso import BACK, come_back
from tests.servers.provider import Provider, provider_of_our_own
from tests.support import team
from tests.support.authenticator import age_proofs, code_at, options, with_passkey
from tests.support.billing_form import GIVEN
from tests.support.faces import provider as configured
from tests.support.world import dump, quoted, signed_in, state, statements, step, subscription, words
from webapp.access import account_rules
from webapp.adapters.clock import machine_now
from webapp.db import db, transaction
from webapp.domain.access import HELD_LIFETIME, PROOF_LIFETIME
from webapp.models.accounts import Account
from webapp.models.second_factor import HeldForm
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

HX = {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Current-URL": "http://localhost/subscriptions"}


def held(answer: Any) -> str:
    """The page that asks for a proof."""
    address = answer.headers.get("HX-Redirect") or answer.headers["Location"]
    assert re.fullmatch(r"/confirm/\w{32}", address), address
    return str(address)


def cancel(client: FlaskClient, made: Made, **options: Any) -> Any:
    return client.post(f"/subscriptions/{subscription(made)}/cancel", data={"understood": "y"}, **options)


def changes(app: Flask, made: Made) -> list[str]:
    return [change["kind"] for change in state(app, made)["subscriptions"][0]["changes"]]


@pytest.mark.service
def test_what_was_asked_is_carried_out_after_the_password(app: Flask, business: Made, client: FlaskClient) -> None:
    assert cancel(client, business).headers["Location"] == "/subscriptions", "a fresh sign-in is a proof"
    client.post(f"/subscriptions/{subscription(business)}/undo-cancellation/x")
    other = scenarios.make("business")
    client = signed_in(app, other)
    age_proofs(other)
    page = held(cancel(client, other))
    assert changes(app, other) == []
    assert "Confirm that it is you" in client.get(page).text
    assert client.post(f"{page}/password", data={"password": "wrong"}).status_code == 422
    assert client.post(f"{page}/password", data={}).status_code == 422
    assert client.post(page).headers["Location"] == page, "nothing without a proof"
    assert changes(app, other) == []
    done = client.post(f"{page}/password", data={"password": other.password})
    assert (done.status_code, done.headers["Location"]) == (303, "/subscriptions")
    assert changes(app, other) == ["cancellation"]
    assert "Your cancellation request has been saved." in client.get("/subscriptions").text
    assert "/confirm/" not in client.post("/billing/cards/new").headers["Location"], "proved for a while"


def test_after_a_proof_the_old_cookie_is_worth_nothing(app: Flask, business: Made, client: FlaskClient) -> None:
    thief = app.test_client()
    with client.session_transaction() as cookie:
        copied = cookie["token"]
    with thief.session_transaction() as cookie:
        cookie["token"] = copied
    assert thief.get("/billing").status_code == 200
    age_proofs(business)
    client.post(f"{held(cancel(client, business))}/password", data={"password": business.password})
    assert client.get("/billing").status_code == 200
    assert thief.get("/billing").status_code == 303


def test_a_form_of_another_session_or_member_is_not_carried_out(
    app: Flask, business: Made, client: FlaskClient
) -> None:
    elsewhere, colleague = signed_in(app, business), team.browser(app, team.add(business, "manager"))
    stranger = signed_in(app, scenarios.make("business"))
    age_proofs(business)
    page = held(cancel(client, business))
    for other, password in ((elsewhere, business.password), (colleague, team.PASSWORD), (stranger, "x")):
        assert other.get(page).status_code == 404
        assert other.post(f"{page}/password", data={"password": password}).status_code == 404
        assert other.post(page).status_code in (303, 404)
    assert changes(app, business) == []


def test_a_new_password_ends_what_waits_in_other_sessions(app: Flask, business: Made, client: FlaskClient) -> None:
    own = signed_in(app, business)
    age_proofs(business)
    page, new = held(cancel(client, business)), "quatre mots bien longs"
    form = {"current": business.password, "new": new, "again": new}
    assert own.post("/password", data=form).status_code == 303
    for password in (business.password, new):
        answer = client.post(f"{page}/password", data={"password": password})
        assert answer.headers["Location"].startswith("/sign-in")
    assert changes(app, business) == []


def test_a_held_form_is_carried_out_once_and_not_late(app: Flask, business: Made, client: FlaskClient) -> None:
    age_proofs(business)
    page, late = held(cancel(client, business)), held(cancel(client, business))
    with transaction() as session:
        session.get_one(HeldForm, (business.account, late.rpartition("/")[2])).held_at -= HELD_LIFETIME
    assert client.get(late).status_code == 404
    assert client.post(f"{page}/password", data={"password": business.password}).status_code == 303
    assert client.post(page).status_code == 404
    assert client.post(late).status_code == 404


def test_a_wrong_form_shows_what_is_wrong_with_it_after_the_proof(
    app: Flask, business: Made, client: FlaskClient
) -> None:
    age_proofs(business)
    page = held(client.post("/billing/information", data={**GIVEN, "street": "", "city": "Nîmes é"}))
    answer = client.post(f"{page}/password", data={"password": business.password})
    assert answer.status_code == 422
    assert 'value="Nîmes é"' in answer.text
    assert 'action="/billing/information"' in answer.text


def test_what_was_typed_arrives_as_it_was_typed(app: Flask, business: Made, client: FlaskClient) -> None:
    age_proofs(business)
    typed = GIVEN | {"street": "8 quai « é » & + %41", "billing_emails": "a@example.test\r\nb@example.test"}
    page = held(client.post("/billing/information", data=typed))
    assert client.post(f"{page}/password", data={"password": business.password}).status_code == 303
    account = db.session.get_one(Account, business.account)
    assert (account.street, account.billing_emails) == ("8 quai « é » & + %41", ["a@example.test", "b@example.test"])


def test_a_dialog_is_left_for_the_page_of_the_proof(app: Flask, business: Made, client: FlaskClient) -> None:
    age_proofs(business)
    answer = cancel(client, business, headers=HX)
    assert (answer.status_code, answer.text) == (200, "")
    page = held(answer)
    assert 'href="/subscriptions"' in client.get(page).text
    done = client.post(f"{page}/password", data={"password": business.password})
    assert done.headers["Location"] == "/subscriptions", "a whole page again"
    assert changes(app, business) == ["cancellation"]


def test_which_forms_ask(app: Flask, business: Made) -> None:
    made = scenarios.make("business-two-cards")
    client, colleague = signed_in(app, made), team.add(made, "viewer")
    quote = quoted(app, made)
    age_proofs(made)
    before = {name: rows for name, rows in dump().items() if name != "held_form"}
    for path in (
        "/billing/cards/new",
        f"/billing/cards/{made.cards[0]}/default",
        f"/billing/cards/{made.cards[0]}/delete",
        step(made, quote, "payment/new-card"),
        "/billing/information",
        f"/subscriptions/{subscription(made)}/cancel",
        "/second-factor/app/begin",
        "/second-factor/app",
        "/second-factor/passkeys",
        "/second-factor/codes",
        "/account-security/second-factor",
        "/account-security/spending-limit",
        f"/team/{colleague.id}/reset-factor",
    ):
        held(client.post(path, data={"required": "yes"}))
    assert {name: rows for name, rows in dump().items() if name != "held_form"} == before
    assert len(db.session.scalars(select(HeldForm)).all()) == 5, "the oldest are dropped"
    for path, form in (("/sessions/end-others", {}), ("/contact", {}), (step(made, quote, "pay"), {"attempt": "1"})):
        assert "/confirm/" not in client.post(path, data=form).headers.get("Location", ""), path


@pytest.mark.parametrize(("limit", "asks"), [(None, False), (10, True), (10_000_000, False)])
def test_a_payment_above_the_limit_asks(app: Flask, business: Made, limit: int | None, asks: bool) -> None:
    account_rules.set_spending_limit(business.account, limit)
    manager, quote = team.browser(app, team.add(business, "manager")), quoted(app, business)
    age_proofs(business)
    answer = manager.post(step(business, quote, "pay"), data={"attempt": "1", "card": business.cards[0]})
    if asks:
        assert state(app, business)["payments"] == []
        answer = manager.post(f"{held(answer)}/password", data={"password": team.PASSWORD})
    assert answer.headers["Location"].endswith("/receipt")
    assert [payment["state"] for payment in state(app, business)["payments"]] == ["captured"]


def test_a_fresh_proof_costs_no_statement(app: Flask, business: Made, client: FlaskClient) -> None:
    account_rules.set_spending_limit(business.account, 10)
    quote = quoted(app, business)
    with statements() as sent:
        client.post(step(business, quote, "pay"), data={"attempt": "1"})
    assert not [one for one in sent if "held_form" in one]


def test_by_the_code_of_the_app_once(app: Flask) -> None:
    made = scenarios.make("two-factor")
    phone, client = pyotp.TOTP(made.totp_secret or ""), app.test_client()
    client.post("/sign-in", data={"email": made.email, "password": made.password})
    used = code_at(phone)
    assert client.post("/sign-in/factor", data={"code": used}).status_code == 303
    age_proofs(made)
    page = held(cancel(client, made))
    assert client.post(f"{page}/code", data={"code": used}).status_code == 422
    assert client.post(f"{page}/code", data={"code": code_at(phone, 30)}).status_code == 303
    assert changes(app, made) == ["cancellation"]


def test_by_a_passkey_that_asks_for_a_pin(app: Flask, business: Made, client: FlaskClient) -> None:
    key = with_passkey(client)
    age_proofs(business)
    page = held(cancel(client, business))
    key.verifies = False
    assert client.post(f"{page}/passkey", data={"credential": key.get(options(client, "proof"))}).status_code == 422
    key.verifies = True
    assert client.post(f"{page}/passkey", data={"credential": key.get(options(client, "proof"))}).status_code == 303
    assert changes(app, business) == ["cancellation"]


def test_guesses_of_the_password_are_limited_here_too(app: Flask, business: Made, client: FlaskClient) -> None:
    age_proofs(business)
    page = held(cancel(client, business))
    statuses = [client.post(f"{page}/password", data={"password": "wrong"}).status_code for _ in range(11)]
    assert statuses == [422] * 10 + [429]


def test_a_form_without_its_token_is_not_even_held(app: Flask, business: Made, client: FlaskClient) -> None:
    age_proofs(business)
    app.config["WTF_CSRF_ENABLED"] = True
    assert cancel(client, business).status_code == 400
    assert db.session.scalars(select(HeldForm)).all() == []


def test_with_tokens_switched_on_it_is_carried_out_all_the_same(
    app: Flask, business: Made, client: FlaskClient
) -> None:
    age_proofs(business)
    app.config["WTF_CSRF_ENABLED"] = True
    shown = client.get(f"/subscriptions/{subscription(business)}/cancel").text
    token = re.findall(r'name="csrf_token"[^>]* value="([^"]+)"', shown)[-1]
    form = {"understood": "y", "csrf_token": token}
    page = held(client.post(f"/subscriptions/{subscription(business)}/cancel", data=form))
    assert client.post(f"{page}/password", data={"password": business.password}).status_code == 400
    client.post(f"{page}/password", data={"password": business.password, "csrf_token": token})
    assert changes(app, business) == ["cancellation"]


def test_a_right_that_was_lost_meanwhile_is_refused(app: Flask, business: Made) -> None:
    manager = team.add(business, "manager")
    browser = team.browser(app, manager)
    age_proofs(business)
    page = held(cancel(browser, business))
    team.set_role(manager, "viewer")
    assert browser.post(f"{page}/password", data={"password": team.PASSWORD}).status_code == 403
    assert changes(app, business) == []


@pytest.fixture
def provider(app: Flask) -> Any:
    with provider_of_our_own() as provider, configured(app, provider.issuer):
        yield provider


@pytest.mark.parametrize(
    ("auth_time", "sub", "done"), [(0, "1", True), (-3600, "1", False), (None, "1", False), (0, "2", False)]
)
def test_at_the_provider(
    app: Flask, business: Made, provider: Provider, auth_time: int | None, sub: str, done: bool
) -> None:
    provider.claims = {"email": business.email}
    client, _ = come_back(app, provider)
    age_proofs(business)
    page = held(cancel(client, business))
    assert f"/sign-in/provider/again?next={page}" in client.get(page).text.replace("%2F", "/")
    location = client.get("/sign-in/provider/again", query_string={"next": page}).headers["Location"]
    came_back = provider.go(location)
    assert (provider.asked["max_age"], provider.asked["prompt"]) == ("0", "login")
    now = int(machine_now().timestamp())
    provider.claims |= {"auth_time": None if auth_time is None else now + auth_time, "sub": sub}
    answer = client.get(BACK, query_string=came_back)
    assert answer.status_code == (303 if done else 403)
    assert changes(app, business) == []
    client.post(page)
    assert changes(app, business) == (["cancellation"] if done else [])
    assert words(client.get("/subscriptions").text)


def test_a_proof_is_older_than_a_page_is_read() -> None:
    assert timedelta(minutes=5) <= PROOF_LIFETIME <= timedelta(minutes=30)


def test_a_sign_in_that_the_provider_remembered_is_no_proof(app: Flask, business: Made, provider: Provider) -> None:
    provider.claims = {"email": business.email}
    for auth_time, asks in ((None, False), (0, False), (-3600, True), (3600, False), (-(10**12), True)):
        now = int(machine_now().timestamp())
        provider.claims["auth_time"] = None if auth_time is None else now + auth_time
        client, _answer = come_back(app, provider)
        assert provider.asked["max_age"] != "0"
        answer = client.post("/billing/cards/new")
        assert ("/confirm/" in answer.headers["Location"]) is asks, auth_time


def test_becoming_the_owner_and_leaving_ask(app: Flask, business: Made, client: FlaskClient) -> None:
    member = team.add(business, "manager")
    browser = team.browser(app, member)
    client.post(f"/team/{member.id}/handover", data={"understood": "y"})
    age_proofs(business)
    page = held(browser.post("/team/handover", data={"understood": "y"}))
    held(browser.post("/team/leave", data={"understood": "y"}))
    assert state(app, business)["members"][0]["email"] == business.email
    assert browser.post(f"{page}/password", data={"password": team.PASSWORD}).status_code == 303
    roles = {one["email"]: one["role"] for one in state(app, business)["members"]}
    assert roles == {business.email: "manager", member.email: "owner"}


@pytest.mark.parametrize(
    "path", ["/team/a%3Fb/role?x=%26", "/team/%C3%A9%23/remove", "/team/%2Fx%25/role", "/team/a%00/role"]
)
def test_a_held_form_keeps_its_address(app: Flask, business: Made, client: FlaskClient, path: str) -> None:
    """Signs that mean something in addresses lead to no other page than the one that was asked for."""
    age_proofs(business)
    answer = client.post(path)
    if answer.status_code == 404:  # "/" within a part is no address of the portal
        return
    page = held(answer)
    assert db.session.scalars(select(HeldForm.path)).one() == path
    db.session.rollback()
    assert client.post(f"{page}/password", data={"password": business.password}).status_code in (404, 422)
