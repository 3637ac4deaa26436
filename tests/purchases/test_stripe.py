"""Stripe's own behaviour: expired keys, repeated faults, errors that are no refusals, and secrets that do not leak."""

import logging
from collections.abc import Callable

import pytest
from flask import Flask

from tests.servers.stripe_server import SECRET_KEY, WEBHOOK_SECRET, Stripe
from tests.support.gateways import AMOUNT, BACK
from webapp.adapters.stripe import words
from webapp.adapters.stripe.gateway import StripeGateway
from webapp.db import db
from webapp.domain.money import Money
from webapp.ports import Cancelled, Captured, Declined, OutcomeUnknown, Refunded
from webapp.sandbox.scenarios import Made
from webapp.sentences.declines import DECLINES

Key = Callable[[], str]


@pytest.fixture
def gateway(app: Flask, stripe: Stripe) -> StripeGateway:
    return StripeGateway(SECRET_KEY, WEBHOOK_SECRET, stripe.url, timeout=(1, 0.3), retries=0)


@pytest.fixture
def customer(gateway: StripeGateway, business: Made) -> str:
    return gateway.customer_of(business.account)


def confirmations(stripe: Stripe) -> list[str | None]:
    return [asked.idempotency_key for asked in stripe.asked if asked.path.endswith("/confirm")]


def test_a_charge_is_not_made_again_when_stripe_has_forgotten_its_key(
    gateway: StripeGateway, stripe: Stripe, customer: str, key: Key, business: Made
) -> None:
    paid, card = key(), stripe.card(customer)
    gateway.charge(business.account, paid, card, AMOUNT, BACK, True)
    stripe.forget_keys()
    assert gateway.charge(business.account, paid, card, AMOUNT, BACK, True) == Captured()
    assert (stripe.captured(), len(confirmations(stripe))) == ([48_960], 1)


def test_a_refund_is_not_made_again_when_stripe_has_forgotten_its_key(
    gateway: StripeGateway, stripe: Stripe, customer: str, key: Key, business: Made
) -> None:
    paid = key()
    gateway.charge(business.account, paid, stripe.card(customer), AMOUNT, BACK, True)
    for _ in range(2):
        assert gateway.refund(business.account, f"{paid}.r1", paid, Money(100, "EUR")) == Refunded()
        stripe.forget_keys()
    assert [row["amount"] for row in stripe.refunds.values()] == [100]


def test_a_payment_is_found_among_hundreds(
    gateway: StripeGateway, stripe: Stripe, customer: str, key: Key, business: Made
) -> None:
    paid = key()
    gateway.charge(business.account, paid, stripe.card(customer), AMOUNT, BACK, True)
    for number in range(250):
        stripe._intent({"amount": 100, "currency": "eur", "customer": customer, "metadata": {"key": f"other.{number}"}})
    stripe.asked.clear()
    assert gateway.find(business.account, paid) == Captured()
    assert [(asked.method, asked.path) for asked in stripe.asked] == [("GET", "/v1/payment_intents")] * 3


@pytest.mark.parametrize("how", ["500", "429", "409", "401", "403", "400", "dropped", "silent", "silent_after"])
@pytest.mark.parametrize("at", ["GET /v1/payment_intents", "POST /v1/payment_intents", "/confirm"])
def test_no_fault_is_taken_for_a_refusal(
    gateway: StripeGateway, stripe: Stripe, customer: str, key: Key, how: str, at: str, business: Made
) -> None:
    unknown, card = key(), stripe.card(customer)
    stripe.fail(how, at)
    with pytest.raises(OutcomeUnknown):
        gateway.charge(business.account, unknown, card, AMOUNT, BACK, True)
    made = how == "silent_after" and at == "/confirm"
    assert gateway.find(business.account, unknown) == (Captured() if made else None)
    assert gateway.cancel(business.account, unknown) == (Captured() if made else Cancelled())
    assert gateway.charge(business.account, unknown, card, AMOUNT, BACK, True) == (Captured() if made else Cancelled())


