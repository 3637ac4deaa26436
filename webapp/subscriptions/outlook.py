"""The timeline of a subscription, and the checks of its next renewal."""

from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ..accounts import billing_information
from ..domain.checks import CardFacts, Check, Point, renewal_checks
from ..domain.subscription import Facts, retries
from ..domain.timeline import MOST, Planned, planned
from ..models.cards import Card
from ..models.subscriptions import BilledPeriod, Subscription
from . import loading
from .history import Document, Done, History

# The checks that a tile shows. It shows the state of the others in other words already.
SHOWN_ON_TILES = frozenset({Point.CARD, Point.EXPIRY, Point.REFUSAL, Point.BACKUP, Point.SEATS, Point.TAX})


def checks_of(subscription: Subscription, facts: Facts, today: date, card: Card | None) -> list[Check]:
    """The checks of the next renewal. `card` is the account's default card."""
    account = subscription.account
    tax_number, declined = billing_information.tax_number(account), _last_declined(subscription, facts)
    cards = card, subscription.backup_card
    doubtful = _doubtful(subscription, {own.token for own in cards if own})
    first, backup = (
        CardFacts(own.until, own.token in declined, own.token in doubtful) if own else None for own in cards
    )
    return renewal_checks(facts, today, first, account.country, tax_number, backup)


def _last_declined(subscription: Subscription, facts: Facts) -> set[str]:
    """The cards of the last declined payment, if it was for a period that is not paid yet: one, or the default and the
    backup card."""
    owed = [payment for payment in subscription.refusals if payment.quote.ordinal > facts.last_paid]
    return {payment.card_token for payment in owed if payment is owed[-1] or payment.key == owed[-1].backup_of}


def _doubtful(subscription: Subscription, cards: set[str]) -> set[str]:
    """Which of these cards have paid nothing since their last refusal. Asked only where one was refused."""
    refused = {row.card_token: row.settled_at or row.created_at for row in subscription.refusals}  # the newest of each
    suspects = cards & refused.keys()
    accepted = loading.last_accepted(subscription, suspects) if suspects else {}
    return {token for token in suspects if token not in accepted or accepted[token] < refused[token]}


class PastEvent(NamedTuple):
    """Exactly one of these is set: an issued document, what was done, the begin of a period that someone else bills, or
    a notice that was mailed so many days before a renewal (0: the notice that the card will have expired).
    """

    day: date
    document: Document | None = None
    done: Done | None = None
    period: BilledPeriod | None = None
    notice: int | None = None


class Timeline(NamedTuple):
    """`ahead` has the next event first, `past` the newest first. Each has at most MOST events.

    `retries` are the days on which the next renewal is tried again, if the bank refuses it.
    """

    today: date
    ahead: list[Planned]
    past: list[PastEvent]
    retries: list[date]


def _is_refusal(event: PastEvent) -> bool:
    """A refused payment comes before what else happened on its day: documents have no time, and may pay for it."""
    return event.done is not None and event.done.what == "payment_refused"


def timeline(subscription: Subscription, today: date, card: Card | None, history: History) -> Timeline:
    """The timeline of a subscription. `card` is the account's default card."""
    facts = subscription.facts
    zone = ZoneInfo(subscription.account.zone)
    external_periods = [row for row in subscription.periods if row.source != "paid"]
    events = [
        *(PastEvent(row.at.astimezone(zone).date(), done=row) for row in history.done),
        *(PastEvent(document.issued_on, document=document) for document in history.documents),
        *(PastEvent(at.astimezone(zone).date(), notice=days) for at, days in history.notices),
        *(PastEvent(facts.boundary(row.ordinal), period=row) for row in external_periods),
    ]
    past = (event for event in events if event.day <= today)
    newest = sorted(past, key=lambda event: (event.day, not _is_refusal(event)), reverse=True)
    return Timeline(today, planned(facts, today, card.until if card else None), newest[:MOST], retries(facts))
