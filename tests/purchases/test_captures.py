"""What a gateway tells of its captures, and what the portal makes of one that is not what it asks for."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, update

from tests.soak.killed import the_day_comes
from tests.support import invariants
from tests.support.gateways import AMOUNT, BACK, AtLocalstripe, World
from tests.support.restoring import back_up, booked, captured, restored, seats
from tests.support.truth import later
from tests.support.world import dump, post, subscription
from webapp.adapters.clock import machine_now
from webapp.db import db, transaction
from webapp.domain.money import Money
from webapp.domain.refusals import SubscriptionHeld
from webapp.models.invoices import Invoice
from webapp.models.prices import PriceList
from webapp.models.purchases import Payment
from webapp.models.restores import UnbookedCapture
from webapp.ports import ActionRequired, Cancelled, Captured, Outcome
from webapp.purchases import payments, restores
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import service

Key = Callable[[], str]
LESS = Money(AMOUNT.amount - 100, AMOUNT.currency)


def charge(world: World, key: str, card: str) -> Outcome:
    return world.gateway.charge(world.account, key, card, AMOUNT, BACK, True)


def test_a_gateway_lists_what_it_captured_and_what_it_was_for(world: World, key: Key, business: Made) -> None:
    if isinstance(world, AtLocalstripe):
        pytest.skip("localstripe: it lists the payments of a customer only")
    before = machine_now() - timedelta(minutes=1)
    paid, refused = key(), key()
    assert charge(world, paid, world.card()) == Captured()
    charge(world, refused, world.card("card_declined"))
    (capture,) = world.gateway.captures_since(before)
    assert (capture.key, capture.money) == (paid, AMOUNT)
    purpose = {"account": business.account, "subscription": subscription(business), "kind": "renewal"}
    purpose |= {"ordinal": "6", "seats": "14", "quote": paid.partition(".")[0], "key": paid}
    assert {name: capture.metadata[name] for name in purpose} == purpose
    assert before <= capture.captured_at <= machine_now() + timedelta(minutes=1)
    assert (capture.card_token != "", capture.card_last4) in ((True, "4242"), (True, ""))
    assert list(world.gateway.captures_since(machine_now() + timedelta(hours=1))) == []


def test_an_answer_tells_how_much_was_captured(world: World, key: Key) -> None:
    paid, card = key(), world.card()
    charge(world, paid, card)
    for outcome in (
        world.gateway.charge(world.account, paid, card, LESS, BACK, True),
        world.gateway.find(world.account, paid),
    ):
        assert isinstance(outcome, Captured)
        assert outcome.capture is not None
        assert outcome.capture.money == AMOUNT
    assert world.captured() == [AMOUNT.amount]


@pytest.mark.needs("bank's page")
def test_a_challenge_of_another_amount_is_cancelled_and_nothing_is_charged(world: World, key: Key) -> None:
    paid, card = key(), world.card("challenge")
    outcome = charge(world, paid, card)
    assert isinstance(outcome, ActionRequired)
    assert world.gateway.charge(world.account, paid, card, LESS, BACK, True) == Cancelled()
    world.bank(outcome.url, True)
    assert (world.gateway.find(world.account, paid), world.captured()) == (Cancelled(), [])


def forget_the_restore() -> None:
    """The operator did not run `restored`."""
    restores.hold_payments()
    restores.resume()


def test_a_restored_sweep_books_the_seats_that_were_charged(app: Flask, business: Made, tmp_path: Path) -> None:
    """Fewer were asked for after the copy was made."""
    back_up(app, tmp_path / "copy")
    service.reduce(business.account, subscription(business), 8)
    the_day_comes(app, business, None)
    ledger, periods = captured(), seats(business)
    with restored(app, tmp_path / "copy"):
        forget_the_restore()
        later(business, timedelta(minutes=1))
        assert (captured(), booked(business), seats(business)) == (ledger, dict(ledger), periods)
        assert periods[-1][1] == 8
        invariants.check(invariants.read(business.account))


def test_a_restored_sweep_replays_refusals_and_finds_the_charge_that_followed(
    app: Flask, business: Made, tmp_path: Path
) -> None:
    back_up(app, tmp_path / "copy")
    post(app, f"/{business.account}/gateway", next="decline")
    the_day_comes(app, business, None)
    later(business, timedelta(days=1))
    ledger = captured()
    assert len(ledger) == 1
    with restored(app, tmp_path / "copy"):
        forget_the_restore()
        for _ in range(2):
            later(business, timedelta(days=1))
        assert (captured(), booked(business)) == (ledger, dict(ledger))


def test_a_price_that_does_not_give_what_was_charged_holds_the_subscription(
    app: Flask, business: Made, tmp_path: Path
) -> None:
    back_up(app, tmp_path / "copy")
    the_day_comes(app, business, None)
    ledger = captured()
    with restored(app, tmp_path / "copy"):
        forget_the_restore()
        with transaction() as session:
            session.execute(update(PriceList).values(rows=[[None, 2_000]]))
        for _ in range(2):
            later(business, timedelta(minutes=1))
        assert (captured(), booked(business)) == (ledger, {})
        held = db.session.scalars(select(UnbookedCapture)).one()
        assert (held.key, held.subscription_id, held.amount) == (*ledger[0][:1], subscription(business), ledger[0][1])
        before = dump()
        quote = db.session.scalars(select(Payment.quote_id).where(Payment.state == "pending")).one()
        with pytest.raises(SubscriptionHeld):
            payments.pay(business.account, subscription(business), quote, 1, BACK)
        later(business, timedelta(days=1))
        assert dump()["payment"] == before["payment"]
        restores.release(subscription(business))
        later(business, timedelta(minutes=1))
        keys = [name for name, _ in captured()]
        assert (len(keys), booked(business).keys()) == (2, {keys[1]})


def test_the_key_of_an_automatic_charge_says_what_it_pays(app: Flask, business: Made) -> None:
    post(app, f"/{business.account}/gateway", next="decline")
    the_day_comes(app, business, None)
    later(business, timedelta(days=1))
    stem = f"renewal-{business.account}-{subscription(business)}-6"
    assert set(db.session.scalars(select(Payment.key))) == {f"{stem}-1", f"{stem}-2"}
    assert db.session.scalars(select(Invoice.payment_key).where(Invoice.payment_key.is_not(None))).all() == [
        f"{stem}-2"
    ]
