"""Graduated prices, against an oracle that counts seats one by one."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.periods import period
from webapp.domain.pricing import (
    Tier,
    breakdown,
    marginal_cost,
    monthly_cost,
    parse_tiers,
    period_lines,
    prorated_line,
)
from webapp.domain.seats import MAX_SEATS

DEMO = parse_tiers([[10, 3000], [25, 2700], [50, 2400], [None, 2100]])


@st.composite
def price_lists(draw: st.DrawFn) -> tuple[Tier, ...]:
    limits = sorted(draw(st.sets(st.integers(1, 300), max_size=5)))
    units = draw(st.lists(st.integers(0, 10_000), min_size=len(limits) + 1, max_size=len(limits) + 1))
    return tuple(Tier(limit, unit) for limit, unit in zip([*limits, None], units, strict=True))


def seat_by_seat(tiers: tuple[Tier, ...], seats: int) -> int:
    return sum(next(t.unit for t in tiers if t.up_to is None or seat <= t.up_to) for seat in range(1, seats + 1))


@given(price_lists(), st.integers(1, 500))
def test_each_seat_costs_its_own_bracket(tiers: tuple[Tier, ...], seats: int) -> None:
    assert monthly_cost(tiers, seats) == seat_by_seat(tiers, seats)


@given(price_lists(), st.integers(1, 500), st.sampled_from([1, 12]))
def test_the_lines_add_up_and_cover_each_seat_once(tiers: tuple[Tier, ...], seats: int, months: int) -> None:
    lines = breakdown(tiers, seats)
    assert [line.first for line in lines] == [1, *(line.last + 1 for line in lines[:-1])]
    assert lines[-1].last == seats == sum(line.seats for line in lines)
    assert all(line.seats == line.last - line.first + 1 >= 1 for line in lines)
    billed = period_lines(tiers, seats, months)
    assert sum(line["amount"] for line in billed) == monthly_cost(tiers, seats) * months
    assert all(line["seats"] * line["unit"] * line["months"] == line["amount"] for line in billed)


@given(price_lists(), st.integers(1, 500))
def test_one_more_seat_costs_the_difference(tiers: tuple[Tier, ...], seats: int) -> None:
    assert marginal_cost(tiers, seats) == monthly_cost(tiers, seats + 1) - monthly_cost(tiers, seats)


@pytest.mark.parametrize(("seats", "cents"), [(9, 3000), (10, 2700), (25, 2400), (50, 2100), (MAX_SEATS - 1, 2100)])
def test_one_more_seat_on_the_demo_list(seats: int, cents: int) -> None:
    assert marginal_cost(DEMO, seats) == cents


def test_there_is_no_seat_after_the_largest_number() -> None:
    assert marginal_cost(DEMO, MAX_SEATS) is None


def test_the_published_example() -> None:
    assert monthly_cost(parse_tiers([[10, 1000], [None, 800]]), 14) == 13_200


@pytest.mark.parametrize(
    ("seats", "cents"), [(1, 3000), (10, 30_000), (11, 32_700), (25, 70_500), (26, 72_900), (51, 132_600)]
)
def test_the_demo_list_at_its_edges(seats: int, cents: int) -> None:
    assert monthly_cost(DEMO, seats) == cents


@pytest.mark.parametrize("seats", [0, -1, 10_001])
def test_seats_out_of_range_have_no_price(seats: int) -> None:
    with pytest.raises(ValueError, match=r"^seats out of range$"):
        breakdown(DEMO, seats)


def test_the_largest_number_of_seats_has_a_price() -> None:
    assert monthly_cost(DEMO, MAX_SEATS) == 130_500 + (MAX_SEATS - 50) * 2_100


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [[10, 1]],
        [[None, 1], [5, 1]],
        [[None, 1], [None, 1]],
        [[5, 1], [None, 1], [None, 1]],
        [[10, 1], [10, 1], [None, 1]],
        [[10, 1], [5, 1], [None, 1]],
        [[0, 1], [None, 1]],
        [[-5, 1], [None, 1]],
    ],
)
def test_a_price_list_that_does_not_rise_to_an_open_end_is_refused(rows: list[list[int | None]]) -> None:
    with pytest.raises(ValueError, match=r"^tiers must rise and only the last is without a limit$"):
        parse_tiers(rows)


@pytest.mark.parametrize("rows", [[[None, -1]], [[10, -1], [None, 1]], [[None, None]], [[10, None], [None, 1]]])
def test_a_price_below_nothing_or_that_nobody_set_is_refused(rows: list[list[int | None]]) -> None:
    with pytest.raises(ValueError, match=r"^a unit price is a number that is not negative$"):
        parse_tiers(rows)


def test_a_first_seat_may_have_a_bracket_of_its_own_and_seats_may_be_free() -> None:
    tiers = parse_tiers([[1, 0], [2, 1], [None, 0]])
    assert tiers == (Tier(1, 0), Tier(2, 1), Tier(None, 0))
    assert [monthly_cost(tiers, seats) for seats in (1, 2, 3)] == [0, 1, 1]


def test_a_line_of_a_whole_period_says_what_was_multiplied() -> None:
    assert period_lines(DEMO, 12, 12) == [
        {
            "kind": "tier",
            "seats": 10,
            "months": 12,
            "amount": 360_000,
            "first": 1,
            "last": 10,
            "unit": 3000,
            "monthly": 30_000,
            "days_left": 0,
            "days": 0,
        },
        {
            "kind": "tier",
            "seats": 2,
            "months": 12,
            "amount": 64_800,
            "first": 11,
            "last": 12,
            "unit": 2700,
            "monthly": 5_400,
            "days_left": 0,
            "days": 0,
        },
    ]


def test_a_line_of_a_part_of_a_period_says_what_was_multiplied() -> None:
    year = period(date(2027, 1, 15), 12, 0)
    assert prorated_line(5_400, 2, 12, year, 100) == {
        "kind": "proration",
        "seats": 2,
        "months": 12,
        "amount": 17_753,  # 5 400 x 12 x 100 / 365 = 17 753.4
        "first": 0,
        "last": 0,
        "unit": 0,
        "monthly": 5_400,
        "days_left": 100,
        "days": 365,
    }


@given(st.integers(0, 10**6), st.integers(0, 31))
def test_proration_is_rounded_once(monthly: int, days_left: int) -> None:
    january = period(date(2027, 1, 1), 1, 0)
    line = prorated_line(monthly, 3, 1, january, days_left)
    assert abs(Fraction(monthly * days_left, 31) - line["amount"]) <= Fraction(1, 2)


@given(st.integers(0, 10**6), st.sampled_from([1, 12]), st.integers(0, 40))
def test_the_days_left_of_a_whole_period_cost_the_period_and_none_cost_nothing(
    monthly: int, months: int, n: int
) -> None:
    whole = period(date(2026, 8, 31), months, n)
    assert prorated_line(monthly, 3, months, whole, whole.days)["amount"] == monthly * months
    assert prorated_line(monthly, 3, months, whole, 0)["amount"] == 0


def test_a_day_that_is_gone_is_not_billed_backwards() -> None:
    with pytest.raises(ValueError, match="not negative"):
        prorated_line(5_400, 2, 1, period(date(2027, 1, 15), 1, 0), -1)
