"""The future of a subscription as known today: each coming day with what happens on it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

from .subscription import (
    ChangeKind,
    Due,
    Facts,
    Status,
    attempt_day,
    due,
    notice_days,
    projected_seats,
    status,
)

RENEWALS = {1: 3, 12: 1}  # months of the term -> how many renewals the timeline shows
MOST = 12  # entries


class Kind(StrEnum):
    """What happens on a day. Events of the same day are shown in this order."""

    PENDING = "pending"  # the outcome of a payment is not known yet
    CARD_EXPIRES = "card_expires"  # the default card's last day
    NOTICE = "notice"  # the mail before a renewal; `number`: how many days before
    PERIOD = "period"  # a period that is already paid begins, with `seats`
    REDUCTION = "reduction"  # a reduction to `seats` takes effect
    RENEWAL = "renewal"  # the default card is charged for `seats`
    ATTEMPT = "attempt"  # the card is charged for the `number`th time, if the attempt before is declined
    LAST_ATTEMPT = "last_attempt"  # the same; if it is declined, the subscription lapses
    EXTERNAL = "external"  # someone else bills the next period, for `seats`
    END = "end"  # the first day without the subscription
    LAPSE_END = "lapse_end"  # the same, for a lapsed subscription that is not renewed before


class Planned(NamedTuple):
    """See Kind for what `seats` and `number` mean."""

    day: date
    kind: Kind
    seats: int = 0
    number: int = 0


def planned(facts: Facts, today: date, card_until: date | None = None) -> list[Planned]:
    """The coming events, in order, from today on: at most MOST, and none after the end.

    `card_until` is the first day on which the default card is expired.
    """
    if status(facts, today) is Status.ENDED:
        return []
    events = [*_paid_periods(facts, today), *_next_events(facts, today)]
    last = max((event.day for event in events), default=today)
    if card_until is not None and facts.self_service and today < card_until <= last:
        events.append(Planned(card_until - timedelta(days=1), Kind.CARD_EXPIRES))
    kinds = list(Kind)
    return sorted(events, key=lambda event: (event.day, kinds.index(event.kind)))[:MOST]


def _paid_periods(facts: Facts, today: date) -> Iterator[Planned]:
    """Paid periods that begin later."""
    for ordinal, seats in facts.seats.items():
        if facts.boundary(ordinal) > today:
            yield Planned(facts.boundary(ordinal), Kind.PERIOD, seats)


def _next_events(facts: Facts, today: date) -> Iterator[Planned]:
    if facts.payment_pending:
        yield Planned(today, Kind.PENDING)
    next_due = due(facts, today)
    if next_due is not None and next_due.event is Due.END:
        lapsed = facts.change(ChangeKind.CANCELLATION) is None
        yield Planned(max(next_due.day, today), Kind.LAPSE_END if lapsed else Kind.END)
    elif next_due is not None and next_due.event is Due.CHARGE and status(facts, today) is Status.PAST_DUE:
        yield from [] if facts.payment_pending else _attempts(facts, today)
    else:
        yield from _renewals(facts, today)


def _attempts(facts: Facts, today: date) -> Iterator[Planned]:
    """The attempts to charge the owed period, as if each were declined."""
    while (day := attempt_day(facts)) is not None:
        day = max(day, today)
        facts = replace(facts, refused=facts.refused + 1, refused_on=day)
        kind = Kind.LAST_ATTEMPT if attempt_day(facts) is None else Kind.ATTEMPT
        yield Planned(day, kind, projected_seats(facts), facts.refused)


def _renewals(facts: Facts, today: date) -> Iterator[Planned]:
    seats, first = projected_seats(facts), facts.next_unpaid
    if facts.change(ChangeKind.REDUCTION) and facts.paid_until >= today:
        yield Planned(facts.paid_until, Kind.REDUCTION, seats)
    for ordinal in range(first, first + RENEWALS[facts.months]):
        day = facts.boundary(ordinal)
        yield Planned(max(day, today), Kind.RENEWAL if facts.self_service else Kind.EXTERNAL, seats)
        for notice in notice_days(facts, ordinal):
            if notice.day >= today:
                yield Planned(notice.day, Kind.NOTICE, number=notice.days_ahead)
