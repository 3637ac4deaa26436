"""The whole life of a subscription in any order: every command and event, compared with the model after each step."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import invariant
from sqlalchemy import event

from tests.soak.life_base import MACHINE_TIME
from tests.soak.life_purchases import Purchases
from tests.soak.life_requests import Requests
from tests.soak.life_time import Time
from tests.support import invariants
from webapp.db import db
from webapp.sandbox import clock, scenarios
from webapp.subscriptions import loading, summary

MIXED = settings(
    deadline=None,
    database=None,
    print_blob=True,
    report_multiple_bugs=False,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Life(Purchases, Requests, Time):
    @invariant()
    def the_portal_is_as_the_model_says(self) -> None:
        model, rows = self.model, invariants.read(self.account)
        invariants.check(rows)
        invariants.check_quiet(self.account)
        self.tally["step", "checked"] += 1
        assert {row.ordinal: row.seats for row in rows.periods} == model.seats
        assert {row.ordinal: self.lists[row.price_list_id] for row in rows.periods} == model.paid_at
        assert {row.source for row in rows.periods} == {"external" if model.forbids else "paid"}
        asked = Counter((c.kind, c.seats, c.ordinal, c.state) for c in model.changes)
        assert Counter((r.kind, r.seats, r.effective_ordinal, r.closed_as or "open") for r in rows.changes) == asked
        tried = [(q, a) for q in model.quotes for a in q.attempts]
        payments = Counter((q.kind, q.ordinal, q.automatic, q.net + q.tax, a.state, a.asked) for q, a in tried)
        assert payments == Counter(
            (r.kind, r.ordinal, r.automatic, r.amount, r.state, r.action_url is not None) for r in rows.paid
        )
        ledger = Counter((q.net + q.tax, a.bank) for q, a in tried if a.heard)
        assert Counter((charge.amount, charge.state) for charge in rows.charges) == ledger
        billed = [(row.issued_on, row.net, row.tax) for row in rows.invoices if row.payment_key]
        assert billed == model.invoices
        noted = Counter((row.issued_on, row.net, row.tax) for row in rows.notes)
        assert noted == Counter(
            (credit.day, credit.net, credit.tax) for credit in model.credits if credit.state == "made"
        )
        assert Counter(row.state for row in rows.refunds) == Counter(credit.state for credit in model.credits)
        given_back = Counter(credit.net + credit.tax for credit in model.credits if credit.bank == "made")
        assert Counter(row.amount for row in rows.given_back) == given_back
        for row in (*rows.invoices, *rows.notes):
            content = {name: value for name, value in row._mapping.items() if name not in ("credited", "status")}
            assert self.issued.setdefault(row.number, repr(content)) == repr(content), "an issued invoice never changes"
        mails = Counter(about.split("/")[0] for about in rows.mails)
        assert mails == +model.mails, (mails - model.mails, model.mails - mails)
        assert set(rows.cards) == {card.id for card in model.cards if not card.gone}
        assert rows.defaults == ([model.default.id] if model.default else [])
        assert rows.backups == ([model.backup.id] if model.backup else [])
        self.tile_is_as_the_model_says()

    def tile_is_as_the_model_says(self) -> None:
        model, tile = self.model, summary.summary(loading.load(self.account, self.subscription))
        facts = tile.subscription.facts
        assert (tile.status, tile.seats, tile.next_seats) == (
            model.status,
            model.seats[model.current],
            model.next_seats,
        )
        assert (facts.anchor, facts.ended_on) == (model.anchor, model.ended_on)
        for n in (*model.seats, model.last + 1):
            assert (facts.period(n).start, facts.period(n).end) == (model.start(n), model.start(n + 1)), "periods tile"
        assert tile.period.ordinal == model.current
        assert facts.active_users == model.known
        assert (tile.pending is None) == (model.pending is None)
        db.session.remove()

    def teardown(self) -> None:
        try:
            if hasattr(self, "model"):
                self.sweep(twice=True)
                self.the_portal_is_as_the_model_says()
        finally:
            self.context.pop()


def fast(app: Flask) -> Flask:
    """Does not wait for the disk: this data need not survive a crash."""
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            event.listen(db.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    return app


@contextmanager
def still() -> Iterator[None]:
    """Stops the machine's time; only the steps move the accounts' clocks."""
    with (
        patch.object(clock, "machine_now", lambda: MACHINE_TIME),
        patch.object(scenarios, "machine_now", lambda: MACHINE_TIME),
    ):
        yield


def machine(app: Flask) -> type[Life]:
    return type("Life", (Life,), {"app": fast(app)})
