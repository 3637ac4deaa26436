"""Periods tile, and each boundary is the anchor's day or the last of a shorter month (invariants 1 and 2)."""

import calendar
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.periods import boundary, ordinal_on, period

dates = st.dates(date(1990, 1, 1), date(2090, 12, 31))
terms = st.sampled_from([1, 12])


def by_walking(anchor: date, months: int, n: int) -> date:
    """The same boundary, found by counting months one at a time."""
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
    one, following = period(anchor, months, n), period(anchor, months, n + 1)
    assert one.start < one.end == following.start
    assert one.days == (one.end - one.start).days >= 28


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
