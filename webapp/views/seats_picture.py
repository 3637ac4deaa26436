"""Paid seats as a line with steps, and the active users as an area below it."""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from ..subscriptions.seat_use import SeatUse, Stretch

WIDTH, HEIGHT, TOP = 288, 64, 2  # in units of its own; above TOP, half of the line has its place
LABEL = 52  # the width of a month's name


class Label(NamedTuple):
    """The name of a month where it begins."""

    x: float
    month: date


class Picture(NamedTuple):
    """The paths of the line and of the area, and labels below them. The area is in days and users, to be scaled.

    `highest` is the number at the top of the picture; its foot is 0.
    """

    paid: str
    active: str
    scale: str
    labels: list[Label]
    highest: int


class _Scale(NamedTuple):
    first: date
    days: int
    highest: int

    def x(self, day: date) -> float:
        return round((day - self.first).days * WIDTH / self.days, 1)

    def y(self, number: int) -> float:
        return round(HEIGHT - (HEIGHT - TOP) * number / self.highest, 1)


def picture(use: SeatUse) -> Picture | None:
    """None where nothing was counted yet."""
    if not use.active:
        return None
    highest = max(stretch.number for stretch in (*use.paid, *use.active))
    scale = _Scale(use.first, (use.end - use.first).days, max(highest, 1))
    labels = [Label(scale.x(month.first), month.first) for month in use.months if month.first >= use.first]
    return Picture(
        "".join(_steps(use.paid, scale)),
        f"M{(use.active[0].start - use.first).days} 0"
        + "".join(f"V{stretch.number}H{(stretch.end - use.first).days}" for stretch in use.active)
        + "V0Z",
        f"translate(0 {HEIGHT}) scale({WIDTH / scale.days:.4g} {(TOP - HEIGHT) / scale.highest:.4g})",
        [label for label in labels if label.x <= WIDTH - LABEL],
        scale.highest,
    )


def _steps(stretches: Iterable[Stretch], scale: _Scale) -> Iterable[str]:
    """A stretch that begins where the last one ended is joined to it."""
    ended: date | None = None
    for stretch in stretches:
        y = scale.y(stretch.number)
        yield f"V{y:g}" if stretch.start == ended else f"M{scale.x(stretch.start):g} {y:g}"
        yield f"H{scale.x(stretch.end):g}"
        ended = stretch.end
