"""Subscription periods.

The dates of a period are computed from the anchor and the ordinal, never from the previous period. So periods never
overlap and leave no gap.
"""

from calendar import monthrange
from datetime import date
from typing import NamedTuple

TERMS = (1, 12)  # months that a period may have


class Period(NamedTuple):
    """Half-open: `start` is the first day, `end` is the day after the last day."""

    ordinal: int
    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days


def boundary(anchor: date, months: int, n: int) -> date:
    """The first day of period `n`: the anchor's day of the month, or the last day of a shorter month."""
    index = anchor.year * 12 + anchor.month - 1 + months * n
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(anchor.day, monthrange(year, month)[1]))


def period(anchor: date, months: int, n: int) -> Period:
    """Period `n` of a subscription; period 0 begins on the anchor."""
    return Period(n, boundary(anchor, months, n), boundary(anchor, months, n + 1))


def first_from(anchor: date, months: int, day: date) -> int:
    """The ordinal of the first period that starts on `day` or later."""
    ordinal = ordinal_on(anchor, months, day)
    return ordinal if boundary(anchor, months, ordinal) == day else ordinal + 1


def ordinal_on(anchor: date, months: int, day: date) -> int:
    """The ordinal of the period that contains `day`. It is negative before the anchor."""
    months_between = (day.year - anchor.year) * 12 + day.month - anchor.month
    ordinal = months_between // months
    return ordinal if boundary(anchor, months, ordinal) <= day else ordinal - 1