@pytest.mark.parametrize("how", ["500", "429", "401", "dropped", "silent"])
def test_to_look_cancel_refund_or_delete_in_vain_is_no_outcome(
    gateway: StripeGateway, stripe: Stripe, business: Made, customer: str, key: Key, how: str
) -> None:
    paid, card = key(), stripe.card(customer)
    gateway.charge(business.account, paid, card, AMOUNT, BACK, True)
    for call in (
        lambda: gateway.find(business.account, paid),
        lambda: gateway.cancel(business.account, paid),
        lambda: gateway.refund(business.account, f"{paid}.r1", paid, AMOUNT),
        lambda: gateway.detach(card),
        lambda: gateway.begin_card_setup(business.account, BACK, "fr"),
    ):
        stripe.fail(how)
        with pytest.raises(OutcomeUnknown):
            call()
        assert stripe.faults == []


def test_the_library_asks_once_more_by_itself_and_charges_once(
    app: Flask, stripe: Stripe, customer: str, key: Key, business: Made
) -> None:
    paid, card = key(), stripe.card(customer)
    gateway = StripeGateway(SECRET_KEY, WEBHOOK_SECRET, stripe.url, timeout=(1, 0.3))
    stripe.fail("dropped", "POST /v1/payment_intents")
    stripe.fail("silent_after", "/confirm")
    assert gateway.charge(business.account, paid, card, AMOUNT, BACK, True) == Captured()
    assert (confirmations(stripe), stripe.captured()) == ([f"{paid}:confirm"] * 2, [48_960])


def test_a_fault_that_stripe_repeats_for_a_key_does_not_keep_a_payment_waiting(
    gateway: StripeGateway, stripe: Stripe, customer: str, key: Key, business: Made
) -> None:
    """For a day, Stripe repeats its first answer to a key, faults included."""
    unknown, card = key(), stripe.card(customer)
    stripe.fail("500", "POST /v1/payment_intents")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            gateway.charge(business.account, unknown, card, AMOUNT, BACK, True)
        assert gateway.find(business.account, unknown) is None
    assert gateway.cancel(business.account, unknown) == Cancelled()
    stripe.forget_keys()
    assert gateway.charge(business.account, unknown, card, AMOUNT, BACK, True) == Cancelled()
    assert stripe.captured() == []


def test_an_intent_that_was_made_and_never_confirmed_is_no_outcome(
    gateway: StripeGateway, stripe: Stripe, customer: str, key: Key, business: Made
) -> None:
    """The portal died between creating and confirming the intent."""
    begun, card = key(), stripe.card(customer)
    stripe.fail("dropped", "/confirm")
    with pytest.raises(OutcomeUnknown):
        gateway.charge(business.account, begun, card, AMOUNT, BACK, True)
    assert gateway.find(business.account, begun) is None
    assert gateway.charge(business.account, begun, card, AMOUNT, BACK, True) == Captured()
    assert len(stripe.intents) == 1


def test_the_bank_is_told_that_nobody_waits(
    gateway: StripeGateway, stripe: Stripe, customer: str, key: Key, business: Made
) -> None:
    for present in (True, False):
        gateway.charge(business.account, key(), stripe.card(customer), AMOUNT, BACK, present)
    off_session = [asked.params["off_session"] for asked in stripe.asked if asked.path.endswith("/confirm")]
    assert off_session == ["false", "true"]


def test_a_refund_that_is_on_its_way_is_asked_for_again(
    gateway: StripeGateway, stripe: Stripe, customer: str, key: Key, business: Made
) -> None:
    paid = key()
    gateway.charge(business.account, paid, stripe.card(customer), AMOUNT, BACK, True)
    stripe.refund_status = "pending"
    with pytest.raises(OutcomeUnknown):
        gateway.refund(business.account, f"{paid}.r1", paid, AMOUNT)
    (made,) = stripe.refunds.values()
    for status, outcome in (("succeeded", Refunded()), ("failed", Declined("refund_refused"))):
        made["status"] = status
        assert gateway.refund(business.account, f"{paid}.r1", paid, AMOUNT) == outcome
    assert len(stripe.refunds) == 1


@pytest.mark.parametrize(
    ("sentence", "code"),
    [
        ("insufficient_funds", "insufficient_funds"),
        ("expired_card", "expired_card"),
        ("stolen_card", "card_declined"),
        ("do_not_honor", "call_issuer"),
        ("card_velocity_exceeded", "limit_exceeded"),
        ("incorrect_cvc", "incorrect_card"),
        ("card_not_supported", "card_not_supported"),
        ("processing_error", "bank_unavailable"),
        ("currency_not_supported", "currency_refused"),
        ("a_code_of_next_year", "card_declined"),
    ],
)
def test_a_banks_reason_is_told_in_the_portals_words(
    gateway: StripeGateway, stripe: Stripe, customer: str, key: Key, sentence: str, code: str, business: Made
) -> None:
    refused = key()
    assert gateway.charge(business.account, refused, stripe.card(customer, sentence), AMOUNT, BACK, True) == Declined(
        code
    )
    assert gateway.find(business.account, refused) == Declined(code)


