"""Money is an integer number of minor units (cents) and a currency; no float, ever."""

from typing import NamedTuple

# Every currency here has cents: an amount is printed and charged as hundredths.
CURRENCIES = ("AUD", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "NOK", "NZD", "PLN", "RON", "SEK", "SGD", "USD")


class Money(NamedTuple):
    amount: int
    currency: str


def divide_half_up(numerator: int, denominator: int) -> int:
    """The quotient of two non-negative integers, rounded half up to a whole cent."""
    if numerator < 0 or denominator <= 0:
        raise ValueError("amounts to round are not negative")
    return (2 * numerator + denominator) // (2 * denominator)
