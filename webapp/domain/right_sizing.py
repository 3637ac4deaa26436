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
    window = (today - timedelta(days=ago) for ago in range(1, WINDOW_DAYS + 1))
    counted = [day for day in window if day in counts and facts.ordinal_on(day) in facts.seats]
    if len(counted) < COUNTED_DAYS or facts.anchor > today - timedelta(days=WINDOW_DAYS):
        return None
    if any(counts[day] >= facts.seats[facts.ordinal_on(day)] for day in counted):
        return None
    highest = max(counts.get(today, 0), facts.active_users, *(counts[day] for day in counted))
    paid, seats = facts.last_paid_seats, max(highest, 1)
    if seats >= paid:
        return None
    saved = monthly_cost(tiers, paid) - monthly_cost(tiers, seats)
    return Suggestion(highest, paid, seats, facts.paid_until, saved) if saved > 0 else None
