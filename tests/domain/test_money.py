"""Rounding, against exact fractions."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.money import divide_half_up


@given(st.integers(0, 10**15), st.integers(1, 10**9))
def test_half_up(numerator: int, denominator: int) -> None:
    assert divide_half_up(numerator, denominator) == floor(Fraction(numerator, denominator) + Fraction(1, 2))


@pytest.mark.parametrize(
    ("numerator", "denominator", "cents"),
    [(0, 1, 0), (1, 2, 1), (1, 3, 0), (2, 3, 1), (3, 2, 2), (5, 2, 3), (49, 100, 0), (50, 100, 1)],
)
def test_a_half_goes_up_and_never_to_the_even_cent(numerator: int, denominator: int, cents: int) -> None:
    assert divide_half_up(numerator, denominator) == cents


@pytest.mark.parametrize(("numerator", "denominator"), [(-1, 2), (1, 0), (0, 0), (1, -2), (-1, -2)])
def test_a_negative_amount_and_a_division_by_nothing_are_refused(numerator: int, denominator: int) -> None:
    with pytest.raises(ValueError, match=r"^amounts to round are not negative$"):
        divide_half_up(numerator, denominator)
