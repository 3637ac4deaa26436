"""What a subscription is and what may be done to it: status is derived from paid periods and changes, never stored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from .periods import Period, boundary, ordinal_on, period
from .refusals import (
    AlreadyRenewed,
    BelowActiveUsers,
    CancellationOpen,
    NotFewerSeats,
    PaymentPending,
    PlanForbids,
    ReductionOpen,
    Refusal,
    RenewalDue,
    ResellerManages,
    SubscriptionEnded,
    SubscriptionHeld,
)

ATTEMPT_DAYS = (0, 1, 3, 5, 7)  # after the boundary: the first automatic attempt and its retries
LAPSE_DAYS = 30  # how long a lapsed subscription can be brought back
NOTICE_DAYS = {1: (7,), 12: (30, 7)}  # before a renewal, by the term's months


class Plan(StrEnum):
    BUSINESS = "business"
    ENTERPRISE = "enterprise"


class Status(StrEnum):
    ACTIVE = "active"
    ENDING = "ending"
    PAST_DUE = "past_due"
    LAPSED = "lapsed"
    ENDED = "ended"


class ChangeKind(StrEnum):
    REDUCTION = "reduction"
    CANCELLATION = "cancellation"


class Change(NamedTuple):
    """An open request; `seats` is None for a cancellation."""

    kind: ChangeKind
    seats: int | None
    effective_ordinal: int


@dataclass(frozen=True)
class Facts:
    """All that the rules need to know of one subscription.

    `seats` maps the ordinal of each paid (or external) period to its seats; there is at least one.
    `held`: money was taken that is not booked; until a person has looked into it, nothing is changed or charged.
    `refused` counts the automatic attempts refused for the first unpaid period, `refused_on` is the day of the last.
    """

    plan: Plan
    anchor: date
    months: int
    seats: Mapping[int, int]
    reseller: str | None = None
    changes: tuple[Change, ...] = ()
    ended_on: date | None = None
    refused: int = 0
    refused_on: date | None = None
    payment_pending: bool = False
    held: bool = False
    active_users: int = 0
    active_users_as_of: datetime | None = None

    def change(self, kind: ChangeKind) -> Change | None:
        return next((change for change in self.changes if change.kind == kind), None)

    @property
    def self_service(self) -> bool:
        return self.plan is Plan.BUSINESS and self.reseller is None

    def period(self, ordinal: int) -> Period:
        return period(self.anchor, self.months, ordinal)

    def boundary(self, ordinal: int) -> date:
        return boundary(self.anchor, self.months, ordinal)

    @property
    def last_paid(self) -> int:
        return max(self.seats)

    def ordinal_on(self, today: date) -> int:
        return ordinal_on(self.anchor, self.months, today)

    def current(self, today: date) -> Period:
        """The paid period that covers today, else the last one that was paid (its seats stay usable while past due)."""
        ordinal = self.ordinal_on(today)
        return self.period(ordinal if ordinal in self.seats else self.last_paid)


@dataclass(frozen=True)
class RenewalTarget:
    """The period that a renewal pays; `days_left` is set where only the rest of it is charged."""

    period: Period
    days_left: int | None = None


def status(facts: Facts, today: date) -> Status:
    cancellation = facts.change(ChangeKind.CANCELLATION)
    if facts.ended_on is not None or (cancellation and today >= facts.boundary(cancellation.effective_ordinal)):
        return Status.ENDED
    if facts.ordinal_on(today) in facts.seats:
        return Status.ENDING if cancellation else Status.ACTIVE
    return Status.LAPSED if facts.refused >= len(ATTEMPT_DAYS) else Status.PAST_DUE


def projected_seats(facts: Facts) -> int:
    """What the next unpaid period is billed for: the last number that the owner confirmed."""
    reduction = facts.change(ChangeKind.REDUCTION)
    return facts.seats[facts.last_paid] if reduction is None or reduction.seats is None else reduction.seats


def next_seats(facts: Facts, today: date) -> int | None:
    """Seats of the period after the current one; None if there will be none."""
    if facts.ended_on is not None:
        return None
    following = facts.current(today).ordinal + 1
    if following in facts.seats:
        return facts.seats[following]
    return None if facts.change(ChangeKind.CANCELLATION) else projected_seats(facts)


def check_plan(plan: Plan, reseller: str | None) -> None:
    """Only a directly bought Business subscription is changed here."""
    if reseller is not None:
        raise ResellerManages(reseller)
    if plan is not Plan.BUSINESS:
        raise PlanForbids


def check_self_service(facts: Facts) -> None:
    check_plan(facts.plan, facts.reseller)


def _check_live(facts: Facts, today: date) -> Status:
    """What every command needs: ours to change, not ended nor about to, and no payment in flight."""
    check_self_service(facts)
    now = status(facts, today)
    if now is Status.ENDED:
        raise SubscriptionEnded
    if facts.held:
        raise SubscriptionHeld
    if facts.payment_pending:
        raise PaymentPending
    cancellation = facts.change(ChangeKind.CANCELLATION)
    if cancellation:
        raise CancellationOpen(facts.boundary(cancellation.effective_ordinal))
    return now


def renewal_target(facts: Facts, today: date) -> RenewalTarget:
    """The period that Renew pays today, or the refusal that says why none.

    Past due pays the owed period in full; lapsed pays what is left of the period that contains today.
    """
    now = _check_live(facts, today)
    if now is Status.LAPSED:
        target = facts.period(facts.ordinal_on(today))
        return RenewalTarget(target, (target.end - today).days)
    if facts.last_paid > facts.ordinal_on(today):
        raise AlreadyRenewed(facts.boundary(facts.last_paid + 1))
    return RenewalTarget(facts.period(facts.last_paid + 1))


def _check_changeable(facts: Facts, today: date) -> None:
    """What adding and reducing have in common: a subscription that is paid today and goes on."""
    if _check_live(facts, today) in (Status.PAST_DUE, Status.LAPSED):
        raise RenewalDue


def check_addition(facts: Facts, today: date) -> None:
    """Seats may be added today (help page: adjust the number of users)."""
    _check_changeable(facts, today)
    reduction = facts.change(ChangeKind.REDUCTION)
    if reduction:
        raise ReductionOpen(projected_seats(facts), facts.boundary(reduction.effective_ordinal))


def check_reduction(facts: Facts, today: date) -> None:
    """A reduction may be asked for today; it takes effect at the first unpaid period (help page: reduce)."""
    _check_changeable(facts, today)
    if facts.seats[facts.last_paid] == 1:
        raise NotFewerSeats(1)


def check_fewer(facts: Facts, seats: int) -> None:
    """Fewer than the last paid period's, and not below the active users."""
    if seats >= facts.seats[facts.last_paid]:
        raise NotFewerSeats(facts.seats[facts.last_paid])
    check_floor(facts, seats)


