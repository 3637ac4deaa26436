"""What changes around a random life: prices, active users, and time with its sweeps."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule
from sqlalchemy import update

from tests.soak.life_base import PRICES, LifeBase
from tests.support import invariants
from webapp.db import new_id, transaction
from webapp.models.prices import PriceList
from webapp.models.subscriptions import SubscriptionRow
from webapp.renewals import sweep as sweeping
from webapp.sandbox import clock
from webapp.sandbox.tables import SandboxHeadcount
from webapp.subscriptions import loading


class Time(LifeBase):
    @rule(prices=st.sampled_from(PRICES))
    def change_prices(self, prices: Any) -> None:
        new = new_id()
        with transaction() as session:
            session.add(PriceList(id=new, currency="EUR", rows=[list(tier) for tier in prices]))
            session.flush()
            session.execute(
                update(SubscriptionRow).where(SubscriptionRow.id == self.subscription).values(price_list_id=new)
            )
        self.lists[new] = self.model.prices = prices
        self.tally["change prices", "done"] += 1

    @rule(active=st.sampled_from((0, 0, 0, 1, 3, 5, 9, 14, 30)))
    def set_active_users(self, active: int) -> None:
        tenant = loading.load(self.account, self.subscription).tenant
        with transaction() as session:
            session.add(SandboxHeadcount(tenant=tenant, customer=self.account, active=active, since=self.model.now))
        self.model.crowd.append((self.model.now, active))
        self.tally["set active users", "done"] += 1

    @rule(
        days=st.sampled_from((0, 0, 0, 1, 3, 7, 9, 31)),
        seconds=st.sampled_from((1, 14, 15, 120, 1799, 1800, 7200, 40_000)),
        sweep=st.booleans(),
    )
    def pass_time(self, days: int, seconds: int, sweep: bool) -> None:
        self.move_to(self.model.now + timedelta(days=days, seconds=seconds), sweep)

    @rule(
        periods=st.sampled_from((0, 0, 0, 1, 3)),
        seconds=st.sampled_from((-1, 0, 0, 60)),
        days=st.sampled_from((0, 0, 8)),
    )
    def pass_boundaries(self, periods: int, seconds: int, days: int) -> None:
        """Passes several boundaries, so that a late sweep finds everything due at once."""
        day = self.model.start(self.model.covering + 1 + periods) + timedelta(days=days)
        self.move_to(self.model.midnight(day).astimezone(UTC) + timedelta(seconds=seconds), seconds == 60)

    def move_to(self, now: datetime, sweep: bool) -> None:
        clock.set_clock(self.account, now)
        self.model.now = max(now, self.model.now)
        self.tally["move the clock", "swept" if sweep else "not swept"] += 1
        if sweep:
            self.sweep()

    @rule(twice=st.booleans())
    def sweep(self, twice: bool = False) -> None:
        assert sweeping.sweep(self.account) == 0
        self.model.sweep()
        if twice:
            if self.model.pending or self.refunding:
                self.sweep()  # this sweep may settle a pending charge or refund
            with self.writing() as written:
                assert sweeping.sweep(self.account) == 0
            assert written == set(), "rolling over again changes nothing"
        self.name_quotes()
        self.tally["sweep", self.model.status] += 1

    @rule(to=st.sampled_from((60, 1801, 86_400, 8 * 86_400, 40 * 86_400, 100 * 86_400)))
    def walk(self, to: int) -> None:
        """Moves the clock as the panel does: with a stop at each event."""
        self.sweep()
        while self.refunding and self.model.fault != "down":
            self.sweep()
        self.model.walk(self.model.now + timedelta(seconds=to))
        self.post(f"/sandbox/accounts/{self.account}/clock", to=self.model.now.isoformat())
        self.name_quotes()
        self.tally["move the clock", "stopping at each event"] += 1

    @property
    def refunding(self) -> bool:
        return any(credit.state == "pending" for credit in self.model.credits)

    def name_quotes(self) -> None:
        """Gives the model's automatic quotes the portal's ids, in the order of the numbers of their keys."""
        named = {quote.id for quote in self.model.quotes}
        rows = [row for row in invariants.read(self.account).paid if row.automatic and row.quote_id not in named]
        fresh = [quote for quote in self.model.quotes if not quote.id]
        rows.sort(key=lambda row: (row.ordinal, int(row.key.rpartition("-")[2])))
        fresh.sort(key=lambda quote: quote.ordinal)
        assert len(rows) == len(fresh), "the sweep made other payments than the model"
        for row, quote in zip(rows, fresh, strict=True):
            quote.id = row.quote_id
