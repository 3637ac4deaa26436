"""VAT on the subscription of a French seller (CGI art. 259-1, 283-2, 294 and 296; EN 16931 BR-CO-17).

A service to a business is taxed where the business is established. The French overseas departments have rates of their
own; the other French territories outside metropolitan France are outside the European VAT area.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from .money import divide_half_up

EU = frozenset(
    """AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK""".split()  # noqa: SIM905
)
# In basis points: 2000 is 20 %.
FRENCH_RATES = {"FR": 2000, "MC": 2000, "GP": 850, "MQ": 850, "RE": 850}
WITHOUT_FRENCH_VAT = frozenset({"GF", "YT"})  # Guyane and Mayotte (CGI art. 294)
FRENCH_VAT_AREA = frozenset(FRENCH_RATES)
OTHER_TERRITORIES = frozenset({"BL", "MF", "NC", "PF", "PM", "TF", "WF"})
WITH_SIREN = FRENCH_VAT_AREA - {"MC"} | WITHOUT_FRENCH_VAT | OTHER_TERRITORIES
# Where postal codes of the form 97xxx and 98xxx are: each begins like this and belongs to a country code of its own.
OVERSEAS_POSTAL_CODES = {
    "971": "GP",
    "972": "MQ",
    "973": "GF",
    "974": "RE",
    "975": "PM",
    "976": "YT",
    "977": "BL",
    "978": "MF",
    "980": "MC",
    "984": "TF",
    "986": "WF",
    "987": "PF",
    "988": "NC",
}
# Saint-Barthélemy and Saint-Martin kept the codes of Guadeloupe beside their own.
SHARED_POSTAL_CODES = {"97133": "BL", "97150": "MF"}


class Treatment(StrEnum):
    STANDARD = "standard"  # French VAT
    REVERSE_CHARGE = "reverse_charge"  # due by the customer, in its own country
    OVERSEAS = "overseas"  # Guyane and Mayotte, where French VAT does not apply
    OUTSIDE_EU = "outside_eu"  # not subject to French VAT


class TaxTerms(NamedTuple):
    """Which rule applies to a customer, and the `rate` in basis points (0 where no VAT is charged)."""

    treatment: Treatment
    rate: int


class Amounts(NamedTuple):
    """Cents; `tax_rate` in basis points; `total` is `net` and `tax` together."""

    net: int
    tax: int
    total: int
    tax_treatment: Treatment
    tax_rate: int


def tax_terms(country: str, vat_number: str | None) -> TaxTerms:
    """The rule for a customer; `vat_number` is one that was found well formed for its country.

    A customer elsewhere in the EU without a VAT number is treated as a consumer: French VAT at the mainland's rate.
    """
    if country in FRENCH_RATES:
        return TaxTerms(Treatment.STANDARD, FRENCH_RATES[country])
    if country in EU and not vat_number:
        return TaxTerms(Treatment.STANDARD, FRENCH_RATES["FR"])
    if country in EU:
        return TaxTerms(Treatment.REVERSE_CHARGE, 0)
    return TaxTerms(Treatment.OVERSEAS if country in WITHOUT_FRENCH_VAT else Treatment.OUTSIDE_EU, 0)


def country_of_postal_code(postal_code: str) -> str | None:
    """The country code that a French overseas postal code belongs to; None for any other postal code."""
    digits = postal_code.replace(" ", "")
    if len(digits) != 5 or not digits.isdecimal():
        return None
    return SHARED_POSTAL_CODES.get(digits) or OVERSEAS_POSTAL_CODES.get(digits[:3])


def amounts(nets: Iterable[int], terms: TaxTerms) -> Amounts:
    """The totals of a document whose lines come to `nets` before tax; tax is rounded once (BR-CO-17)."""
    net = sum(nets)
    tax = divide_half_up(net * terms.rate, 10_000)
    return Amounts(net, tax, net + tax, terms.treatment, terms.rate)


def credited_tax(net: int, before: int, invoiced_net: int, invoiced_tax: int, rate: int) -> int:
    """The tax of a credit note for `net` of an invoice, of whose net `before` was credited already; all cents.

    It is rounded on the sum, so that credit notes come to the invoice's tax exactly, whatever the parts.
    """
    after = before + net
    whole = invoiced_tax if after == invoiced_net else divide_half_up(after * rate, 10_000)
    return whole - divide_half_up(before * rate, 10_000)