def test_each_reason_has_its_sentence() -> None:
    assert set(words.DECLINES.values()) <= set(DECLINES)


@pytest.mark.parametrize("money", [Money(48_960, "JPY"), Money(48_960, "KWD")])
def test_a_currency_that_is_not_counted_in_cents_is_refused_before_stripe_is_asked(
    gateway: StripeGateway, stripe: Stripe, customer: str, key: Key, money: Money, business: Made
) -> None:
    refused, card = key(), stripe.card(customer)
    stripe.asked.clear()
    assert gateway.charge(business.account, refused, card, money, BACK, True) == Declined("currency_refused")
    assert stripe.asked == []


def test_an_amount_that_stripe_does_not_take_is_refused(
    gateway: StripeGateway, stripe: Stripe, customer: str, key: Key, business: Made
) -> None:
    assert gateway.charge(business.account, key(), stripe.card(customer), Money(49, "EUR"), BACK, True) == Declined(
        "amount_refused"
    )


def test_a_card_of_another_gateway_is_declined_and_nothing_is_asked(
    gateway: StripeGateway, stripe: Stripe, key: Key, business: Made
) -> None:
    paid = key()
    assert gateway.charge(business.account, paid, "a-token-of-the-sandbox", AMOUNT, BACK, True) == Declined(
        "card_declined"
    )
    assert (gateway.find(business.account, paid), gateway.cancel(business.account, paid), stripe.asked) == (
        None,
        Cancelled(),
        [],
    )


def test_an_account_has_one_customer(gateway: StripeGateway, stripe: Stripe, business: Made) -> None:
    setups = [gateway.begin_card_setup(business.account, BACK, locale) for locale in ("fr", "en")]
    assert len({setup.reference for setup in setups}) == 2
    assert [page["locale"] for page in stripe.sessions.values()] == ["fr", "en"]
    (customer,) = stripe.customers.values()
    assert customer["metadata"] == {"account": business.account}
    assert {page["customer"] for page in stripe.sessions.values()} == {customer["id"]}


@pytest.mark.parametrize(
    ("how", "sentence"),
    [("401", "check STRIPE_SECRET_KEY"), ("403", "check STRIPE_SECRET_KEY"), ("400", "Stripe cannot do it")],
)
def test_what_a_person_must_mend_is_logged_without_a_secret(
    gateway: StripeGateway,
    stripe: Stripe,
    customer: str,
    key: Key,
    caplog: pytest.LogCaptureFixture,
    how: str,
    sentence: str,
    business: Made,
) -> None:
    asked = key()
    stripe.fail(how, "/payment_intents")
    with caplog.at_level(logging.DEBUG), pytest.raises(OutcomeUnknown):
        gateway.charge(business.account, asked, stripe.card(customer), AMOUNT, BACK, True)
    (line,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert (sentence in line.getMessage(), asked in line.getMessage()) == (True, True)
    for secret in (SECRET_KEY, SECRET_KEY[8:], WEBHOOK_SECRET, "_secret_"):
        assert secret not in caplog.text


def test_nothing_is_held_of_the_database_while_stripe_is_asked(
    gateway: StripeGateway, stripe: Stripe, business: Made, key: Key
) -> None:
    paid, held, pool = key(), [], db.engine.pool
    stripe.during = lambda: held.append(pool.checkedout())  # type: ignore[attr-defined]
    db.session.rollback()
    setup = gateway.begin_card_setup(business.account, BACK, "fr")
    card = stripe.enter_card(next(iter(stripe.sessions)))
    gateway.complete_card_setup(business.account, setup.reference)
    gateway.charge(business.account, paid, card, AMOUNT, BACK, True)
    gateway.find(business.account, paid)
    gateway.cancel(business.account, paid)
    gateway.refund(business.account, f"{paid}.r1", paid, AMOUNT)
    gateway.detach(card)
    assert len(held) > 8
    assert set(held) == {0}


def test_every_brand_fits_its_column() -> None:
    assert max(map(len, words.BRANDS.values())) <= 20
