"""Tiered pricing as the stepper shows it: a picture of the tiers, what is chosen in it, and the sum as a table."""

from itertools import zip_longest
from typing import NamedTuple

from .. import formats
from ..subscriptions.cost import Cost
from ..words import gettext

WIDTH = 288  # of the picture, in units of its own
GROUND = 62  # where columns stand, from the top
LOWEST, TALLEST = 4, 42  # a column's height for a price of nothing, and what the highest price adds
GAP = 2
ROW_HEIGHT = 2.25  # rem, as in the style sheet
MOST_CAPTIONS = 5  # more tiers leave no room for them


class Column(NamedTuple):
    """A tier, as high as its price; the captions are empty where there is no room."""

    x: int
    y: int
    width: int
    height: int
    price: str
    seats: str


class Mark(NamedTuple):
    """The chosen number over the columns: `path` fills what is paid for, `text_x` is where `number` stands."""

    label: str
    path: str
    text_x: int
    number: str


class Row(NamedTuple):
    """A tier in the table; `price` and `amount` without seats in it where nothing of it is paid for."""

    seats: str
    price: str
    amount: str
    used: bool


class Difference(NamedTuple):
    """What changes against the period that is compared with."""

    seats: int
    monthly: int


def columns(cost: Cost) -> list[Column]:
    width, captioned = _width(cost), len(cost.tiers) <= MOST_CAPTIONS
    return [
        Column(
            x=int(index * width),
            y=GROUND - _height(tier.unit, cost),
            width=int(width - GAP),
            height=_height(tier.unit, cost),
            price=_money(tier.unit, cost) if captioned else "",
            seats=_span(first, tier.up_to) if captioned else "",
        )
        for index, (first, tier) in enumerate(zip(_firsts(cost), cost.tiers, strict=True))
    ]


def mark(cost: Cost, seats: int) -> Mark:
    width, end, path = _width(cost), 0, ""
    for index, (tier, line) in enumerate(zip(cost.tiers, cost.lines, strict=False)):
        # The open tier has no end: the more seats, the nearer to its right edge.
        whole = line.first + line.seats if tier.up_to is None else tier.up_to - line.first + 1
        filled = round((width - GAP) * line.seats / whole)
        start, height = int(index * width), _height(line.unit, cost)
        end = start + filled
        path += f"M{start} {GROUND}v-{height}h{filled}v{height}z"
    return Mark(
        label=", ".join(_product(line.seats, line.unit, cost) for line in cost.lines),
        path=f"{path}M{max(end - 1, 0)} 14v48h2v-48z",
        text_x=min(max(end, 18), WIDTH - 18),
        number=formats.number(seats),
    )


def rows(cost: Cost) -> list[Row]:
    """How the monthly cost comes about, tier by tier."""
    return [
        Row(_span(first, line.last), _product(line.seats, line.unit, cost), _money(line.amount, cost), True)
        if line
        else Row(_span(first, tier.up_to), _money(tier.unit, cost), "–", False)
        for first, tier, line in zip_longest(_firsts(cost), cost.tiers, cost.lines)
    ]


def rows_height(cost: Cost) -> str:
    """The table's height, so that what follows stays where it is without numbers."""
    return f"{ROW_HEIGHT * len(cost.tiers)}rem"


def difference(cost: Cost, seats: int) -> Difference | None:
    before = cost.before
    return Difference(seats - before.seats, cost.monthly - before.monthly) if before else None


def _width(cost: Cost) -> float:
    return WIDTH / len(cost.tiers)


def _height(unit: int, cost: Cost) -> int:
    highest = max(tier.unit for tier in cost.tiers)
    return LOWEST + TALLEST * unit // (highest or 1)


def _firsts(cost: Cost) -> list[int]:
    """The first seat of each tier."""
    return [1] + [(tier.up_to or 0) + 1 for tier in cost.tiers[:-1]]


def _span(first: int, last: int | None) -> str:
    if last is None:
        return gettext("from %(n)s", n=formats.number(first))
    return formats.number(first) if first == last else f"{formats.number(first)}–{formats.number(last)}"


def _product(seats: int, unit: int, cost: Cost) -> str:
    return f"{formats.number(seats)} × {_money(unit, cost)}"


def _money(cents: int, cost: Cost) -> str:
    return formats.money(cents, cost.currency)
