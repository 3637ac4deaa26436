"""The rules of a subscription. Its status is derived from paid periods and requested changes, never stored."""

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

ATTEMPT_DAYS = (0, 1, 3, 5, 7)  # days after the boundary: the first automatic attempt and its retries
CHALLENGE_DAYS = 2  # today and the next day: how long an automatic payment waits for the owner's confirmation
LAPSE_DAYS = 30  # after the last refused attempt: how long a lapsed subscription can still be renewed
NOTICE_DAYS = {1: (7,), 12: (30, 7)}  # months of the term -> days before a renewal
ACTIVE_USERS_LAG = timedelta(minutes=2)  # until a removed user is no longer counted (help page: renew, reduce)


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

    `seats` maps the ordinal of each paid (or external) period to its seats. It has at least one entry.
    `changes` holds the open changes only.
    `refused` counts the declined automatic attempts for the first unpaid period; `refused_on` is the day of the last.
    `ended_on` is the first day without the subscription.
    `held`: a capture could not be booked. Until an operator releases it, nothing is changed or charged.
    `challenge_open`: the pending payment is automatic, and the bank waits for the owner's confirmation.
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
    challenge_open: bool = False
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
        """The ordinal of the last paid period."""
        return max(self.seats)

    @property
    def last_paid_seats(self) -> int:
        return self.seats[self.last_paid]

    @property
    def next_unpaid(self) -> int:
        """The ordinal of the first period after the last paid one."""
        return self.last_paid + 1

    @property
    def paid_until(self) -> date:
        """The first day of the next unpaid period: what is paid ends before it."""
        return self.boundary(self.next_unpaid)

    def ordinal_on(self, today: date) -> int:
        return ordinal_on(self.anchor, self.months, today)

    def current(self, today: date) -> Period:
        """The paid period that covers today, else the last paid one: its seats stay usable while past due."""
        ordinal = self.ordinal_on(today)
        return self.period(ordinal if ordinal in self.seats else self.last_paid)


@dataclass(frozen=True)
class RenewalTarget:
    """The period that a renewal pays. `days_left` is set if only the rest of the period is charged."""

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
    """The seats of the next unpaid period: the last number that the owner confirmed."""
    reduction = facts.change(ChangeKind.REDUCTION)
    return facts.last_paid_seats if reduction is None or reduction.seats is None else reduction.seats


def next_seats(facts: Facts, today: date) -> int | None:
    """The seats of the period after the current one. None if there will be no such period."""
    if facts.ended_on is not None:
        return None
    following = facts.current(today).ordinal + 1
    if following in facts.seats:
        return facts.seats[following]
    return None if facts.change(ChangeKind.CANCELLATION) else projected_seats(facts)


def check_plan(plan: Plan, reseller: str | None) -> None:
    """Raises ResellerManages or PlanForbids, unless it is a directly bought Business subscription."""
    if reseller is not None:
        raise ResellerManages(reseller)
    if plan is not Plan.BUSINESS:
        raise PlanForbids


def check_self_service(facts: Facts) -> None:
    check_plan(facts.plan, facts.reseller)


def _check_live(facts: Facts, today: date, *, ends_challenge: bool = False) -> Status:
    """What every command requires: self-service, not ended, not held, no payment pending, no cancellation open.

    `ends_challenge`: the command cancels an open challenge at the gateway first, so it need not wait for that payment.
    """
    check_self_service(facts)
    now = status(facts, today)
    if now is Status.ENDED:
        raise SubscriptionEnded
    if facts.held:
        raise SubscriptionHeld
    if facts.payment_pending and not (ends_challenge and facts.challenge_open):
        raise PaymentPending
    cancellation = facts.change(ChangeKind.CANCELLATION)
    if cancellation:
        raise CancellationOpen(facts.boundary(cancellation.effective_ordinal))
    return now


def renewal_target(facts: Facts, today: date) -> RenewalTarget:
    """The period that Renew pays today. Raises a Refusal if there is none.

    A past due subscription pays the owed period in full. A lapsed one pays the rest of the period that contains today.
    """
    now = _check_live(facts, today, ends_challenge=True)
    if now is Status.LAPSED:
        target = facts.period(facts.ordinal_on(today))
        return RenewalTarget(target, (target.end - today).days)
    if facts.last_paid > facts.ordinal_on(today):
        raise AlreadyRenewed(facts.paid_until)
    return RenewalTarget(facts.period(facts.next_unpaid))


def _check_changeable(facts: Facts, today: date) -> None:
    """What adding and reducing require: today is paid, and the subscription goes on."""
    if _check_live(facts, today) in (Status.PAST_DUE, Status.LAPSED):
        raise RenewalDue


def check_addition(facts: Facts, today: date) -> None:
    """Raises a Refusal unless seats can be added today (help page: adjust the number of users)."""
    _check_changeable(facts, today)
    reduction = facts.change(ChangeKind.REDUCTION)
    if reduction:
        raise ReductionOpen(projected_seats(facts), facts.boundary(reduction.effective_ordinal))


