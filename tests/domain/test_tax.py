"""Which VAT a customer pays, and how much of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.tax import Amounts, TaxTerms, Treatment, amounts, country_of_postal_code, tax_terms

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


MAINLAND = TaxTerms(Treatment.STANDARD, 2000)
OVERSEAS_DEPARTMENTS = TaxTerms(Treatment.STANDARD, 850)


@pytest.mark.parametrize("vat_number", ["FR41900300401", None])
@pytest.mark.parametrize("country", ["FR", "MC"])
def test_france_and_monaco_pay_french_vat(country: str, vat_number: str | None) -> None:
    assert tax_terms(country, vat_number) == MAINLAND


@pytest.mark.parametrize("vat_number", ["FR41900300401", None])
@pytest.mark.parametrize("country", ["GP", "MQ", "RE"])
def test_three_overseas_departments_pay_a_lower_rate(country: str, vat_number: str | None) -> None:
    assert tax_terms(country, vat_number) == OVERSEAS_DEPARTMENTS


@pytest.mark.parametrize("vat_number", ["FR41900300401", None])
@pytest.mark.parametrize("country", ["GF", "YT"])
def test_french_vat_does_not_apply_in_guyane_and_mayotte(country: str, vat_number: str | None) -> None:
    assert tax_terms(country, vat_number) == TaxTerms(Treatment.OVERSEAS, 0)


@pytest.mark.parametrize("country", OTHER_MEMBERS)
def test_a_firm_of_another_member_state_accounts_for_vat_itself_and_anyone_else_there_pays(country: str) -> None:
    assert tax_terms(country, f"{country}123") == TaxTerms(Treatment.REVERSE_CHARGE, 0)
    assert tax_terms(country, None) == tax_terms(country, "") == MAINLAND


@pytest.mark.parametrize("vat_number", ["GB980780684", None])
@pytest.mark.parametrize("country", ["GB", "CH", "US", "NO", "BL", "MF", "PM", "PF", "NC", "WF", "TF", "EL", "fr", ""])
def test_outside_the_union_no_french_vat_is_due(country: str, vat_number: str | None) -> None:
    assert tax_terms(country, vat_number) == TaxTerms(Treatment.OUTSIDE_EU, 0)


@pytest.mark.parametrize(
    ("postal_code", "country"),
    [
        ("97400", "RE"),
        ("97 110", "GP"),
        ("97200", "MQ"),
        ("97300", "GF"),
        ("97600", "YT"),
        ("97500", "PM"),
        ("97133", "BL"),
        ("97150", "MF"),
        ("97700", "BL"),
        ("98000", "MC"),
        ("98800", "NC"),
        ("98714", "PF"),
        ("75001", None),
        ("97", None),
        ("974000", None),
        ("9740A", None),
        ("", None),
        ("97900", None),
    ],
)
def test_overseas_postal_codes_belong_to_a_country_code(postal_code: str, country: str | None) -> None:
    assert country_of_postal_code(postal_code) == country


@pytest.mark.parametrize(
    ("nets", "cents"), [([40_800], 8_160), ([3], 1), ([2], 0), ([0], 0), ([], 0), ([2, 2], 1), ([1, 1, 1], 1)]
)
def test_vat_is_rounded_once_on_the_total(nets: list[int], cents: int) -> None:
    assert amounts(nets, MAINLAND) == Amounts(sum(nets), cents, sum(nets) + cents, Treatment.STANDARD, 2000)


@given(LINES)
def test_twenty_per_cent_is_a_fifth_to_the_nearest_cent(nets: list[int]) -> None:
    billed = amounts(nets, MAINLAND)
    assert abs(5 * billed.tax - sum(nets)) <= 2  # a fifth of a cent is never a half, so the nearest cent is unique


@pytest.mark.parametrize(("net", "tax"), [(35400, 3009), (1, 0), (6, 1), (5, 0), (1000, 85)])
def test_the_lower_rate_is_rounded_once_too(net: int, tax: int) -> None:
    assert amounts([net], OVERSEAS_DEPARTMENTS) == Amounts(net, tax, net + tax, Treatment.STANDARD, 850)


@pytest.mark.parametrize("treatment", [Treatment.REVERSE_CHARGE, Treatment.OVERSEAS, Treatment.OUTSIDE_EU])
@given(nets=LINES)
def test_without_french_vat_the_total_is_the_net(treatment: Treatment, nets: list[int]) -> None:
    assert amounts(nets, TaxTerms(treatment, 0)) == Amounts(sum(nets), 0, sum(nets), treatment, 0)


def test_a_negative_total_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        amounts([5, -6], MAINLAND)
