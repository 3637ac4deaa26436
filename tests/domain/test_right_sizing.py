"""Fewer seats are suggested only where every count of the window speaks for them, and the reduction is accepted."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.test_pricing import DEMO, price_lists
from webapp.domain.pricing import Tier, monthly_cost, parse_tiers
from webapp.domain.right_sizing import COUNTED_DAYS, WINDOW_DAYS, Suggestion, suggestion
from webapp.domain.subscription import Change, ChangeKind, Facts, Plan, allows, check_fewer, check_reduction

TODAY = date(2027, 1, 15)
ANCHOR = date(2026, 8, 15)
FACTS = Facts(Plan.BUSINESS, ANCHOR, 1, dict.fromkeys(range(6), 12), active_users=5)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def counts(*active: int) -> dict[date, int]:
    """Those of the days before today, yesterday's first."""
    return {ago(days): count for days, count in enumerate(active, 1)}


STEADY = counts(*[5, 7, 6] * 30)


def test_the_highest_count_is_what_is_needed() -> None:
    saved = monthly_cost(DEMO, 12) - monthly_cost(DEMO, 7)
    assert suggestion(FACTS, DEMO, STEADY, TODAY) == Suggestion(7, 12, 7, date(2027, 2, 15), saved)
    assert saved == 14_400


@pytest.mark.parametrize("counted", [0, 1, COUNTED_DAYS - 1, COUNTED_DAYS, WINDOW_DAYS])
def test_enough_days_must_be_counted(counted: int) -> None:
    given_counts = counts(*[7] * counted) | {ago(WINDOW_DAYS + n): 7 for n in range(1, 99)}
    assert bool(suggestion(FACTS, DEMO, given_counts, TODAY)) == (counted >= COUNTED_DAYS)


@pytest.mark.parametrize(("days", "suggested"), [(1, False), (WINDOW_DAYS, False), (WINDOW_DAYS + 1, True)])
def test_one_day_on_which_all_seats_were_used_is_enough_to_keep_them(days: int, suggested: bool) -> None:
    assert bool(suggestion(FACTS, DEMO, STEADY | {ago(days): 12}, TODAY)) is suggested


def test_today_counts_too_as_it_is_known() -> None:
    assert suggestion(FACTS, DEMO, STEADY | {TODAY: 9}, TODAY) == suggestion(
        replace(FACTS, active_users=9), DEMO, STEADY, TODAY
    )
    assert suggestion(FACTS, DEMO, STEADY | {TODAY: 12}, TODAY) is None


def test_seats_that_were_bought_lately_are_not_advised_against() -> None:
    grown = replace(FACTS, seats={**dict.fromkeys(range(5), 7), 5: 12})
    assert suggestion(grown, DEMO, STEADY, TODAY) is None
    later = TODAY + timedelta(days=WINDOW_DAYS)
    seats = dict.fromkeys(range(5), 7) | dict.fromkeys(range(5, 9), 12)
    later_counts = {later - timedelta(days=days): 7 for days in range(1, WINDOW_DAYS + 1)}
    found = suggestion(replace(FACTS, seats=seats), DEMO, later_counts, later)
    assert found
    assert found.seats == 7


def test_a_subscription_that_is_younger_than_the_window_gets_none() -> None:
    young = replace(FACTS, anchor=ago(WINDOW_DAYS - 1), seats=dict.fromkeys(range(3), 12))
    assert suggestion(young, DEMO, STEADY, TODAY) is None
    assert suggestion(replace(young, anchor=ago(WINDOW_DAYS)), DEMO, STEADY, TODAY)


def test_where_nobody_is_active_one_seat_is_left() -> None:
    found = suggestion(replace(FACTS, active_users=0), DEMO, counts(*[0] * 90), TODAY)
    assert found
    assert (found.highest, found.seats) == (0, 1)


@pytest.mark.parametrize(
    "facts",
    [
        replace(FACTS, plan=Plan.ENTERPRISE),
        replace(FACTS, reseller="Nordlys Data"),
        replace(FACTS, changes=(Change(ChangeKind.REDUCTION, 8, 6),)),
        replace(FACTS, changes=(Change(ChangeKind.CANCELLATION, None, 6),)),
        replace(FACTS, ended_on=TODAY),
        replace(FACTS, seats=dict.fromkeys(range(5), 12)),  # past due
        replace(FACTS, seats=dict.fromkeys(range(5), 12), refused=5, refused_on=TODAY),  # lapsed
        replace(FACTS, held=True),
        replace(FACTS, payment_pending=True),
        replace(FACTS, seats=dict.fromkeys(range(6), 7)),  # at that number already
        replace(FACTS, seats=dict.fromkeys(range(6), 1)),
    ],
)
def test_not_where_it_could_not_be_done_or_saves_nothing(facts: Facts) -> None:
    assert suggestion(facts, DEMO, STEADY, TODAY) is None


def test_not_where_the_price_is_the_same() -> None:
    assert suggestion(FACTS, parse_tiers([[7, 3000], [None, 0]]), STEADY, TODAY) is None


@given(
    price_lists(),
    st.lists(st.integers(1, 40), min_size=6, max_size=6),
    st.lists(st.none() | st.integers(0, 40), min_size=100, max_size=100),
    st.integers(0, 40),
)
def test_what_is_suggested_would_have_been_enough_is_accepted_and_saves(
    tiers: tuple[Tier, ...], seats: list[int], active: list[int | None], now: int
) -> None:
    facts = replace(FACTS, seats=dict(enumerate(seats)), active_users=now)
    by_day = {ago(days): count for days, count in enumerate(active, 1) if count is not None}
    found = suggestion(facts, tiers, by_day, TODAY)
    window = [by_day[ago(days)] for days in range(1, WINDOW_DAYS + 1) if ago(days) in by_day]
    if found is None:
        enough = all(count < min(seats) for count in window) and len(window) >= COUNTED_DAYS and now < seats[-1]
        needed = max([now, 1, *window])
        saves = monthly_cost(tiers, seats[-1]) > monthly_cost(tiers, needed)
        assert not (enough and saves and allows(check_reduction, facts, TODAY))
        return
    check_reduction(facts, TODAY)
    check_fewer(facts, found.seats)
    assert found.seats >= max([now, *window])
    assert found.seats == max(found.highest, 1)
    assert found.saved == monthly_cost(tiers, seats[-1]) - monthly_cost(tiers, found.seats) > 0
    assert found.effective_on == facts.paid_until
