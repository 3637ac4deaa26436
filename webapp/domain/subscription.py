"""What a subscription is and what may be done to it: status is derived from paid periods and changes, never stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar, NamedTuple

from .periods import Period, boundary, ordinal_on, period

REFUSALS_BEFORE_LAPSE = 5  # the first attempt and four retries: +1, +3, +5 and +7 days


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
    `refused` counts the automatic attempts refused for the first unpaid period.
    """

    plan: Plan
    anchor: date
    months: int
    seats: Mapping[int, int]
    reseller: str | None = None
    changes: tuple[Change, ...] = ()
    ended_on: date | None = None
    refused: int = 0
    payment_pending: bool = False
    active_users: int = 0
    active_users_as_of: datetime | None = None

    def change(self, kind: ChangeKind) -> Change | None:
        return next((change for change in self.changes if change.kind == kind), None)

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


class Refusal(Exception):
    """A rule says no. `status` is the HTTP status; the sentence and the way on stand in `webapp/sentences.py`."""

    status: ClassVar[int] = 409


class PlanForbids(Refusal):
    """Only directly bought Business subscriptions are self-service; the account manager does the rest."""

    status = 403


class ResellerManages(Refusal):
    """Bought through a third party, who makes every change."""

    status = 403

    def __init__(self, reseller: str) -> None:
        self.reseller = reseller


class SubscriptionEnded(Refusal):
    pass


class CancellationOpen(Refusal):
    """The owner asked for the end; that request must be undone first."""

    def __init__(self, ends_on: date) -> None:
        self.ends_on = ends_on


class AlreadyRenewed(Refusal):
    """At most one period is paid ahead; `until` is exclusive."""

    def __init__(self, until: date) -> None:
        self.until = until


class PaymentPending(Refusal):
    """A payment's outcome is not known yet: until it is, nothing else may happen."""


class BelowActiveUsers(Refusal):
    """Fewer seats than people who use the tenant (help page: renew step 3, reduce step 4)."""

    status = 422

    def __init__(self, active: int, as_of: datetime | None) -> None:
        self.active, self.as_of = active, as_of


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
    return Status.LAPSED if facts.refused >= REFUSALS_BEFORE_LAPSE else Status.PAST_DUE


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


def check_self_service(facts: Facts) -> None:
    if facts.reseller is not None:
        raise ResellerManages(facts.reseller)
    if facts.plan is not Plan.BUSINESS:
        raise PlanForbids


def renewal_target(facts: Facts, today: date) -> RenewalTarget:
    """The period that Renew pays today, or the refusal that says why none.

    Past due pays the owed period in full; lapsed pays what is left of the period that contains today.
    """
    check_self_service(facts)
    now = status(facts, today)
    if now is Status.ENDED:
        raise SubscriptionEnded
    if facts.payment_pending:
        raise PaymentPending
    cancellation = facts.change(ChangeKind.CANCELLATION)
    if cancellation:
        raise CancellationOpen(facts.boundary(cancellation.effective_ordinal))
    if now is Status.LAPSED:
        target = facts.period(facts.ordinal_on(today))
        return RenewalTarget(target, (target.end - today).days)
    if facts.last_paid > facts.ordinal_on(today):
        raise AlreadyRenewed(facts.boundary(facts.last_paid + 1))
    return RenewalTarget(facts.period(facts.last_paid + 1))


def check_floor(facts: Facts, seats: int) -> None:
    if seats < facts.active_users:
        raise BelowActiveUsers(facts.active_users, facts.active_users_as_of)


def may_renew(facts: Facts, today: date) -> bool:
    try:
        renewal_target(facts, today)
    except Refusal:
        return False
    return True
