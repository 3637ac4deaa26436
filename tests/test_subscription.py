"""Status is derived from facts, and renewal is guarded state by state."""

from dataclasses import replace
from datetime import date

import pytest

from webapp.domain.subscription import (
    AlreadyRenewed,
    BelowActiveUsers,
    CancellationOpen,
    Change,
    ChangeKind,
    Facts,
    PaymentPending,
    Plan,
    PlanForbids,
    Refusal,
    ResellerManages,
    Status,
    SubscriptionEnded,
    allows,
    check_floor,
    next_seats,
    projected_seats,
    renewal_target,
    status,
)

ANCHOR = date(2027, 1, 15)
TODAY = date(2027, 1, 20)
FACTS = Facts(plan=Plan.BUSINESS, anchor=ANCHOR, months=1, seats={0: 12}, active_users=5)
REDUCTION = Change(ChangeKind.REDUCTION, 8, 1)
CANCELLATION = Change(ChangeKind.CANCELLATION, None, 1)
AFTER = date(2027, 2, 15)


@pytest.mark.parametrize(
    ("facts", "today", "expected"),
    [
        (FACTS, TODAY, Status.ACTIVE),
        (replace(FACTS, changes=(REDUCTION,)), TODAY, Status.ACTIVE),
        (replace(FACTS, changes=(CANCELLATION,)), TODAY, Status.ENDING),
        (replace(FACTS, changes=(CANCELLATION,)), AFTER, Status.ENDED),
        (FACTS, date(2027, 2, 14), Status.ACTIVE),
        (FACTS, AFTER, Status.PAST_DUE),
        (FACTS, date(2029, 1, 1), Status.PAST_DUE),
        (replace(FACTS, refused=4), AFTER, Status.PAST_DUE),
        (replace(FACTS, refused=5), AFTER, Status.LAPSED),
        (replace(FACTS, ended_on=TODAY), TODAY, Status.ENDED),
    ],
)
def test_status_follows_from_the_facts(facts: Facts, today: date, expected: Status) -> None:
    assert status(facts, today) is expected


def test_renewal_pays_the_next_period() -> None:
    target = renewal_target(FACTS, TODAY)
    assert (target.period.ordinal, target.period.start, target.days_left) == (1, AFTER, None)


def test_past_due_pays_the_owed_period_in_full() -> None:
    target = renewal_target(FACTS, date(2027, 4, 1))
    assert (target.period.ordinal, target.days_left) == (1, None)


def test_lapsed_pays_what_is_left_of_the_period_that_contains_today() -> None:
    target = renewal_target(replace(FACTS, refused=5), date(2027, 4, 1))
    assert (target.period.ordinal, target.days_left) == (2, 14)


@pytest.mark.parametrize(
    ("facts", "refusal"),
    [
        (replace(FACTS, plan=Plan.ENTERPRISE), PlanForbids),
        (replace(FACTS, reseller="Acme"), ResellerManages),
        (replace(FACTS, ended_on=TODAY), SubscriptionEnded),
        (replace(FACTS, payment_pending=True), PaymentPending),
        (replace(FACTS, changes=(CANCELLATION,)), CancellationOpen),
        (replace(FACTS, seats={0: 12, 1: 14}), AlreadyRenewed),
    ],
)
def test_renewal_is_refused(facts: Facts, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        renewal_target(facts, TODAY)
    assert not allows(renewal_target, facts, TODAY)


def test_a_pending_reduction_does_not_stop_a_renewal() -> None:
    assert allows(renewal_target, replace(FACTS, changes=(REDUCTION,)), TODAY)


def test_the_floor_is_the_number_of_active_users() -> None:
    check_floor(FACTS, 5)
    with pytest.raises(BelowActiveUsers):
        check_floor(FACTS, 4)


def test_projected_seats_are_the_last_number_confirmed() -> None:
    assert projected_seats(FACTS) == 12
    assert projected_seats(replace(FACTS, changes=(REDUCTION,))) == 8
    assert projected_seats(replace(FACTS, seats={0: 12, 1: 14})) == 14


def test_next_seats() -> None:
    assert next_seats(replace(FACTS, changes=(REDUCTION,)), TODAY) == 8
    assert next_seats(replace(FACTS, changes=(REDUCTION, CANCELLATION)), TODAY) is None
    assert next_seats(replace(FACTS, seats={0: 12, 1: 14}), TODAY) == 14
    assert next_seats(replace(FACTS, ended_on=TODAY), TODAY) is None