def check_cancellation(facts: Facts, today: date) -> Status:
    """A cancellation may be asked for today: active ends with what is paid, past due ends at once."""
    now = _check_live(facts, today)
    if now is Status.LAPSED:
        raise RenewalDue
    return now


def check_floor(facts: Facts, seats: int) -> None:
    if seats < facts.active_users:
        raise BelowActiveUsers(facts.active_users, facts.active_users_as_of)


def allows(check: Callable[[Facts, date], object], facts: Facts, today: date) -> bool:
    """Whether a command would be accepted: what a page offers and what the service does are one rule."""
    try:
        check(facts, today)
    except Refusal:
        return False
    return True


class Due(StrEnum):
    """What time has made due; the sweep does it."""

    END = "end"  # the cancellation's day has come, or a lapsed subscription was not brought back
    EXTERNAL = "external"  # somebody else bills the next period
    CHARGE = "charge"  # the next period, with the default card


def due(facts: Facts, today: date) -> tuple[Due, date] | None:
    """The next thing that is, or will be, due, and its day; None where nothing ever will be, or it is held."""
    if facts.ended_on is not None or facts.held:
        return None
    following = facts.boundary(facts.last_paid + 1)
    if not facts.self_service:
        return Due.EXTERNAL, following
    cancellation = facts.change(ChangeKind.CANCELLATION)
    if cancellation:
        return Due.END, facts.boundary(cancellation.effective_ordinal)
    attempt = attempt_day(facts)
    if attempt is not None:
        return Due.CHARGE, attempt
    return Due.END, (facts.refused_on or today) + timedelta(days=LAPSE_DAYS)


def attempt_day(facts: Facts) -> date | None:
    """The day of the next automatic attempt, None after the last. After a sweep that was late, one a day."""
    if facts.refused >= len(ATTEMPT_DAYS):
        return None
    scheduled = facts.boundary(facts.last_paid + 1) + timedelta(days=ATTEMPT_DAYS[facts.refused])
    return max(scheduled, facts.refused_on + timedelta(days=1)) if facts.refused_on else scheduled


def notices(facts: Facts) -> list[tuple[date, int]]:
    """The days on which the owner is told of the next renewal, and how many days ahead each is."""
    if next_charge(facts) is None:
        return []
    following = facts.boundary(facts.last_paid + 1)
    return [(following - timedelta(days=ahead), ahead) for ahead in NOTICE_DAYS[facts.months]]


def next_charge(facts: Facts) -> date | None:
    """The day from which the default card is charged by itself; None where it never is."""
    ends = facts.ended_on is not None or facts.change(ChangeKind.CANCELLATION)
    if not facts.self_service or ends or facts.held:
        return None
    return facts.boundary(facts.last_paid + 1)
