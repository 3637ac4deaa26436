"""The spend by month as columns: paid ones filled, expected ones pale."""

from collections.abc import Sequence
from typing import NamedTuple

from ..subscriptions.spend import Month

WIDTH, HEIGHT, GAP = 288, 64, 4  # in units of its own


class Column(NamedTuple):
    x: int
    y: int
    width: int
    height: int
    month: Month

    @property
    def is_expected(self) -> bool:
        return self.month.paid <= 0 < self.month.expected


def highest_of(months: Sequence[Month]) -> int:
    """The cents at the top of the picture; its foot is 0."""
    return max([month.paid + month.expected for month in months] + [1])


def columns(months: Sequence[Month]) -> list[Column]:
    highest = highest_of(months)
    step = WIDTH // len(months)
    return [
        Column(index * step, HEIGHT - height, step - GAP, height, month)
        for index, month in enumerate(months)
        for height in [max(0, round(HEIGHT * (month.paid + month.expected) / highest))]
    ]
