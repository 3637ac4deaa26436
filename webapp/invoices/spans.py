"""Spans of whole months that documents are exported for: a month, a quarter, a fiscal year, any other."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from ..db import NotFound


class Span(NamedTuple):
    """The days of issue, both included."""

    first: date
    last: date

    @classmethod
    def of_year(cls, year: int) -> "Span":
        """Raises NotFound if there is no such year."""
        if year < 1:
            raise NotFound(year)
        return cls(date(year, 1, 1), date(year, 12, 31))

    @classmethod
    def of_months(cls, first: date, last: date) -> "Span":
        """From the month of `first` to the month of `last`."""
        return cls(first.replace(day=1), _last_day(last))

    @property
    def name(self) -> str:
        """For file names: 2027, 2027-03 or 2027-01-2027-03."""
        if self == Span.of_year(self.first.year):
            return f"{self.first.year:04}"
        months = dict.fromkeys((write_month(self.first), write_month(self.last)))
        return "-".join(months)


def parse_month(text: str) -> date | None:
    """The first day of `2027-03`. None for anything else."""
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", text, re.ASCII) or text.startswith("0000"):
        return None
    return date.fromisoformat(f"{text}-01")


def write_month(day: date) -> str:
    return f"{day.year:04}-{day.month:02}"


def months_between(first: date, last: date) -> Iterator[date]:
    """The first day of each month from that of `first` to that of `last`."""
    year, month = first.year, first.month
    while (year, month) <= (last.year, last.month):
        yield date(year, month, 1)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)


def quarters_until(last: date) -> list[tuple[int, Span]]:
    """The quarters of the year of `last` that have begun by then, the newest first, with their number."""
    numbers = range((last.month + 2) // 3, 0, -1)
    return [(n, Span.of_months(date(last.year, 3 * n - 2, 1), date(last.year, 3 * n, 1))) for n in numbers]


def _last_day(day: date) -> date:
    if day.month == 12:
        return date(day.year, 12, 31)
    return date(day.year, day.month + 1, 1) - timedelta(days=1)
