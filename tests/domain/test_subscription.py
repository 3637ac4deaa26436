"""Status is derived from facts, and renewal is guarded state by state."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from webapp.domain.refusals import (
    AlreadyRenewed,
    BelowActiveUsers,
    CancellationOpen,
    ChangeClosed,
    NotFewerSeats,
    NotMoreSeats,
    PaymentPending,
    PlanForbids,
    ReductionOpen,
    Refusal,
    RenewalDue,
    ResellerManages,
    SubscriptionEnded,
)
from webapp.domain.subscription import (
    Change,
    ChangeKind,
    Due,
    Facts,
    Plan,
    Status,
    allows,
    check_addition,
    check_cancellation,
    check_fewer,
    check_floor,
    check_reduction,
    due,
    next_seats,
    notice_days,
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


def at(change: Change, ordinal: int) -> Change:
    return change._replace(effective_ordinal=ordinal)


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


def test_next_seats_follow_the_period_that_is_current_today() -> None:
    ahead = replace(FACTS, seats={0: 12, 1: 14, 2: 16})
    assert [next_seats(ahead, day) for day in (TODAY, AFTER)] == [14, 16]
    assert next_seats(replace(FACTS, seats={0: 12, 1: 14}, changes=(at(REDUCTION, 2),)), AFTER) == 8
    assert next_seats(FACTS, AFTER) == 12  # past due: the last paid period stays the current one


def test_the_current_period_is_the_paid_one_that_covers_today_or_the_last_paid() -> None:
    ahead = replace(FACTS, seats={0: 12, 1: 14})
    assert [ahead.current(day).ordinal for day in (TODAY, date(2027, 2, 14), AFTER, date(2027, 3, 15))] == [0, 0, 1, 1]
    assert FACTS.current(TODAY) == (0, ANCHOR, AFTER)
    assert FACTS.current(date(2029, 1, 1)).ordinal == 0
    assert replace(FACTS, seats={0: 12, 1: 14, 4: 10}).current(date(2027, 4, 20)).ordinal == 4  # two were skipped


# Who may do what: one row a state, one column each for renewing, adding, reducing and cancelling.
COMMANDS = (renewal_target, check_addition, check_reduction, check_cancellation)
PAST_DUE, LAPSED = replace(FACTS, refused=4), replace(FACTS, refused=5, refused_on=date(2027, 2, 22))
RULES: dict[str, tuple[Facts, date, tuple[type[Refusal] | None, ...]]] = {
    "active": (FACTS, TODAY, (None, None, None, None)),
    "paid ahead": (replace(FACTS, seats={0: 12, 1: 12}), TODAY, (AlreadyRenewed, None, None, None)),
    "reduced": (replace(FACTS, changes=(REDUCTION,)), TODAY, (None, ReductionOpen, None, None)),
    "ending": (replace(FACTS, changes=(CANCELLATION,)), TODAY, (CancellationOpen,) * 4),
    "ending, reduced": (replace(FACTS, changes=(REDUCTION, CANCELLATION)), TODAY, (CancellationOpen,) * 4),
    "over": (replace(FACTS, changes=(CANCELLATION,)), AFTER, (SubscriptionEnded,) * 4),
    "ended": (replace(FACTS, ended_on=TODAY), TODAY, (SubscriptionEnded,) * 4),
    "ended while paying": (replace(FACTS, ended_on=TODAY, payment_pending=True), TODAY, (SubscriptionEnded,) * 4),
    "paying": (replace(FACTS, payment_pending=True), TODAY, (PaymentPending,) * 4),
    "challenged": (
        replace(PAST_DUE, payment_pending=True, challenge_open=True),
        AFTER,
        (None, PaymentPending, PaymentPending, None),
    ),
    "paying while ending": (
        replace(FACTS, payment_pending=True, changes=(CANCELLATION,)),
        TODAY,
        (PaymentPending,) * 4,
    ),
    "past due": (PAST_DUE, AFTER, (None, RenewalDue, RenewalDue, None)),
    "past due, reduced": (
        replace(PAST_DUE, changes=(REDUCTION,)),
        AFTER,
        (None, RenewalDue, RenewalDue, None),
    ),
    "lapsed": (LAPSED, date(2027, 4, 1), (None, RenewalDue, RenewalDue, RenewalDue)),
    "one user": (replace(FACTS, seats={0: 1}), TODAY, (None, None, NotFewerSeats, None)),
    "two users": (replace(FACTS, seats={0: 2}), TODAY, (None, None, None, None)),
    "enterprise": (replace(FACTS, plan=Plan.ENTERPRISE), TODAY, (PlanForbids,) * 4),
    "third party": (replace(FACTS, reseller="Acme", ended_on=TODAY), TODAY, (ResellerManages,) * 4),
    "third party enterprise": (
        replace(FACTS, reseller="Acme", plan=Plan.ENTERPRISE),
        TODAY,
        (ResellerManages,) * 4,
    ),
}


def refusal(check: Callable[..., object], *given: object) -> Refusal | None:
    try:
        check(*given)
    except Refusal as no:
        return no
    return None


@pytest.mark.parametrize("state", RULES)
def test_each_command_in_each_state(state: str) -> None:
    facts, today, expected = RULES[state]
    refusals = [refusal(check, facts, today) for check in COMMANDS]
    assert tuple(no and type(no) for no in refusals) == expected
    assert [allows(check, facts, today) for check in COMMANDS] == [no is None for no in expected]


@pytest.mark.parametrize(
    ("check", "facts", "carried"),
    [
        (renewal_target, replace(FACTS, reseller="Acme"), {"reseller": "Acme"}),
        (renewal_target, replace(FACTS, changes=(at(CANCELLATION, 2),)), {"ends_on": date(2027, 3, 15)}),
        (renewal_target, replace(FACTS, seats={0: 12, 1: 14}), {"until": date(2027, 3, 15)}),
        (check_addition, replace(FACTS, changes=(at(REDUCTION, 2),)), {"seats": 8, "effective_on": date(2027, 3, 15)}),
        (check_reduction, replace(FACTS, seats={0: 1}), {"seats": 1}),
    ],
)
def test_a_refusal_carries_what_its_sentence_says(
    check: Callable[..., object], facts: Facts, carried: dict[str, object]
) -> None:
    assert vars(refusal(check, facts, TODAY)) == carried


def test_refusals_that_other_modules_raise_carry_what_their_sentences_say() -> None:
    assert NotMoreSeats(12).seats == 12
    assert [ChangeClosed(closed_as).closed_as for closed_as in ("applied", None)] == ["applied", None]


def test_an_asked_number_is_unprocessable_a_plan_is_forbidden_and_all_else_is_a_conflict() -> None:
    assert {no.status for no in (BelowActiveUsers, NotFewerSeats, NotMoreSeats)} == {422}
    assert {no.status for no in (PlanForbids, ResellerManages)} == {403}
    conflicts = (
        Refusal,
        SubscriptionEnded,
        CancellationOpen,
        ReductionOpen,
        RenewalDue,
        ChangeClosed,
        AlreadyRenewed,
        PaymentPending,
    )
    assert {no.status for no in conflicts} == {409}


def test_cancelling_tells_whether_it_ends_at_once() -> None:
    assert check_cancellation(FACTS, TODAY) is Status.ACTIVE
    assert check_cancellation(PAST_DUE, AFTER) is Status.PAST_DUE


def test_fewer_is_fewer_than_the_last_paid_period_and_no_fewer_than_active_users() -> None:
    facts = replace(FACTS, seats={0: 20, 1: 12}, active_users_as_of=datetime(2027, 1, 20, tzinfo=UTC))
    check_fewer(facts, 11)
    check_fewer(facts, 5)
    for seats in (12, 13, 19):
        no = refusal(check_fewer, facts, seats)
        assert isinstance(no, NotFewerSeats)
        assert no.seats == 12
    full = replace(facts, active_users=12)
    for seats in (11, 12, 13):
        assert isinstance(refusal(check_fewer, full, seats), BelowActiveUsers), "no lower number would do"
    below = refusal(check_fewer, facts, 4)
    assert isinstance(below, BelowActiveUsers)
    assert vars(below) == {"active": 5, "as_of": facts.active_users_as_of}


def test_a_request_is_found_by_its_kind() -> None:
    facts = replace(FACTS, changes=(CANCELLATION, REDUCTION))
    assert facts.change(ChangeKind.REDUCTION) is REDUCTION
    assert facts.change(ChangeKind.CANCELLATION) is CANCELLATION
    assert FACTS.change(ChangeKind.REDUCTION) is None


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (FACTS, (Due.CHARGE, AFTER)),
        (replace(FACTS, seats={0: 12, 1: 12}), (Due.CHARGE, date(2027, 3, 15))),
        (replace(FACTS, changes=(REDUCTION,)), (Due.CHARGE, AFTER)),
        (replace(FACTS, refused=1), (Due.CHARGE, date(2027, 2, 16))),
        (replace(FACTS, refused=2), (Due.CHARGE, date(2027, 2, 18))),
        (replace(FACTS, refused=3), (Due.CHARGE, date(2027, 2, 20))),
        (replace(FACTS, refused=4), (Due.CHARGE, date(2027, 2, 22))),
        (LAPSED, (Due.END, date(2027, 3, 24))),
        (replace(FACTS, changes=(CANCELLATION,)), (Due.END, AFTER)),
        (replace(FACTS, changes=(at(CANCELLATION, 2),)), (Due.END, date(2027, 3, 15))),
        (replace(LAPSED, changes=(CANCELLATION,)), (Due.END, AFTER)),
        (replace(FACTS, plan=Plan.ENTERPRISE, months=12), (Due.EXTERNAL, date(2028, 1, 15))),
        (replace(FACTS, reseller="Acme", seats={0: 12, 1: 12}), (Due.EXTERNAL, date(2027, 3, 15))),
        (replace(FACTS, ended_on=TODAY), None),
        (replace(FACTS, plan=Plan.ENTERPRISE, ended_on=TODAY), None),
    ],
)
def test_what_time_makes_due_and_when(facts: Facts, expected: tuple[Due, date] | None) -> None:
    assert due(facts, TODAY) == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (FACTS, [(date(2027, 2, 8), 7)]),
        (replace(FACTS, seats={0: 12, 1: 12}), [(date(2027, 3, 8), 7)]),
        (replace(FACTS, changes=(REDUCTION,)), [(date(2027, 2, 8), 7)]),
        (replace(FACTS, months=12), [(date(2027, 12, 16), 30), (date(2028, 1, 8), 7)]),
        (replace(FACTS, changes=(CANCELLATION,)), []),
        (replace(FACTS, ended_on=TODAY), []),
        (replace(FACTS, plan=Plan.ENTERPRISE), []),
        (replace(FACTS, reseller="Acme"), []),
    ],
)
def test_notice_is_given_seven_days_ahead_and_thirty_for_a_year(facts: Facts, expected: list[tuple[date, int]]) -> None:
    assert notice_days(facts) == expected
