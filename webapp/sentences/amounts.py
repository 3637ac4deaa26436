"""How an amount is named: « TTC » is said only where VAT is in it.

`rate` is the VAT rate of the quote, the invoice or the account, in basis points. It is 0 where no VAT is charged.
"""

from ..words import gettext


def vat_included(rate: int) -> str:
    """What stands behind an amount. Empty if no VAT is in it."""
    return gettext("incl. VAT") if rate else ""


def with_vat(amount: str, rate: int) -> str:
    """A printed amount that says whether VAT is in it."""
    return f"{amount} {vat_included(rate)}".rstrip()


def amount_label(rate: int) -> str:
    return gettext("Amount with tax") if rate else gettext("Amount")


def total_label(rate: int) -> str:
    return gettext("Total with tax") if rate else gettext("Total")
