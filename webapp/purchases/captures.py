"""What a capture paid for, where it is not what the portal asks now: after a restore, or with other seats or prices."""

import logging
from collections.abc import Iterator
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from ..db import db, update_row
from ..domain.pricing import Line, monthly_cost, period_lines, prorated_line
from ..domain.subscription import ChangeKind, Facts
from ..domain.tax import amounts
from ..models.purchases import Payment, Quote
from ..models.restores import UnbookedCapture
from ..models.subscriptions import Subscription
from ..ports import Capture, ports
from .quotes import QUOTE_LIFETIME, addition_lines, periods_to_raise

log = logging.getLogger(__name__)
AUTOMATIC = "renewal-"  # how the keys of the sweep's own charges begin


class Unexplained(Exception):
    """The capture cannot be booked; the message says why, to whoever runs the portal."""


class Purpose(NamedTuple):
    """What a charge was for, as its metadata says."""

    kind: str
    ordinal: int
    seats: int
    quote: str
    charged_at: datetime


def metadata_of(session: Session, account_id: str, key: str) -> dict[str, str]:
    """What goes with the charge of a payment: enough to book the capture where the payment's row is lost."""
    quoted = and_(Quote.account_id == Payment.account_id, Quote.id == Payment.quote_id)
    columns = Payment.subscription_id, Payment.created_at, Quote.id, Quote.kind, Quote.ordinal, Quote.seats
    query = select(*columns).join_from(Payment, Quote, quoted)
    row = session.execute(query.where(Payment.account_id == account_id, Payment.key == key)).one()
    return {
        "key": key,
        "account": account_id,
        "subscription": row.subscription_id,
        "quote": row.id,
        "kind": row.kind,
        "ordinal": str(row.ordinal),
        "seats": str(row.seats),
        "charged_at": row.created_at.isoformat(),
    }


def purpose(capture: Capture) -> Purpose:
    said = capture.metadata
    try:
        charged_at = datetime.fromisoformat(said["charged_at"])
        return Purpose(said["kind"], int(said["ordinal"]), int(said["seats"]), said["quote"], charged_at)
    except (KeyError, ValueError):
        raise Unexplained("The gateway does not say what it paid for.") from None


def explain(subscription: Subscription, capture: Capture) -> Quote:
    """The quote that the capture paid, by the price lists and the tax of today. Raises Unexplained."""
    paid = purpose(capture)
    facts = subscription.facts
    day = paid.charged_at.astimezone(ZoneInfo(subscription.account.zone)).date()
    check_bookable(facts, paid)
    for price_list_id, lines in _possible_lines(subscription, paid, day):
        billed = amounts((line["amount"] for line in lines), subscription.account.tax_terms)
        if (billed.total, subscription.currency) == capture.money:
            quote = Quote(
                account_id=subscription.account_id,
                id=paid.quote,
                subscription_id=subscription.id,
                kind=paid.kind,
                ordinal=paid.ordinal,
                seats=paid.seats,
                months=subscription.term_months,
                price_list_id=price_list_id,
                lines=lines,
                currency=subscription.currency,
                **billed._asdict(),
                automatic=capture.key.startswith(AUTOMATIC),
                created_at=paid.charged_at,
                expires_at=paid.charged_at + QUOTE_LIFETIME,
            )
            quote.subscription, quote.card, quote.payments = subscription, None, []
            return quote
    raise Unexplained("The prices and the tax rate that are known here do not give this amount.")


def hold(account_id: str, subscription_id: str, capture: Capture, reason: str) -> None:
    """Keeps in mind, in the open transaction, a capture that cannot be booked: its subscription is held."""
    row = UnbookedCapture(
        account_id=account_id,
        subscription_id=subscription_id,
        key=capture.key,
        amount=capture.money.amount,
        currency=capture.money.currency,
        reason=reason,
        found_at=ports().clock.system_now(),
        released_at=None,
    )
    db.session.merge(row)
    log.error("capture %s of subscription %s is not booked: %s", capture.key, subscription_id, reason)


def adopt(subscription: Subscription, payment: Payment, capture: Capture) -> bool:
    """Makes the payment and its quote what was captured.

    The gateway answers a key with the outcome of its first charge. A restored database may ask for it with other seats,
    with another card or at other prices. Returns False if nothing explains the captured amount; then the subscription
    is held.
    """
    quote = payment.quote
    if capture.card_last4 and capture.card_last4 != payment.card_last4:
        update_row(payment, card_brand=capture.card_brand, card_last4=capture.card_last4)
    if capture.money == quote.money and capture.metadata.get("seats", str(quote.seats)) == str(quote.seats):
        return True
    try:
        captured = explain(subscription, capture)
    except Unexplained as fault:
        hold(subscription.account_id, subscription.id, capture, str(fault))
        return False
    names = ("seats", "price_list_id", "lines", "net", "tax", "total", "tax_treatment", "tax_rate")
    update_row(quote, **{name: getattr(captured, name) for name in names})
    update_row(payment, amount=quote.total)
    return True


def check_bookable(facts: Facts, paid: Purpose) -> None:
    """Whether the subscription, as it is here, could have been charged for this. Raises Unexplained."""
    if not facts.self_service:
        raise Unexplained("Somebody else bills this subscription.")
    if facts.ended_on is not None or facts.change(ChangeKind.CANCELLATION):
        raise Unexplained("The subscription has ended here, or its end was requested.")
    if paid.kind == "renewal" and paid.ordinal <= facts.last_paid:
        raise Unexplained("The period is paid already.")
    if paid.kind == "addition":
        if facts.change(ChangeKind.REDUCTION):
            raise Unexplained("A reduction is open here.")
        if paid.ordinal not in facts.seats:
            raise Unexplained("The period to which seats were added is not paid here.")
        if paid.seats <= facts.seats[paid.ordinal]:
            raise Unexplained("The period has as many seats already.")


def _possible_lines(subscription: Subscription, paid: Purpose, day: date) -> Iterator[tuple[str, list[Line]]]:
    """With their price list: those of an addition, or of a whole period, or of what was left of it after a lapse."""
    facts = subscription.facts
    if paid.kind == "addition":
        rows = periods_to_raise(subscription, paid.ordinal, paid.seats)
        yield rows[0].price_list.id, addition_lines(subscription, rows, paid.seats, day)
        return
    period = facts.period(paid.ordinal)
    prices = subscription.prices_on(period.start)
    if paid.ordinal == facts.last_paid + 1:
        yield prices.id, period_lines(prices.tiers, paid.seats, facts.months)
    if period.start <= day < period.end:
        monthly, days_left = monthly_cost(prices.tiers, paid.seats), (period.end - day).days
        yield prices.id, [prorated_line(monthly, paid.seats, facts.months, period, days_left)]
