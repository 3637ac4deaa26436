"""VAT on the subscription of a French seller (CGI art. 259-1 and 283-2; EN 16931 BR-CO-17)."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from .money import divide_half_up

EU = frozenset(
    [
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
        "FR",
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
)
FRENCH_VAT_AREA = frozenset({"FR", "MC"})
STANDARD_RATE = 2000  # basis points: 20 %


class Treatment(StrEnum):
    STANDARD = "standard"  # French VAT
    REVERSE_CHARGE = "reverse_charge"  # due by the customer, in its own country
    OUTSIDE_EU = "outside_eu"  # not subject to French VAT


class Amounts(NamedTuple):
    """Cents; `tax_rate` in basis points; `total` is `net` and `tax` together."""

    net: int
    tax: int
    total: int
    tax_treatment: Treatment
    tax_rate: int


def treatment(country: str, vat_number: str | None) -> Treatment:
    """Which rule a customer falls under; `vat_number` is one that was found well formed for its country."""
    if country in FRENCH_VAT_AREA:
        return Treatment.STANDARD
    if country in EU:
        return Treatment.REVERSE_CHARGE if vat_number else Treatment.STANDARD
    return Treatment.OUTSIDE_EU


def amounts(nets: Iterable[int], which: Treatment) -> Amounts:
    """The totals of a document whose lines come to `nets` before tax; tax is rounded once (BR-CO-17)."""
    net, rate = sum(nets), STANDARD_RATE if which is Treatment.STANDARD else 0
    tax = divide_half_up(net * rate, 10_000)
    return Amounts(net, tax, net + tax, which, rate)


def credited_tax(net: int, before: int, invoiced_net: int, invoiced_tax: int, rate: int) -> int:
    """The tax of a credit note for `net` of an invoice, of whose net `before` was credited already; all cents.

    It is rounded on the sum, so that credit notes come to the invoice's tax exactly, whatever the parts.
    """
    after = before + net
    whole = invoiced_tax if after == invoiced_net else divide_half_up(after * rate, 10_000)
    return whole - divide_half_up(before * rate, 10_000)
