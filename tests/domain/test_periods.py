"""Periods tile, and each boundary is the anchor's day or the last of a shorter month (invariants 1 and 2)."""

import calendar
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from webapp.domain.periods import boundary, ordinal_on, period

dates = st.dates(date(1990, 1, 1), date(2090, 12, 31))
terms = st.sampled_from([1, 12])


def by_walking(anchor: date, months: int, n: int) -> date:
    """The boundary, found by counting months one at a time."""
    year, month = anchor.year, anchor.month
    for _ in range(months * n):
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    day = anchor.day
    while day > calendar.monthrange(year, month)[1]:
        day -= 1
    return date(year, month, day)


@given(dates, terms, st.integers(0, 400))
def test_a_boundary_is_the_anchors_day_or_the_months_last(anchor: date, months: int, n: int) -> None:
    assert boundary(anchor, months, n) == by_walking(anchor, months, n)


@given(dates, terms, st.integers(0, 400))
def test_periods_tile(anchor: date, months: int, n: int) -> None:
    current, following = period(anchor, months, n), period(anchor, months, n + 1)
    assert current.start < current.end == following.start
    assert current.days == (current.end - current.start).days >= 28


@given(dates, terms, st.integers(0, 40_000))
def test_each_day_lies_in_exactly_one_period(anchor: date, months: int, days: int) -> None:
    day = anchor + timedelta(days=days)
    n = ordinal_on(anchor, months, day)
    assert period(anchor, months, n).start <= day < period(anchor, months, n).end


@pytest.mark.parametrize(
    ("anchor", "months", "n", "expected"),
    [
        (date(2026, 1, 31), 1, 1, date(2026, 2, 28)),
        (date(2026, 1, 31), 1, 2, date(2026, 3, 31)),
        (date(2028, 2, 29), 12, 1, date(2029, 2, 28)),
        (date(2028, 2, 29), 12, 4, date(2032, 2, 29)),
        (date(2026, 12, 15), 1, 1, date(2027, 1, 15)),
        (date(2027, 3, 31), 1, -1, date(2027, 2, 28)),
    ],
)
def test_known_boundaries(anchor: date, months: int, n: int, expected: date) -> None:
    assert boundary(anchor, months, n) == expected


def test_the_day_before_the_anchor_is_before_the_first_period() -> None:
    assert ordinal_on(date(2026, 1, 31), 1, date(2026, 1, 30)) == -1


def by_day(anchor: date, months: int, first: date, last: date) -> list[date]:
    """The boundaries from `first` to `last`, found by walking the calendar day by day."""
    boundaries, day = [], first
    while day <= last:
        tomorrow = day + timedelta(days=1)
        last_of_shorter_month = tomorrow.day == 1 and day.day < anchor.day
        if (day.month - anchor.month) % months == 0 and (day.day == anchor.day or last_of_shorter_month):
            boundaries.append(day)
        day = tomorrow
    return boundaries


MONTH_ENDS = [date(2027, 1, day) for day in (28, 29, 30, 31)] + [date(2028, 2, 29), date(2027, 4, 30)]
FIRST, LAST = date(1977, 1, 1), date(2077, 12, 31)


@pytest.mark.parametrize("months", [1, 12])
@pytest.mark.parametrize("anchor", MONTH_ENDS, ids=str)
def test_a_hundred_years_of_periods_day_by_day(anchor: date, months: int) -> None:
    starts = by_day(anchor, months, FIRST, LAST)
    assert len(starts) >= 100 * 12 / months
    before = starts.index(anchor)
    for index, (start, end) in enumerate(pairwise(starts)):
        n = index - before
        assert period(anchor, months, n) == (n, start, end)
        assert {ordinal_on(anchor, months, start + timedelta(days=day)) for day in range((end - start).days)} == {n}


def last_of_month(day: date) -> date:
    while (day + timedelta(days=1)).day != 1:
        day += timedelta(days=1)
    return day


@given(dates, terms, st.integers(-160, 160))
def test_before_and_after_the_anchor_a_period_begins_on_its_day_or_the_months_last(
    anchor: date, months: int, n: int
) -> None:
    start = boundary(anchor, months, n)
    assert start.day == min(anchor.day, last_of_month(start).day)
    assert (start.year - anchor.year) * 12 + start.month - anchor.month == months * n
    assert (ordinal_on(anchor, months, start), ordinal_on(anchor, months, start - timedelta(days=1))) == (n, n - 1)


@given(st.dates(), st.dates(), terms)
def test_a_day_however_far_from_the_anchor_lies_in_the_period_that_is_found_for_it(
    anchor: date, day: date, months: int
) -> None:
    assume(min(anchor.year, day.year) > 1 and max(anchor.year, day.year) < 9998)
    covering = period(anchor, months, ordinal_on(anchor, months, day))
    assert covering.start <= day < covering.end


@pytest.mark.parametrize("n", [-24_313, 95_676, 10**9, -(10**9)])
def test_a_boundary_outside_the_calendar_is_an_error_and_no_other_date(n: int) -> None:
    with pytest.raises(ValueError, match="year"):
        boundary(date(2027, 1, 31), 1, n)


def test_the_calendar_serves_from_its_first_month_to_its_last() -> None:
    assert boundary(date(2027, 1, 31), 1, -24_312) == date(1, 1, 31)
    assert boundary(date(2027, 1, 31), 1, 95_675) == date(9999, 12, 31)


@pytest.mark.parametrize("months", [1, 12])
def test_a_whole_month_or_year_is_never_longer_nor_shorter_than_the_calendars(months: int) -> None:
    lengths = {period(anchor, months, n).days for anchor in MONTH_ENDS for n in range(-400, 400)}
    assert lengths == ({28, 29, 30, 31} if months == 1 else {365, 366})
