"""Payments: repeated, with another card, refused, challenged by the bank, or unanswered."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.support.world import RETURN_URL, pay, post, quoted, renew_url, signed_in, state, step, stored
from webapp.db import db, transaction
from webapp.domain import refusals
from webapp.domain.refusals import PaymentPending
from webapp.models.cards import Card
from webapp.models.purchases import Payment
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxAccount, SandboxCard

pytestmark = pytest.mark.service


def test_a_paid_quote_replays_its_receipt_for_ever(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business)
    for attempt in (1, 1, 2, 7):
        answer = client.post(step(business, quote, "pay"), data={"attempt": attempt})
        assert answer.headers["Location"] == step(business, quote, "receipt")
    post(app, f"/{business.account}/clock", advance="P400D")
    assert client.post(step(business, quote, "pay")).headers["Location"] == step(business, quote, "receipt")
    assert [charge["key"] for charge in state(app, business)["gateway"]["charges"] if quote in charge["key"]] == [
        f"{quote}.1"
    ]


def test_a_refused_payment_leaves_the_subscription_as_it_was(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business)
    before = state(app, business)["subscriptions"], state(app, business)["invoices"]
    post(app, f"/{business.account}/gateway", next="decline")
    answer = client.post(step(business, quote, "pay"), data={"attempt": 1})
    assert answer.headers["Location"] == step(business, quote, "payment")
    assert "The bank declined the card." in client.get(answer.headers["Location"]).text
    account_state = state(app, business)
    assert (account_state["subscriptions"], account_state["invoices"], account_state["messages"]) == (*before, [])
    assert [paid["state"] for paid in account_state["payments"]] == ["declined"]


def test_the_same_attempt_sent_again_is_not_a_second_charge(app: Flask, business: Made) -> None:
    quote = quoted(app, business)
    post(app, f"/{business.account}/gateway", next="decline")
    assert pay(app, business, quote, 1) == "declined"
    assert pay(app, business, quote, 1) == "declined"
    assert pay(app, business, quote, 2) == "captured"
    assert [paid["key"] for paid in state(app, business)["payments"]] == [f"{quote}.1", f"{quote}.2"]


@pytest.mark.parametrize(
    ("behaviour", "sentence"),
    [("card_declined", "The bank declined the card."), ("insufficient_funds", "insufficient funds")],
)
def test_another_card_after_a_refusal(app: Flask, behaviour: str, sentence: str) -> None:
    made = scenarios.make("business-two-cards")
    client, quote = signed_in(app, made), quoted(app, made)
    with transaction() as session:
        session.execute(update(SandboxCard).where(SandboxCard.brand == "Visa").values(behaviour=behaviour))
    client.post(step(made, quote, "pay"), data={"attempt": 1})
    assert sentence in client.get(step(made, quote, "payment")).text
    client.post(step(made, quote, "payment"), data={"card": made.cards[1]})
    assert client.post(step(made, quote, "pay"), data={"attempt": 2}).status_code == 303
    assert [paid["state"] for paid in state(app, made)["payments"]] == ["declined", "captured"]


@pytest.mark.parametrize(
    ("fault", "afterwards", "charges"),
    [("timeout", "cancelled", []), ("error", "cancelled", []), ("timeout_after_charge", "captured", ["captured"])],
)
def test_an_unknown_outcome_stays_pending_until_the_gateway_is_asked(
    app: Flask, client: FlaskClient, business: Made, fault: str, afterwards: str, charges: list[str]
) -> None:
    quote = quoted(app, business)
    post(app, f"/{business.account}/gateway", next=fault)
    assert pay(app, business, quote) == "pending"
    assert "We are waiting for your bank’s confirmation." in client.get(step(business, quote, "receipt")).text
    with pytest.raises(PaymentPending):
        quoted(app, business, 20)
    assert client.get(renew_url(business)).status_code == 409
    post(app, f"/{business.account}/clock", advance="PT1M")
    account_state = state(app, business)
    assert [paid["state"] for paid in account_state["payments"]] == [afterwards]
    assert [charge["state"] for charge in account_state["gateway"]["charges"]] == charges
    assert len(account_state["subscriptions"][0]["periods"]) == (7 if charges else 6)
    if not charges:
        assert pay(app, business, quote, 2) == "captured"


def test_paying_again_while_the_outcome_is_unknown_charges_once(app: Flask, business: Made) -> None:
    quote = quoted(app, business)
    post(app, f"/{business.account}/gateway", next="timeout_after_charge")
    assert pay(app, business, quote) == "pending"
    assert pay(app, business, quote) == "captured"
    assert len(state(app, business)["gateway"]["charges"]) == 1


def test_a_charge_that_was_given_up_can_never_be_made_late(app: Flask, business: Made) -> None:
    quote = quoted(app, business)
    post(app, f"/{business.account}/gateway", next="timeout")
    pay(app, business, quote)
    post(app, f"/{business.account}/clock", advance="PT1M")
    from webapp.domain.money import Money
    from webapp.ports import Cancelled, ports

    card = stored(Card, business.cards[0])
    assert (
        ports().gateway.charge(business.account, f"{quote}.1", card.token, Money(48_960, "EUR"), RETURN_URL, True)
        == Cancelled()
    )


def challenge(app: Flask, made: Made) -> tuple[str, str]:
    quote = quoted(app, made)
    post(app, f"/{made.account}/gateway", next="challenge")
    assert pay(app, made, quote) == "pending"
    url = db.session.scalars(select(Payment.action_url)).one()
    assert url is not None
    return quote, url.removeprefix("http://localhost")


@pytest.mark.parametrize(("said", "expected"), [("confirm", "captured"), ("refuse", "declined")])
def test_3d_secure(app: Flask, client: FlaskClient, business: Made, said: str, expected: str) -> None:
    quote, bank = challenge(app, business)
    page = client.get(step(business, quote, "authentication"))
    assert bank in page.text
    client.post(bank, data={"answer": said})
    for _ in range(2):  # returning twice is idempotent
        client.get(step(business, quote, "authenticated"))
    assert [paid["state"] for paid in state(app, business)["payments"]] == [expected]
    assert len(state(app, business)["subscriptions"][0]["periods"]) == (7 if expected == "captured" else 6)


def test_an_abandoned_challenge_is_cancelled_at_the_gateway_and_another_attempt_works(
    app: Flask, client: FlaskClient, business: Made
) -> None:
    quote, bank = challenge(app, business)
    client.post(step(business, quote, "abandon"))
    assert [paid["state"] for paid in state(app, business)["payments"]] == ["cancelled"]
    client.post(bank, data={"answer": "confirm"})
    assert state(app, business)["gateway"]["charges"] == []
    assert pay(app, business, quote, 2) == "captured"


def test_a_challenge_expires_with_its_quote(app: Flask, business: Made) -> None:
    challenge(app, business)
    post(app, f"/{business.account}/clock", advance="PT20M")
    assert [paid["state"] for paid in state(app, business)["payments"]] == ["pending"]
    post(app, f"/{business.account}/clock", advance="PT10M")
    assert [paid["state"] for paid in state(app, business)["payments"]] == ["cancelled"]


def test_pay_charges_the_card_that_the_overview_showed(app: Flask) -> None:
    made = scenarios.make("business-two-cards")
    client, quote = signed_in(app, made), quoted(app, made)
    client.post(step(made, quote, "payment"), data={"card": made.cards[1]})  # in another tab
    answer = client.post(step(made, quote, "pay"), data={"attempt": 1, "card": made.cards[0]})
    assert (answer.status_code, "The payment method is now Mastercard ••••\u00a04444" in answer.text) == (409, True)
    assert state(app, made)["payments"] == []


def test_an_attempt_that_was_never_offered_is_refused(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business)
    for attempt in (2, 99, 10**30):
        assert client.post(step(business, quote, "pay"), data={"attempt": attempt}).status_code == 400
    assert state(app, business)["payments"] == []


def test_paying_again_after_the_quote_is_over_charges_nothing_more(app: Flask, business: Made) -> None:
    quote = quoted(app, business)
    post(app, f"/{business.account}/gateway", next="timeout")
    assert pay(app, business, quote) == "pending"
    with transaction() as session:  # the clock moves on without a sweep
        session.execute(update(SandboxAccount).values(set_to=business.now + timedelta(hours=3)))
    assert pay(app, business, quote) == "cancelled"
    assert state(app, business)["gateway"]["charges"] == []


@pytest.mark.parametrize("minutes", [29, 31])
def test_a_quote_lives_thirty_minutes_on_the_night_that_has_an_hour_twice(app: Flask, minutes: int) -> None:
    made = scenarios.make("business", now=datetime(2027, 10, 31, 0, 50, tzinfo=UTC))  # 02:50, ten minutes before 02:00
    quote = quoted(app, made)
    post(app, f"/{made.account}/clock", advance=f"PT{minutes}M")
    if minutes < 30:
        assert pay(app, made, quote) == "captured"
    else:
        with pytest.raises(refusals.QuoteMoved):
            pay(app, made, quote)
