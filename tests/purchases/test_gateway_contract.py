"""What every payment gateway does: the sandbox's, and Stripe's adapter against two servers."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from tests.support.gateways import AMOUNT, BACK, LACKING, World
from webapp.domain.money import Money
from webapp.ports import ActionRequired, Cancelled, Captured, Declined, NewCard, Outcome, OutcomeUnknown, Refunded
from webapp.sandbox.scenarios import Made


def charge(world: World, key: str, card: str, present: bool = True) -> Outcome:
    return world.gateway.charge(world.account, key, card, AMOUNT, BACK, present)


Key = Callable[[], str]


@pytest.mark.parametrize("present", [True, False])
def test_a_charge_is_made_once_for_a_key(world: World, key: Key, present: bool) -> None:
    paid, card = key(), world.card()
    assert [charge(world, paid, card, present) for _ in range(3)] == [Captured()] * 3
    assert world.gateway.find(world.account, paid) == Captured()
    assert world.captured() == [48_960]


def test_two_keys_are_two_charges(world: World, key: Key) -> None:
    card = world.card()
    assert [charge(world, key(), card) for _ in range(2)] == [Captured()] * 2
    assert world.captured() == [48_960, 48_960]


@pytest.mark.parametrize("present", [True, False])
def test_a_refusal_is_told_the_same_each_time_it_is_asked_for(world: World, key: Key, present: bool) -> None:
    refused, card = key(), world.card("card_declined")
    assert [charge(world, refused, card, present) for _ in range(2)] == [Declined("card_declined")] * 2
    assert world.gateway.find(world.account, refused) == Declined("card_declined")
    assert charge(world, refused, world.card()) == Declined("card_declined")  # a key stands for one card
    assert world.captured() == []


@pytest.mark.needs("keys")
def test_the_reason_of_a_refusal_is_told(world: World, key: Key) -> None:
    refused = key()
    assert charge(world, refused, world.card("insufficient_funds")) == Declined("insufficient_funds")
    assert world.gateway.find(world.account, refused) == Declined("insufficient_funds")


def test_to_look_for_a_key_that_was_never_charged_makes_nothing(world: World, key: Key) -> None:
    unheard = key()
    assert [world.gateway.find(world.account, unheard) for _ in range(2)] == [None, None]
    assert charge(world, unheard, world.card()) == Captured()


def test_what_was_cancelled_is_never_charged_late(world: World, key: Key) -> None:
    late, card = key(), world.card()
    assert [world.gateway.cancel(world.account, late) for _ in range(2)] == [Cancelled()] * 2
    assert charge(world, late, card) == Cancelled()
    assert world.gateway.find(world.account, late) == Cancelled()
    assert world.captured() == []


@pytest.mark.parametrize(
    ("behaves", "outcome"), [("accepted", Captured()), ("card_declined", Declined("card_declined"))]
)
def test_to_cancel_what_was_settled_tells_how(world: World, key: Key, behaves: str, outcome: Outcome) -> None:
    settled = key()
    charge(world, settled, world.card(behaves))
    assert world.gateway.cancel(world.account, settled) == outcome
    assert world.captured() == ([48_960] if behaves == "accepted" else [])


@pytest.mark.needs("bank's page")
@pytest.mark.parametrize("present", [True, False])
@pytest.mark.parametrize(("said", "after"), [(True, Captured()), (False, Declined("authentication_failed"))])
def test_the_bank_asks_on_its_own_page(world: World, key: Key, present: bool, said: bool, after: Outcome) -> None:
    asked, card = key(), world.card("challenge")
    outcome = charge(world, asked, card, present)
    assert isinstance(outcome, ActionRequired)
    assert charge(world, asked, card, present) == world.gateway.find(world.account, asked) == outcome
    assert world.captured() == []
    world.bank(outcome.url, said)
    assert world.gateway.find(world.account, asked) == charge(world, asked, card, present) == after
    assert world.captured() == ([48_960] if said else [])


@pytest.mark.needs("bank's page")
def test_a_challenge_that_was_cancelled_cannot_be_confirmed(world: World, key: Key) -> None:
    asked = key()
    outcome = charge(world, asked, world.card("challenge"))
    assert isinstance(outcome, ActionRequired)
    assert world.gateway.cancel(world.account, asked) == Cancelled()
    world.bank(outcome.url, True)
    assert world.gateway.find(world.account, asked) == Cancelled()
    assert world.captured() == []


@pytest.mark.needs("silence")
@pytest.mark.parametrize(("after", "outcome"), [(False, None), (True, Captured())])
def test_silence_is_no_outcome(world: World, key: Key, after: bool, outcome: Outcome | None) -> None:
    unknown, card = key(), world.card()
    world.silent(after)
    with pytest.raises(OutcomeUnknown):
        charge(world, unknown, card)
    assert world.gateway.find(world.account, unknown) == outcome
    assert world.gateway.cancel(world.account, unknown) == (outcome or Cancelled())
    assert charge(world, unknown, card) == (outcome or Cancelled())
    assert world.captured() == ([48_960] if after else [])


@pytest.mark.needs("keys")
def test_charges_at_once_with_one_key_are_one_charge(app: Flask, world: World, key: Key) -> None:
    paid, card = key(), world.card()

    def at_once(_number: int) -> Outcome:
        with app.app_context():
            return charge(world, paid, card)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(at_once, range(6))) == [Captured()] * 6
    assert world.captured() == [48_960]


@pytest.mark.needs("keys")
def test_a_charge_and_its_cancellation_at_once_agree(app: Flask, world: World, key: Key) -> None:
    card = world.card()

    def cancel_or_charge(cancels: bool, paid: str) -> Outcome:
        with app.app_context():
            return world.gateway.cancel(world.account, paid) if cancels else charge(world, paid, card)

    for _ in range(5):
        paid = key()
        with ThreadPoolExecutor(4) as pool:
            outcomes = set(pool.map(cancel_or_charge, (False, True, False, True), [paid] * 4))
        assert outcomes in ({Captured()}, {Cancelled()})
        assert world.gateway.find(world.account, paid) in outcomes


def test_a_refund_is_made_once_for_a_key(world: World, key: Key) -> None:
    paid = key()
    charge(world, paid, world.card())
    part = Money(18_960, "EUR")
    assert [world.gateway.refund(world.account, f"{paid}.r1", paid, part) for _ in range(2)] == [Refunded()] * 2
    assert world.gateway.refund(world.account, f"{paid}.r2", paid, Money(30_000, "EUR")) == Refunded()


@pytest.mark.needs("limits")
def test_no_more_goes_back_than_was_paid(world: World, key: Key) -> None:
    paid = key()
    charge(world, paid, world.card())
    assert world.gateway.refund(world.account, f"{paid}.r1", paid, Money(48_961, "EUR")) == Declined("refund_refused")
    assert world.gateway.refund(world.account, f"{paid}.r2", paid, AMOUNT) == Refunded()
    assert world.gateway.refund(world.account, f"{paid}.r3", paid, Money(1, "EUR")) == Declined("refund_refused")


def test_nothing_goes_back_of_what_was_refused(world: World, key: Key) -> None:
    refused = key()
    charge(world, refused, world.card("card_declined"))
    assert world.gateway.refund(world.account, f"{refused}.r1", refused, AMOUNT) == Declined("refund_refused")


def test_a_card_that_was_deleted_is_declined(world: World, key: Key) -> None:
    card, paid = world.card(), key()
    for _ in range(2):
        world.gateway.detach(card)
    assert [charge(world, paid, card) for _ in range(2)] == [Declined("card_declined")] * 2
    assert world.gateway.find(world.account, paid) == Declined("card_declined")
    assert world.captured() == []


@pytest.mark.needs("card page")
def test_a_card_is_entered_on_the_gateways_own_page(world: World, business: Made) -> None:
    setup = world.gateway.begin_card_setup(business.account, BACK, "fr")
    assert world.gateway.complete_card_setup(world.account, setup.reference) is None
    world.enter(setup.url)
    entered = world.gateway.complete_card_setup(world.account, setup.reference)
    assert entered == world.gateway.complete_card_setup(world.account, setup.reference)
    assert entered is not None
    assert entered == NewCard(entered.token, "Visa", "4242", 2031, 8, "Camille Martin")


@pytest.mark.needs("card page")
def test_a_card_that_was_entered_can_be_charged(world: World, business: Made, key: Key) -> None:
    setup = world.gateway.begin_card_setup(business.account, BACK, "en")
    world.enter(setup.url)
    entered = world.gateway.complete_card_setup(world.account, setup.reference)
    assert entered is not None
    assert charge(world, key(), entered.token) == Captured()


def test_what_localstripe_lacks_is_still_needed() -> None:
    """Each reason must still be used by a test."""
    with open(__file__, encoding="utf-8") as file:
        given = set(re.findall(r'mark\.needs\("(.+?)"\)\n', file.read()))
    assert given == set(LACKING)
