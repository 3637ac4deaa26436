"""A database that is restored from a backup of any moment never charges again what was captured after it."""

import os
import signal
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from tests.soak.killed import addition, apart, pay, renewal, the_day_comes
from tests.support import invariants
from tests.support.databases import POSTGRESQL
from tests.support.moments import watched
from tests.support.restoring import (
    CHARGES,
    back_up,
    booked,
    captured,
    copied_at_each_moment,
    last_invoice,
    restored,
    run,
    seats,
)
from tests.support.truth import later
from tests.support.world import dump, subscription
from webapp.db import db, transaction
from webapp.models.accounts import Account
from webapp.models.invoices import Invoice
from webapp.ports import ports
from webapp.purchases import hold
from webapp.sandbox import scenarios
from webapp.sandbox.clock import set_clock
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCard
from webapp.subscriptions import service

pytestmark = pytest.mark.service
Purchase = Callable[[Flask, Made], object]


def roll_over(app: Flask, made: Made) -> None:
    the_day_comes(app, made, None)


def buy_renewal(app: Flask, made: Made) -> None:
    pay(app, made, renewal(app, made))


def buy_addition(app: Flask, made: Made) -> None:
    pay(app, made, addition(app, made))


def roll_over_then_add(app: Flask, made: Made) -> None:
    the_day_comes(app, made, None)
    pay(app, made, addition(app, made))


def reduce_then_roll_over(app: Flask, made: Made) -> None:
    service.reduce(made.account, subscription(made), 8)
    the_day_comes(app, made, None)


STORIES: dict[str, tuple[str, Purchase]] = {
    "roll over": ("business", roll_over),
    "renew": ("business", buy_renewal),
    "add": ("business", buy_addition),
    "renew what has lapsed": ("business-lapsed", buy_renewal),
    "roll over, add": ("business", roll_over_then_add),
    "reduce, roll over": ("business", reduce_then_roll_over),
}


def documents(made: Made) -> dict[str, Any]:
    """What each invoice that was paid here says, but for its number."""
    db.session.rollback()
    query = select(Invoice).where(Invoice.account_id == made.account, Invoice.payment_key.is_not(None))
    return {invoice.payment_key or "": invoice.snapshot for invoice in db.session.scalars(query)}


def now_of(made: Made) -> datetime:
    now = ports().clock.now(db.session.get_one(Account, made.account))
    db.session.rollback()
    return now


def accepted(made: Made) -> None:
    """The card of a lapsed subscription is good again."""
    with transaction() as session:
        session.execute(update(SandboxCard).where(SandboxCard.customer == made.account).values(behaviour="accepted"))


@pytest.mark.parametrize(
    "name",
    [name if name in ("roll over", "renew", "add") else pytest.param(name, marks=pytest.mark.slow) for name in STORIES],
)
def test_what_was_captured_after_the_copy_is_booked_and_never_charged_again(
    app: Flask, tmp_path: Path, name: str
) -> None:
    scenario, do = STORIES[name]
    made = scenarios.make(scenario)
    accepted(made)
    with copied_at_each_moment(app, tmp_path, CHARGES) as copies:
        do(app, made)
    ledger, periods, option, said = captured(), seats(made), last_invoice(made), documents(made)
    assert ledger
    for moment, file in copies.items():
        with restored(app, file) as elsewhere:
            if not POSTGRESQL:
                assert "Payments are paused" in run(elsewhere, "roll-over"), moment
            set_clock(made.account, now_of(made) + timedelta(days=1))
            run(elsewhere, "restored", option)
            after = dump()
            run(elsewhere, "restored", option)
            assert dump() == after, f"{moment}: run twice it is run once"
            later(made, timedelta(minutes=1))
            assert captured() == ledger, moment
            assert booked(made) == dict(ledger), moment
            assert seats(made) == periods, moment
            in_flight = moment.endswith("charge")  # it is paid on the day on which its outcome is known
            kept = documents(made)
            if in_flight:
                kept = {key: snapshot | {"paid_on": said[key]["paid_on"]} for key, snapshot in kept.items()}
            assert kept == said, moment
            invariants.check(invariants.read(made.account))


@pytest.mark.slow
@pytest.mark.parametrize("name", STORIES)
def test_at_no_moment_of_a_payment_is_a_copy_that_charges_again(app: Flask, tmp_path: Path, name: str) -> None:
    scenario, do = STORIES[name]
    made = scenarios.make(scenario)
    accepted(made)
    with copied_at_each_moment(app, tmp_path) as copies:
        do(app, made)
    ledger, periods, option = captured(), seats(made), last_invoice(made)
    for moment, file in copies.items():
        with restored(app, file) as elsewhere:
            run(elsewhere, "restored", option)
            later(made, timedelta(minutes=1))
            assert (captured(), booked(made), seats(made)) == (ledger, dict(ledger), periods), moment
            invariants.check(invariants.read(made.account))


def test_a_restore_that_is_killed_anywhere_and_run_again_ends_the_same(app: Flask, tmp_path: Path) -> None:
    """Killed at its first moment, then run again and killed at the second of that run, and so on."""
    made = scenarios.make("business")
    back_up(app, tmp_path / "copy")
    roll_over_then_add(app, made)
    ledger, periods, option = captured(), seats(made), last_invoice(made)
    with restored(app, tmp_path / "copy") as elsewhere:
        for at in count(1):
            met = count(1)

            def reached(_moment: str, at: int = at, met: Iterator[int] = met) -> None:
                if next(met) == at:
                    os.kill(os.getpid(), signal.SIGKILL)

            def work(_out: int, reached: Callable[[str], None] = reached) -> None:
                with watched(elsewhere, reached):
                    run(elsewhere, "restored", option)

            said, status = apart(elsewhere, work)
            if not os.WIFSIGNALED(status):
                break
        assert (status, said, at > len(ledger) * 2) == (0, "", True)
        assert not hold.payments_held()
        later(made, timedelta(minutes=1))
        assert (captured(), booked(made), seats(made)) == (ledger, dict(ledger), periods)
        invariants.check(invariants.read(made.account))
