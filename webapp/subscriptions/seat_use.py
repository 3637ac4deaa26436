"""The paid seats of a subscription beside its active users, day by day, and whether fewer seats would do."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import NamedTuple

from sqlalchemy import update

from ..db import transaction
from ..domain import right_sizing
from ..domain.periods import boundary
from ..domain.right_sizing import Suggestion, suggestion
from ..domain.subscription import Facts, check_self_service
from ..models.subscriptions import Subscription, SubscriptionRow
from ..ports import ports
from .loading import load

DAY = timedelta(days=1)


class Stretch(NamedTuple):
    """Days with the same number, from `start` to before `end`."""

    start: date
    end: date
    number: int


class Month(NamedTuple):
    """The paid seats at the end of the part of a month that is shown, and the most active users of a day in it."""

    first: date
    paid: int | None
    active: int | None


class SeatUse(NamedTuple):
    """The days from `first` to before `end`. A day without a count keeps the last one in `active`.

    `uncounted` says whether there is such a day. `period` is the ordinal for which the suggestion can be hidden.
    """

    first: date
    end: date
    paid: list[Stretch]
    active: list[Stretch]
    uncounted: bool
    months: list[Month]
    suggestion: Suggestion | None
    period: int


def since(today: date) -> date:
    """The first day whose count is needed."""
    return today - timedelta(days=right_sizing.WINDOW_DAYS)


def seat_use(subscription: Subscription, counts: Mapping[date, int], today: date) -> SeatUse:
    """`counts` are the active users of each counted day since `since`, in order."""
    facts, first = subscription.facts, since(today) + DAY
    end = min(today + DAY, facts.ended_on or date.max)
    active = _kept(counts, first, end)
    current, tiers = facts.ordinal_on(today), subscription.price_list.tiers
    fewer = None if subscription.suggestion_hidden == current else suggestion(facts, tiers, counts, today)
    begun = [day for day in counts if day < end]
    uncounted = bool(begun) and len(begun) < (end - begun[0]).days
    return SeatUse(
        first,
        end,
        _merged(_paid(facts, first, end)),
        active,
        uncounted,
        _months(facts, counts, first, end),
        fewer,
        current,
    )


def _kept(counts: Mapping[date, int], first: date, end: date) -> list[Stretch]:
    """A day without a count keeps the last one."""
    stretches: list[Stretch] = []
    begun, last = first, None
    for day, active in counts.items():
        if active != last and day < end:
            if last is not None and day > begun:
                stretches.append(Stretch(begun, day, last))
            begun, last = max(day, first), active
    return stretches if last is None or begun >= end else [*stretches, Stretch(begun, end, last)]


def _paid(facts: Facts, first: date, end: date) -> Iterable[Stretch]:
    for ordinal in range(facts.ordinal_on(first), facts.ordinal_on(end - DAY) + 1):
        period = facts.period(ordinal)
        if ordinal in facts.seats:
            yield Stretch(max(period.start, first), min(period.end, end), facts.seats[ordinal])


def _merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Without borders between equal numbers."""
    merged: list[Stretch] = []
    for stretch in stretches:
        last = merged[-1] if merged else None
        if last and (last.end, last.number) == (stretch.start, stretch.number):
            merged[-1] = last._replace(end=stretch.end)
        else:
            merged.append(stretch)
    return merged


def _months(facts: Facts, counts: Mapping[date, int], first: date, end: date) -> list[Month]:
    months, month = [], first.replace(day=1)
    while month < end:
        following = boundary(month, 1, 1)
        start, stop = max(month, first), min(following, end)
        paid = facts.seats.get(facts.ordinal_on(stop - DAY))
        active = [count for day, count in counts.items() if start <= day < stop]
        months.append(Month(month, paid, max(active, default=None)))
        month = following
    return months


def hide_suggestion(account_id: str, subscription_id: str, period: int) -> bool:
    """Hides the suggestion of fewer seats for the current period, if its ordinal is `period`. Returns whether it is."""
    with transaction() as session:
        subscription = load(account_id, subscription_id)
        check_self_service(subscription.facts)
        is_current = period == subscription.facts.ordinal_on(ports().clock.now(subscription.account).date())
        if is_current:
            this = SubscriptionRow.account_id == account_id, SubscriptionRow.id == subscription_id
            session.execute(update(SubscriptionRow).where(*this).values(suggestion_hidden=period))
        return is_current
