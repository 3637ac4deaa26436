"""Two hundred invoices at once on PostgreSQL, some rolled back and some killed: the numbers have no gap."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from tests.support import databases
from tests.support.world import pay, quoted, subscription
from webapp.db import db, transaction
from webapp.invoices import issuing
from webapp.models.invoices import Invoice
from webapp.ports import ports
from webapp.purchases import refunds
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made, _quote
from webapp.subscriptions import loading

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(not databases.POSTGRESQL, reason="SQLite has one writer at a time, and no connection to kill"),
]
RACERS = 200


class GivenUp(Exception):
    pass


def issue(made: Made, number: int, fate: str) -> str:
    """One transaction that numbers an invoice; `fate`: what becomes of it. Days are mixed, as clocks are."""
    with transaction() as session:
        loaded = loading.load(made.account, subscription(made))
        now = ports().clock.now(loaded.account) + timedelta(days=number // 50 + number % 2)
        issued = issuing.issue_invoice(loaded, _quote(loaded, 0, 12), None, now)
        session.flush()
        if fate == "given up":
            raise GivenUp
        if fate == "killed":
            with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as other:
                pid = session.scalar(text("SELECT pg_backend_pid()"))
                other.execute(text("SELECT pg_terminate_backend(CAST(:pid AS integer))"), {"pid": pid})
        return issued.number


def race(app: Flask, made: Made) -> list[str]:
    """What each process reported: its number, or how it ended."""
    chance, turn = random.Random(7), count()
    fates = [chance.choice(("kept", "kept", "given up", "killed")) for _ in range(RACERS)]

    def run(fate: str) -> str:
        with app.app_context():
            try:
                return issue(made, next(turn), fate)
            except GivenUp:
                return "given up"
            except DBAPIError as fault:
                return "killed" if fault.connection_invalidated else str(fault)
            finally:
                db.session.remove()

    with ThreadPoolExecutor(12) as pool:
        ends = list(pool.map(run, fates))
    assert [end if end in ("given up", "killed") else "kept" for end in ends] == fates
    return ends


def test_two_hundred_at_once_and_some_killed_leave_no_gap(app: Flask) -> None:
    made = scenarios.make("business")
    db.session.remove()
    ends = race(app, made)
    kept = [end for end in ends if end not in ("given up", "killed")]
    rows = db.session.execute(
        select(Invoice.number, Invoice.issued_on).where(Invoice.account_id == made.account).order_by(Invoice.number)
    ).all()
    this_year = [row for row in rows if row.number.startswith("MQ-2027")]
    assert [row.number for row in this_year] == [f"MQ-2027-{n:06d}" for n in range(1, len(kept) + 2)]
    assert set(kept) == {row.number for row in this_year[1:]}
    days = [row.issued_on for row in rows]
    assert days == sorted(days)
    assert len(set(days[-len(kept) :])) > 3, "not all on one day"
    assert min(ends.count("given up"), ends.count("killed")) > 20


def test_credit_notes_of_one_invoice_at_once_never_come_to_more_than_it(app: Flask, business: Made) -> None:
    assert pay(app, business, quoted(app, business, 14)) == "captured"
    db.session.remove()

    def run(_: int) -> str:
        with app.app_context():
            try:
                return refunds.credit(business.account, "MQ-2027-000002", 10_000).state
            except refunds.NotCredited:
                return "no"
            finally:
                db.session.remove()

    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(run, range(24)))
    assert set(ends) <= {"made", "no"}
    notes = db.session.scalars(select(Invoice.net).where(Invoice.kind == "credit_note")).all()
    assert 1 <= len(notes) <= 4
    assert sum(notes) <= 40_800
