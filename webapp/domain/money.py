"""Money is an integer number of cents and a currency. Never a float."""

from typing import NamedTuple

# Every currency here has cents: an amount is printed and charged as hundredths.
CURRENCIES = ("AUD", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "NOK", "NZD", "PLN", "RON", "SEK", "SGD", "USD")


class Money(NamedTuple):
    """`amount` in cents; `currency` is an ISO 4217 code."""

    amount: int
    currency: str


def divide_half_up(numerator: int, denominator: int) -> int:
    """The quotient, rounded half up. Raises ValueError for a negative numerator or a denominator below 1."""
    if numerator < 0 or denominator <= 0:
        raise ValueError("amounts to round are not negative")
    return (2 * numerator + denominator) // (2 * denominator)
