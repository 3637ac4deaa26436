"""The state of the modelled subscription, and what follows from it today."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tests.soak.model_parts import TRIES, Attempt, Card, Change, Credit, Prices, Quote, boundary


@dataclass
class State:
    anchor: date
    months: int
    zone: ZoneInfo
    now: datetime
    forbids: str | None  # the refusal of every command, if the plan is not self-service
    seats: dict[int, int]
    prices: Prices  # for the next quote; each period keeps its prices in `paid_at`
    paid_at: dict[int, Prices]
    known: int  # active users as the portal last saw them
    crowd: list[tuple[datetime, int]]
    cards: list[Card]
    default: Card | None
    backup: Card | None = None
    treatment: str = "standard"
    fault: str | None = None
    changes: list[Change] = field(default_factory=list)
    quotes: list[Quote] = field(default_factory=list)
    invoices: list[tuple[date, int, int]] = field(default_factory=list)  # day, net, tax
    credits: list["Credit"] = field(default_factory=list)
    mails: Counter[str] = field(default_factory=Counter)
    announced: set[object] = field(default_factory=set)
    refusals: list[date] = field(
        default_factory=list
    )  # days of the sweep's refused attempts for the first unpaid period
    ended_on: date | None = None

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    @property
    def last(self) -> int:
        return max(self.seats)

    def start(self, n: int) -> date:
        return boundary(self.anchor, self.months, n)

    @property
    def covering(self) -> int:
        n = 0
        while self.start(n + 1) <= self.today:
            n += 1
        return n

    def open(self, kind: str) -> Change | None:
        return next((change for change in self.changes if change.kind == kind and change.state == "open"), None)

    @property
    def status(self) -> str:
        leaving = self.open("cancellation")
        if self.ended_on or (leaving and self.today >= self.start(leaving.ordinal)):
            return "ended"
        if self.covering in self.seats:
            return "ending" if leaving else "active"
        return "lapsed" if len(self.refusals) == len(TRIES) else "past_due"

    @property
    def current(self) -> int:
        return self.covering if self.covering in self.seats else self.last

    @property
    def confirmed(self) -> int:
        fewer = self.open("reduction")
        return (fewer.seats if fewer else None) or self.seats[self.last]

    @property
    def next_seats(self) -> int | None:
        if self.ended_on:
            return None
        return self.seats.get(self.current + 1, None if self.open("cancellation") else self.confirmed)

    @property
    def pending(self) -> tuple[Quote, Attempt] | None:
        return next(((q, a) for q in self.quotes for a in q.attempts if a.state == "pending"), None)

    @property
    def challenge(self) -> Attempt | None:
        """The sweep's payment that waits for the owner's confirmation."""
        return self.pending[1] if self.pending and self.pending[1].automatic and self.pending[1].asked else None

    @property
    def visible(self) -> int:
        """The tenant's active users; a change shows after two minutes."""
        return [active for since, active in self.crowd if since <= self.now - timedelta(minutes=2)][-1]

    def midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone)

    def _close(self, kind: str, state: str) -> None:
        change = self.open(kind)
        if change:
            change.state = state

    def _end(self, day: date) -> None:
        self.ended_on = day
        self._close("cancellation", "applied")
        self._close("reduction", "superseded")
        self.mails["ended"] += 1
