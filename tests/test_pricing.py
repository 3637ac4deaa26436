"""Graduated prices, against an oracle that counts seats one by one."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.money import divide_half_up
from webapp.domain.periods import period
from webapp.domain.pricing import Tier, breakdown, monthly_cost, parse_tiers, period_lines, prorated_line
from webapp.domain.tax import Treatment, amounts, treatment

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
    billed = period_lines(tiers, seats, months)
    assert sum(line["amount"] for line in billed) == monthly_cost(tiers, seats) * months
    assert all(line["seats"] * line["unit"] * line["months"] == line["amount"] for line in billed)


def test_the_published_example() -> None:
    assert monthly_cost(parse_tiers([[10, 1000], [None, 800]]), 14) == 13_200


@pytest.mark.parametrize(
    ("seats", "cents"), [(1, 3000), (10, 30_000), (11, 32_700), (25, 70_500), (26, 72_900), (51, 132_600)]
)
def test_the_demo_list_at_its_edges(seats: int, cents: int) -> None:
    assert monthly_cost(DEMO, seats) == cents


@pytest.mark.parametrize("seats", [0, -1, 10_001])
def test_seats_out_of_range_have_no_price(seats: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        breakdown(DEMO, seats)


@pytest.mark.parametrize(
    "rows", [[], [[10, 1]], [[None, 1], [5, 1]], [[10, 1], [10, 1], [None, 1]], [[None, -1]], [[0, 1], [None, 1]]]
)
def test_a_price_list_that_does_not_rise_to_an_open_end_is_refused(rows: list[list[int | None]]) -> None:
    with pytest.raises(ValueError, match=r"tiers|negative"):
        parse_tiers(rows)


@given(st.integers(0, 10**9), st.integers(1, 10**6))
def test_half_up(numerator: int, denominator: int) -> None:
    assert divide_half_up(numerator, denominator) == int(Fraction(numerator, denominator) + Fraction(1, 2))


def test_a_negative_amount_is_not_rounded() -> None:
    with pytest.raises(ValueError, match="not negative"):
        divide_half_up(-1, 2)


@given(st.integers(0, 10**6), st.integers(0, 31))
def test_proration_is_rounded_once(monthly: int, days_left: int) -> None:
    january = period(date(2027, 1, 1), 1, 0)
    line = prorated_line(monthly, 3, 1, january, days_left)
    assert abs(Fraction(monthly * days_left, 31) - line["amount"]) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("country", "vat_number", "expected"),
    [
        ("FR", "FR41900300401", Treatment.STANDARD),
        ("MC", None, Treatment.STANDARD),
        ("DE", "DE136695976", Treatment.REVERSE_CHARGE),
        ("DE", None, Treatment.STANDARD),
        ("US", None, Treatment.OUTSIDE_EU),
        ("GB", "GB980780684", Treatment.OUTSIDE_EU),
    ],
)
def test_which_vat_applies(country: str, vat_number: str | None, expected: Treatment) -> None:
    assert treatment(country, vat_number) is expected


@pytest.mark.parametrize(("net", "cents"), [(40_800, 8_160), (3, 1), (2, 0), (0, 0)])
def test_vat_is_rounded_once_on_the_total(net: int, cents: int) -> None:
    assert amounts([net], Treatment.STANDARD) == (net, cents, net + cents, Treatment.STANDARD, 2000)
    assert amounts([net], Treatment.REVERSE_CHARGE).total == net
