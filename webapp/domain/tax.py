"""VAT on a subscription that a French seller sells (CGI art. 259-1 and 283-2; EN 16931 BR-CO-17)."""

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
    STANDARD = "standard"  # French VAT is charged
    REVERSE_CHARGE = "reverse_charge"  # the customer owes the VAT, in its own country
    OUTSIDE_EU = "outside_eu"  # not subject to French VAT


class Amounts(NamedTuple):
    """`net`, `tax` and their sum `total`, in cents. `tax_rate` is in basis points."""

    net: int
    tax: int
    total: int
    tax_treatment: Treatment
    tax_rate: int


def treatment(country: str, vat_number: str | None) -> Treatment:
    """The VAT rule for a customer. `vat_number` must be valid for `country`, or None."""
    if country in FRENCH_VAT_AREA:
        return Treatment.STANDARD
    if country in EU:
        return Treatment.REVERSE_CHARGE if vat_number else Treatment.STANDARD
    return Treatment.OUTSIDE_EU


def amounts(line_nets: Iterable[int], tax_treatment: Treatment) -> Amounts:
    """The totals of a document with these amounts of lines, in cents before tax. Tax is rounded once (BR-CO-17)."""
    net = sum(line_nets)
    rate = STANDARD_RATE if tax_treatment is Treatment.STANDARD else 0
    tax = divide_half_up(net * rate, 10_000)
    return Amounts(net, tax, net + tax, tax_treatment, rate)


def credited_tax(net: int, before: int, invoiced_net: int, invoiced_tax: int, rate: int) -> int:
    """The tax of a credit note for `net` of an invoice, after `before` was credited already.

    Amounts in cents before tax; `rate` in basis points. Tax is rounded on the sum credited so far, so the credit notes
    of an invoice always add up to its tax.
    """
    after = before + net
    tax_after = invoiced_tax if after == invoiced_net else divide_half_up(after * rate, 10_000)
    return tax_after - divide_half_up(before * rate, 10_000)
