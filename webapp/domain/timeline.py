"""What is still to come of a subscription, from what is known today: each day with what happens on it."""

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
    notices,
    projected_seats,
    status,
)

RENEWALS = {1: 3, 12: 1}  # how many are told ahead, by the term's months
MOST = 12


class Kind(StrEnum):
    """What happens on a day; those of one day are told in this order."""

    PENDING = "pending"  # a payment's outcome is waited for
    CARD_EXPIRES = "card_expires"  # the default card's last day
    NOTICE = "notice"  # a mail about the renewal; `number`: how many days ahead
    PERIOD = "period"  # one that is paid already begins, with `seats`
    REDUCTION = "reduction"  # takes effect: from then on `seats`
    RENEWAL = "renewal"  # the default card is charged for `seats`
    ATTEMPT = "attempt"  # it is charged again, for the `number`th time, if the one before is refused
    LAST_ATTEMPT = "last_attempt"  # after which the subscription lapses
    EXTERNAL = "external"  # somebody else bills the next period, of `seats`
    END = "end"  # the first day without the subscription
    LAPSE_END = "lapse_end"  # likewise, unless it is renewed before


class Planned(NamedTuple):
    day: date
    kind: Kind
    seats: int = 0
    number: int = 0


def planned(facts: Facts, today: date, card_until: date | None = None) -> list[Planned]:
    """The next things to come, in order, at most MOST, none before today and none after an end.

    `card_until`: the first day on which the default card is no longer good.
    """
    if status(facts, today) is Status.ENDED:
        return []
    found = [*_begun(facts, today), *_next(facts, today)]
    last = max((one.day for one in found), default=today)
    if card_until is not None and facts.self_service and today < card_until <= last:
        found.append(Planned(card_until - timedelta(days=1), Kind.CARD_EXPIRES))
    kinds = list(Kind)
    return sorted(found, key=lambda one: (one.day, kinds.index(one.kind)))[:MOST]


def _begun(facts: Facts, today: date) -> Iterator[Planned]:
    """Periods that are paid and begin later."""
    for ordinal, seats in facts.seats.items():
        if facts.boundary(ordinal) > today:
            yield Planned(facts.boundary(ordinal), Kind.PERIOD, seats)


def _next(facts: Facts, today: date) -> Iterator[Planned]:
    if facts.payment_pending:
        yield Planned(today, Kind.PENDING)
    what, day = due(facts, today) or (None, today)
    if what is Due.END:
        lapsed = facts.change(ChangeKind.CANCELLATION) is None
        yield Planned(max(day, today), Kind.LAPSE_END if lapsed else Kind.END)
    elif status(facts, today) is Status.PAST_DUE and what is Due.CHARGE:
        yield from [] if facts.payment_pending else _attempts(facts, today)
    else:
        yield from _renewals(facts, today)


def _attempts(facts: Facts, today: date) -> Iterator[Planned]:
    """What is tried at the period that is owed, as if each were refused."""
    while (day := attempt_day(facts)) is not None:
        day = max(day, today)
        facts = replace(facts, refused=facts.refused + 1, refused_on=day)
        kind = Kind.LAST_ATTEMPT if attempt_day(facts) is None else Kind.ATTEMPT
        yield Planned(day, kind, projected_seats(facts), facts.refused)


def _renewals(facts: Facts, today: date) -> Iterator[Planned]:
    seats, following = projected_seats(facts), facts.last_paid + 1
    if facts.change(ChangeKind.REDUCTION) and facts.boundary(following) >= today:
        yield Planned(facts.boundary(following), Kind.REDUCTION, seats)
    for ordinal in range(following, following + RENEWALS[facts.months]):
        day = facts.boundary(ordinal)
        yield Planned(max(day, today), Kind.RENEWAL if facts.self_service else Kind.EXTERNAL, seats)
        for told_on, ahead in notices(facts, ordinal):
            if told_on >= today:
                yield Planned(told_on, Kind.NOTICE, number=ahead)
