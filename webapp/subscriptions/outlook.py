"""What is ahead of a subscription and what was: its timeline, and whether its next renewal will succeed."""

from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ..accounts import activity as account_activity
from ..accounts import billing_information
from ..domain.checks import CardFacts, Check, Point, renewal_checks
from ..domain.subscription import Facts, retries
from ..domain.timeline import MOST, Planned, planned
from ..invoices import listing
from ..mail import outbox
from ..models.activity import Activity
from ..models.invoices import Invoice
from ..models.purchases import Card
from ..models.subscriptions import PeriodRow, Subscription

TOLD_ON_TILES = frozenset({Point.CARD, Point.EXPIRY, Point.REFUSAL, Point.SEATS, Point.TAX})  # the tile says the rest


def checks_of(subscription: Subscription, facts: Facts, today: date, card: Card | None) -> list[Check]:
    """`card` is the account's default card."""
    account = subscription.account
    known = CardFacts(card.until, _refused(subscription, facts, card)) if card else None
    return renewal_checks(facts, today, known, account.country, billing_information.tax_number(account))


def _refused(subscription: Subscription, facts: Facts, card: Card) -> bool:
    """Whether this card was refused when it was last tried for a period that is still to be paid."""
    last = subscription.refusals[-1] if subscription.refusals else None
    return last is not None and last.card_token == card.token and last.quote.ordinal > facts.last_paid


class Happened(NamedTuple):
    """One of the four is set: a document was issued, something was done, a period began that others bill, or a mail
    told of a renewal so many days ahead (0: that the card will have expired)."""

    day: date
    invoice: Invoice | None = None
    activity: Activity | None = None
    period: PeriodRow | None = None
    notice: int | None = None


class Timeline(NamedTuple):
    """`ahead` is in order of time, `past` the newest first; at most MOST of each.

    `retries`: the days on which the next renewal is tried again, if the bank refuses it.
    """

    today: date
    ahead: list[Planned]
    past: list[Happened]
    retries: list[date]


def timeline(subscription: Subscription, today: date, card: Card | None) -> Timeline:
    """`card` is the account's default card."""
    facts = subscription.facts()
    zone = ZoneInfo(subscription.account.zone)
    done = account_activity.of_subscription(subscription.account_id, subscription.id, MOST)
    past = [
        *(Happened(row.at.astimezone(zone).date(), activity=row) for row in done),
        *(Happened(one.issued_on, invoice=one) for one in listing.of_subscription(subscription.id, MOST)),
        *(Happened(at.astimezone(zone).date(), notice=days) for at, days in outbox.before_renewals(subscription, MOST)),
        *(Happened(facts.boundary(row.ordinal), period=row) for row in subscription.periods if row.source != "paid"),
    ]
    newest = sorted((one for one in past if one.day <= today), key=lambda one: one.day, reverse=True)
    return Timeline(today, planned(facts, today, card.until if card else None), newest[:MOST], retries(facts))
