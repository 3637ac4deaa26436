"""Whether fewer seats would do, by the active users of each day."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from .pricing import Tier, monthly_cost
from .subscription import ChangeKind, Facts, allows, check_reduction

WINDOW_DAYS = 90  # the full days before today that must show that fewer seats would do,
COUNTED_DAYS = 60  # on so many of which at least the active users were counted


class Suggestion(NamedTuple):
    """`highest` active users on one day at most, for `paid_seats`. `seats` from the day `effective_on` save `saved`.

    `saved` is cents a month, before tax.
    """

    highest: int
    paid_seats: int
    seats: int
    effective_on: date
    saved: int


def suggestion(facts: Facts, tiers: Sequence[Tier], counts: Mapping[date, int], today: date) -> Suggestion | None:
    """The reduction that the counts of `counts`, by day, speak for; None if they do not or none can be requested.

    On each counted day of the window fewer people must have been active than seats were paid for. So seats that were
    bought lately are not advised against. The last paid seats are compared at the newest prices, as a renewal is.
    """
    if not allows(check_reduction, facts, today) or facts.change(ChangeKind.REDUCTION):
        return None
    first, counted = today - timedelta(days=WINDOW_DAYS), 0
    highest = max(facts.active_users, counts.get(today, 0))
    for ordinal in range(facts.ordinal_on(first), facts.ordinal_on(today) + 1):
        period, paid_seats = facts.period(ordinal), facts.seats.get(ordinal)
        start, end = max(period.start, first), min(period.end, today)
        active = [count for day, count in counts.items() if start <= day < end] if paid_seats else []
        if active and max(active) >= (paid_seats or 0):
            return None
        counted, highest = counted + len(active), max([highest, *active])
    if counted < COUNTED_DAYS or facts.anchor > first:
        return None
    paid, seats = facts.last_paid_seats, max(highest, 1)
    if seats >= paid:
        return None
    saved = monthly_cost(tiers, paid) - monthly_cost(tiers, seats)
    return Suggestion(highest, paid, seats, facts.paid_until, saved) if saved > 0 else None
