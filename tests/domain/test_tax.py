"""Which VAT a customer pays, and how much of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.tax import Amounts, Treatment, amounts, treatment

OTHER_MEMBERS = [
    "AT",
    "BE",
    "BG",
    "CY",
    "CZ",
    "DE",
    "DK",
    "EE",
    "ES",
    "FI",
    "GR",
    "HR",
    "HU",
    "IE",
    "IT",
    "LT",
    "LU",
    "LV",
    "MT",
    "NL",
    "PL",
    "PT",
    "RO",
    "SE",
    "SI",
    "SK",
]
LINES = st.lists(st.integers(0, 10**10), max_size=6)


@pytest.mark.parametrize("vat_number", ["FR41900300401", None])
@pytest.mark.parametrize("country", ["FR", "MC"])
def test_france_and_monaco_pay_french_vat(country: str, vat_number: str | None) -> None:
    assert treatment(country, vat_number) is Treatment.STANDARD


@pytest.mark.parametrize("country", OTHER_MEMBERS)
def test_a_firm_of_another_member_state_accounts_for_vat_itself_and_anyone_else_there_pays(country: str) -> None:
    assert treatment(country, f"{country}123") is Treatment.REVERSE_CHARGE
    assert treatment(country, None) is treatment(country, "") is Treatment.STANDARD


@pytest.mark.parametrize("vat_number", ["GB980780684", None])
@pytest.mark.parametrize("country", ["GB", "CH", "US", "NO", "EL", "fr", ""])
def test_outside_the_union_no_french_vat_is_due(country: str, vat_number: str | None) -> None:
    assert treatment(country, vat_number) is Treatment.OUTSIDE_EU


@pytest.mark.parametrize(
    ("nets", "cents"), [([40_800], 8_160), ([3], 1), ([2], 0), ([0], 0), ([], 0), ([2, 2], 1), ([1, 1, 1], 1)]
)
def test_vat_is_rounded_once_on_the_total(nets: list[int], cents: int) -> None:
    assert amounts(nets, Treatment.STANDARD) == Amounts(sum(nets), cents, sum(nets) + cents, Treatment.STANDARD, 2000)


@given(LINES)
def test_twenty_per_cent_is_a_fifth_to_the_nearest_cent(nets: list[int]) -> None:
    billed = amounts(nets, Treatment.STANDARD)
    assert (
        abs(5 * billed.tax - sum(nets)) <= 2
    )  # a fifth of a cent is never exactly half, so the nearest cent is unique


@pytest.mark.parametrize("which", [Treatment.REVERSE_CHARGE, Treatment.OUTSIDE_EU])
@given(nets=LINES)
def test_without_french_vat_the_total_is_the_net(which: Treatment, nets: list[int]) -> None:
    assert amounts(nets, which) == Amounts(sum(nets), 0, sum(nets), which, 0)


def test_a_negative_total_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        amounts([5, -6], Treatment.STANDARD)
