"""The spend of a subscription by month: paid in the last twelve, expected in the next three."""

from collections import Counter
from datetime import date
from typing import NamedTuple

from ..domain.periods import boundary
from ..domain.subscription import Facts, Status
from ..invoices import spending
from .summary import Summary, renewal_total

MONTHS_PAID, MONTHS_EXPECTED = 12, 3  # the current month is the last of those paid


class Month(NamedTuple):
    """Cents with tax. `first` is its first day."""

    first: date
    paid: int
    expected: int


def spend_by_month(tile: Summary) -> list[Month]:
    today = tile.today
    first = date(today.year, today.month, 1)
    months = [boundary(first, 1, n) for n in range(1 - MONTHS_PAID, MONTHS_EXPECTED + 1)]
    paid, expected = Counter[date](), Counter[date]()
    subscription = tile.subscription
    for day, cents in spending.spent_by_day(subscription.account_id, months[0], subscription.id).items():
        paid[day.replace(day=1)] += cents
    for first_day in _periods_to_charge(tile, subscription.facts, boundary(months[-1], 1, 1)):
        charged_on = max(first_day, today)
        expected[charged_on.replace(day=1)] += renewal_total(subscription, first_day).amount
    return [Month(month, paid[month], expected[month]) for month in months]


def _periods_to_charge(tile: Summary, facts: Facts, end: date) -> list[date]:
    """The first days, before `end`, of the periods that will be charged, as things stand."""
    if not tile.self_service or tile.status not in (Status.ACTIVE, Status.PAST_DUE):
        return []
    days, ordinal = [], facts.next_unpaid
    while (day := facts.boundary(ordinal)) < end:
        days.append(day)
        ordinal += 1
    return days
