"""What the model of a subscription is made of: periods, prices, quotes, payments, requests and refunds.

Dates are found by walking the calendar and prices seat by seat; amounts are cents.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache

TRIES = (0, 1, 3, 5, 7)  # days after the boundary

NOTICES = {1: (7,), 12: (30, 7)}

TAX = {"standard": 200, "la_reunion": 85, "mayotte": 0, "reverse_charge": 0, "outside_eu": 0}  # per mille

Prices = tuple[tuple[int | None, int], ...]  # last seat of the tier, cents per seat and month

Line = tuple[int, ...]


class Refused(Exception):
    """The rules forbid a command; the first argument is the refusal's name."""


@cache
def boundary(anchor: date, months: int, n: int) -> date:
    year, month, day = anchor.year, anchor.month, anchor.day
    for _ in range(months * n):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    while True:
        try:
            return date(year, month, day)
        except ValueError:
            day -= 1


@cache
def tiers(prices: Prices, seats: int) -> tuple[Line, ...]:
    """(seats, cents each) of each tier that is reached."""
    units = [next(unit for last, unit in prices if last is None or seat <= last) for seat in range(1, seats + 1)]
    return tuple((count, unit) for unit, count in Counter(units).items())


def cost(prices: Prices, seats: int) -> int:
    return sum(count * unit for count, unit in tiers(prices, seats))


def half_up(numerator: int, denominator: int) -> int:
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest >= denominator)


@dataclass(eq=False)
class Card:
    behaviour: str
    expires: tuple[int, int]  # the last year and month in which it is valid
    id: str
    gone: bool = False
    entered: int = 1  # how often; each time the gateway names it anew


@dataclass(eq=False)
class Attempt:
    """A payment. `bank` is the gateway's view of it; None if it never received the charge.

    `heard`: the gateway has a record of the charge. `asked`: the portal knows the address of the 3-D Secure page.
    `first`: the refused attempt with the default card, if this one is with the backup card. `backup_since`: the day of
    the refusal after which the backup card is still to be charged. `entered`: see Card.
    """

    card: Card | None
    at: datetime
    automatic: bool
    state: str = "pending"
    bank: str | None = None
    heard: bool = False
    asked: bool = False
    first: "Attempt | None" = None
    backup_since: date | None = None
    entered: int = 0

    def __post_init__(self) -> None:
        self.entered = self.card.entered if self.card else 0


@dataclass(eq=False)
class Quote:
    kind: str
    ordinal: int
    seats: int
    prices: Prices
    lines: tuple[Line, ...]  # the last number of each is its amount
    treatment: str
    expires: datetime
    automatic: bool = False
    card: Card | None = None
    id: str = ""
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def net(self) -> int:
        return sum(line[-1] for line in self.lines)

    @property
    def tax(self) -> int:
        return half_up(self.net * TAX[self.treatment], 1000)

    @property
    def unrefused(self) -> Attempt | None:
        return next((attempt for attempt in self.attempts if attempt.state in ("pending", "captured")), None)


@dataclass(eq=False)
class Change:
    kind: str
    seats: int | None
    ordinal: int
    state: str = "open"
    id: str = ""


@dataclass(eq=False)
class Credit:
    """A refund of the nth invoice, with its credit note once it is made. `bank` is the gateway's view."""

    invoice: int
    net: int
    tax: int
    state: str = "pending"
    bank: str | None = None
    day: date | None = None
