"""The gateway forgets each card that was dropped here, however often it is silent before."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from tests.servers.stripe_server import Stripe
from tests.support.cards import attached, attempts
from tests.support.stripe_owner import Owner
from tests.support.truth import later
from tests.support.world import pay, post, quoted, signed_in, stored
from webapp.db import db, transaction
from webapp.models.cards import Card, CardDetachment
from webapp.ports import OutcomeUnknown
from webapp.purchases import cards, detachments
from webapp.renewals import sweep
from webapp.renewals.rollover import Tally
from webapp.sandbox import scenarios
from webapp.sandbox.gateway import SandboxGateway
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service
MINUTE = timedelta(minutes=1)


@pytest.fixture
def owner(app: Flask, two: Made) -> FlaskClient:
    return signed_in(app, two)


class Gateway(SandboxGateway):
    """Records the cards that it is to forget; `answer` runs before it does."""

    def __init__(self, app: Flask, answer: Callable[[], object] = lambda: None) -> None:
        super().__init__("")
        self.asked: list[str] = []
        self.answer = answer
        app.extensions["ports"] = replace(app.extensions["ports"], gateway=self)

    def detach(self, card_token: str) -> None:
        self.asked.append(card_token)
        self.answer()
        super().detach(card_token)


def silence() -> None:
    raise OutcomeUnknown("silence")


def test_a_deleted_card_is_detached_at_once_and_nothing_is_left_to_do(owner: FlaskClient, two: Made) -> None:
    owner.post(f"/billing/cards/{two.cards[1]}/delete")
    assert (attached(two), attempts()) == (["4242"], [])


def test_a_card_deleted_while_the_gateway_is_silent_is_detached_later(
    app: Flask, owner: FlaskClient, two: Made
) -> None:
    post(app, f"/{two.account}/gateway", next="down")
    answer = owner.post(f"/billing/cards/{two.cards[1]}/delete")
    assert answer.status_code == 303
    assert "Mastercard ••••\u00a04444 has been deleted." in owner.get("/billing").text
    assert (attached(two), attempts()) == (["4242", "4444"], [1])
    later(two, MINUTE)
    assert (attached(two), attempts()) == (["4242", "4444"], [2])
    post(app, f"/{two.account}/gateway", next="")
    later(two, 2 * MINUTE)
    assert (attached(two), attempts()) == (["4242"], [])


def test_an_attempt_that_was_never_made_is_made_by_the_sweep(app: Flask, two: Made) -> None:
    """The process died right after the deletion was committed."""
    with transaction():
        token = stored(Card, two.cards[1]).token
        detachments.store(two.account, token, two.now)
    assert sum(sweep.run(two.account), Tally())["detached"] == 1
    assert (attached(two), attempts()) == (["4242"], [])


def test_one_sweep_settles_a_payment_and_forgets_the_card_that_it_kept(app: Flask, two: Made) -> None:
    quote = quoted(app, two)
    post(app, f"/{two.account}/gateway", next="timeout_after_charge")
    assert pay(app, two, quote) == "pending"
    with transaction():
        detachments.store(two.account, stored(Card, two.cards[0]).token, two.now)
    done = sum(sweep.run(two.account), Tally())
    assert (done["renewed"], done["detached"], attempts()) == (1, 1, [])


def test_the_waits_double_up_to_a_day(app: Flask, two: Made) -> None:
    gateway = Gateway(app, silence)
    cards.delete(two.account, two.cards[1])
    waits = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 24 * 60, 24 * 60]
    for number, minutes in enumerate(waits, 1):
        assert len(gateway.asked) == number
        later(two, MINUTE * (minutes - 1))
        assert len(gateway.asked) == number
        later(two, MINUTE)
    assert len(gateway.asked) == len(waits) + 1


def test_after_a_day_of_silence_a_person_is_told(app: Flask, two: Made, caplog: pytest.LogCaptureFixture) -> None:
    Gateway(app, silence)
    cards.delete(two.account, two.cards[1])
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    for _ in range(8):
        later(two, timedelta(hours=6))
    assert "since it was deleted here" in caplog.text


def test_a_sweep_stops_asking_a_silent_gateway(app: Flask) -> None:
    gateway = Gateway(app, silence)
    made = [scenarios.make("business-two-cards") for _ in range(5)]
    for account in made:
        cards.delete(account.account, account.cards[1])
    with transaction() as session:
        session.execute(update(CardDetachment).values(next_try_at=made[0].now - timedelta(days=1)))
    gateway.asked.clear()
    assert sum(sweep.run(), Tally())["silent"] == sweep.SILENCES
    assert len(gateway.asked) == sweep.SILENCES


def test_a_failure_stops_no_other_detachment(app: Flask) -> None:
    made = [scenarios.make("business-two-cards") for _ in range(2)]
    failures = [ZeroDivisionError()]

    def fail_once() -> None:
        if failures:
            raise failures.pop()

    Gateway(app, silence)
    for account in made:
        cards.delete(account.account, account.cards[1])
    with transaction() as session:
        session.execute(update(CardDetachment).values(next_try_at=made[0].now - timedelta(days=1)))
    Gateway(app, fail_once)
    tally = sum(sweep.run(), Tally())
    assert (tally["failed"], tally["detached"]) == (1, 1)
    assert attempts() == [2]


def test_two_sweeps_at_once_ask_once(app: Flask, two: Made) -> None:
    meanwhile: list[int] = []

    def another_sweep() -> None:
        if not meanwhile:
            meanwhile.append(0)
            meanwhile.append(sum(sweep.run(two.account), Tally())["detached"])

    gateway = Gateway(app, another_sweep)
    cards.delete(two.account, two.cards[1])
    assert meanwhile == [0, 0]
    assert len(gateway.asked) == 1
    assert attempts() == []


def test_stripe_forgets_a_card_that_was_deleted_while_it_was_down(stripe_app: Flask, stripe: Stripe) -> None:
    owner = Owner(stripe_app, stripe)
    owner.enters_card("/billing/cards/new")
    card = stored(Card, owner.newest_card())
    account_id, token, delete = card.account_id, card.token, f"/billing/cards/{card.id}/delete"
    db.session.rollback()
    stripe.fail("500", "/detach", times=2)  # the library asks twice
    assert owner.client.post(delete).status_code == 303
    assert stripe.methods[token]["customer"] is not None
    (key,) = detachments.open_keys(account_id, 10)
    assert detachments.detach(key) is None  # too early
    with transaction() as session:
        session.execute(update(CardDetachment).values(next_try_at=CardDetachment.created_at))
    assert detachments.detach(key) == "detached"
    assert stripe.methods[token]["customer"] is None
    assert attempts() == []