def check_reduction(facts: Facts, today: date) -> None:
    """Raises a Refusal unless a reduction can be requested today (help page: reduce).

    It takes effect at the next unpaid period.
    """
    _check_changeable(facts, today)
    if facts.last_paid_seats == 1:
        raise NotFewerSeats(1)


def check_fewer(facts: Facts, seats: int) -> None:
    """Raises NotFewerSeats unless `seats` is below the last paid number, BelowActiveUsers below the active users.

    BelowActiveUsers also if no lower number would do: users must go first.
    """
    if seats >= facts.last_paid_seats > facts.active_users:
        raise NotFewerSeats(facts.last_paid_seats)
    check_floor(facts, min(seats, facts.last_paid_seats - 1))


def check_cancellation(facts: Facts, today: date) -> Status:
    """The status today. Raises a Refusal unless a cancellation can be requested today.

    An active subscription ends when what is paid ends. A past due one ends at once.
    """
    now = _check_live(facts, today, ends_challenge=True)
    if now is Status.LAPSED:
        raise RenewalDue
    return now


def check_floor(facts: Facts, seats: int) -> None:
    """Raises BelowActiveUsers."""
    if seats < facts.active_users:
        raise BelowActiveUsers(facts.active_users, facts.active_users_as_of)


def allows(check: Callable[[Facts, date], object], facts: Facts, today: date) -> bool:
    """Whether a command would be accepted. Pages offer a command by the rule that the command itself checks."""
    try:
        check(facts, today)
    except Refusal:
        return False
    return True


class Due(StrEnum):
    """What becomes due as time passes. The sweep does it."""

    END = "end"  # a cancellation takes effect, or a lapsed subscription was not renewed in time
    EXTERNAL = "external"  # someone else bills the next period
    CHARGE = "charge"  # the next period is charged to the default card


class NextDue(NamedTuple):
    """`day` may be in the past: then the event is overdue."""

    event: Due
    day: date


def due(facts: Facts, today: date) -> NextDue | None:
    """The next event that is or will be due. None after the end, and while the subscription is held."""
    if facts.ended_on is not None or facts.held:
        return None
    if not facts.self_service:
        return NextDue(Due.EXTERNAL, facts.paid_until)
    cancellation = facts.change(ChangeKind.CANCELLATION)
    if cancellation:
        return NextDue(Due.END, facts.boundary(cancellation.effective_ordinal))
    attempt = attempt_day(facts)
    if attempt is not None:
        return NextDue(Due.CHARGE, attempt)
    end = lapse_end(facts)
    return NextDue(Due.END, end) if end else None


def attempt_day(facts: Facts) -> date | None:
    """The day of the next automatic attempt, None after the last. If a sweep was late, at most one attempt a day."""
    if facts.refused >= len(ATTEMPT_DAYS):
        return None
    scheduled = facts.paid_until + timedelta(days=ATTEMPT_DAYS[facts.refused])
    return max(scheduled, facts.refused_on + timedelta(days=1)) if facts.refused_on else scheduled


def challenge_deadline(today: date) -> date:
    """The first day on which an automatic payment of today can no longer be confirmed."""
    return today + timedelta(days=CHALLENGE_DAYS)


def retries(facts: Facts) -> list[date]:
    """The days on which an unpaid renewal is tried again after the boundary, if each attempt before is refused."""
    return [facts.paid_until + timedelta(days=days) for days in ATTEMPT_DAYS[1:]]


def lapse_end(facts: Facts) -> date | None:
    """The day on which a lapsed subscription ends unless it is renewed before. None while an attempt is left."""
    if facts.refused_on is None or attempt_day(facts) is not None:
        return None
    return facts.refused_on + timedelta(days=LAPSE_DAYS)


class NoticeDay(NamedTuple):
    """A day on which the owner gets a notice, `days_ahead` of the renewal."""

    day: date
    days_ahead: int


def notice_days(facts: Facts, ordinal: int | None = None) -> list[NoticeDay]:
    """The days of the notices before the renewal that pays the period `ordinal`; by default, the next renewal.

    Empty if the subscription is never charged automatically.
    """
    if next_charge(facts) is None:
        return []
    renewal = facts.boundary(facts.next_unpaid if ordinal is None else ordinal)
    return [NoticeDay(renewal - timedelta(days=ahead), ahead) for ahead in NOTICE_DAYS[facts.months]]


def next_charge(facts: Facts) -> date | None:
    """The first day of the next automatic charge of the default card. None if there will be none."""
    ends = facts.ended_on is not None or facts.change(ChangeKind.CANCELLATION)
    if not facts.self_service or ends or facts.held:
        return None
    return facts.paid_until


def can_be_charged(facts: Facts, today: date) -> bool:
    """Whether a card may still be charged: a lapsed subscription can be renewed, and a cancellation undone."""
    return facts.self_service and status(facts, today) is not Status.ENDED
