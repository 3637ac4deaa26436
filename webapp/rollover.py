"""The sweep: brings what time has made due up to date. Safe to run at any moment, twice, and to stop anywhere."""

import logging
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy import select

from . import billing, notices, purchase, service
from .db import db, transaction
from .domain.subscription import Due, Facts, due, projected_seats
from .domain.subscription import notices as notice_days
from .models import Account, Payment, PeriodRow, Quote, Subscription
from .ports import OutcomeUnknown, ports
from .records import Message

log = logging.getLogger(__name__)
Key = tuple[str, str]  # account, subscription


def sweep(account_id: str | None = None) -> int:
    """Rolls over every subscription, or one account's; how many failed. One that fails does not stop the others."""
    query = select(Subscription.account_id, Subscription.id).where(Subscription.ended_on.is_(None))
    if account_id is not None:
        query = query.where(Subscription.account_id == account_id)
    keys = [(account, subscription) for account, subscription in db.session.execute(query.order_by(Subscription.id))]
    return sum(not _roll_over_safely(key) for key in keys)


def _roll_over_safely(key: Key) -> bool:
    try:
        roll_over(key)
    except Exception:
        log.exception("subscription %s was not rolled over", key[1])
        db.session.rollback()
        return False
    return True


def roll_over(key: Key) -> None:
    """Period by period, in order, until nothing is due; a payment of unknown outcome makes it wait."""
    while _settled(key) and _step(key):
        pass
    _tell_of_renewal(key)


def _settled(key: Key) -> bool:
    """Whether no payment is in flight, after asking the gateway."""
    pending = select(Payment.quote_id).where(Payment.subscription_id == key[1], Payment.state == "pending")
    quote_id = db.session.scalars(pending).one_or_none()
    if quote_id is None:
        return True
    try:
        purchase.reconcile(*key, quote_id)
    except OutcomeUnknown:
        log.warning("the gateway is silent about quote %s: its payment stays pending", quote_id)
    return db.session.scalars(pending).one_or_none() is None


def _step(key: Key) -> bool:
    """Does the one thing that is due; False when nothing is, or when its outcome must be waited for."""
    claimed = None
    with transaction() as session:
        subscription = service.load(*key, lock=True)
        now = ports().clock.now(subscription.account)
        found = due(subscription.facts(), now.date())
        if subscription.pending_payments or found is None or now.date() < found[1]:
            return False
        what, day = found
        if what is Due.END:
            service.end(subscription, day, now)
            session.add_all(notices.ended(subscription, day, now))
        elif what is Due.EXTERNAL:
            session.add(_external_period(subscription))
        else:
            claimed = _claim(subscription, now)
    if claimed is None:
        return True
    return purchase.charge(claimed, "").state != "pending"


def _external_period(subscription: Subscription) -> PeriodRow:
    facts = subscription.facts()
    return PeriodRow(
        subscription_id=subscription.id, ordinal=facts.last_paid + 1, seats=projected_seats(facts),
        price_list_id=subscription.price_list_id, source="external",
    )  # fmt: skip


def _claim(subscription: Subscription, now: datetime) -> str | None:
    """A pending payment for the period that is due, with the default card; None if that was refused without asking."""
    facts = subscription.facts()
    quote = purchase.draft(subscription, "renewal", projected_seats(facts), now, automatic=True)
    quote.subscription, quote.payments = subscription, []
    quote.card = billing.default_card(subscription.account_id)
    db.session.add(quote)
    payment = purchase.claim(quote)
    payment.quote = quote
    db.session.add(payment)
    db.session.flush()
    if quote.card is not None and not quote.card.expired(now.date()):
        return payment.key
    code = "no_card" if quote.card is None else "expired_card"
    purchase.refuse(subscription, payment, code, now)
    return None


def _tell_of_renewal(key: Key) -> None:
    """What is to be told before a renewal, once for each period and number of days ahead; late is better than never."""

    def untold(subscription: Subscription) -> list[Message]:
        facts, now = subscription.facts(), ports().clock.now(subscription.account)
        days = [ahead for day, ahead in notice_days(facts) if day <= now.date() < facts.boundary(facts.last_paid + 1)]
        if not days:
            return []
        return notices.before_renewal(subscription, min(days), service.renewal_total(subscription), now)

    if untold(service.load(*key)):
        with transaction() as session:
            session.add_all(untold(service.load(*key, lock=True)))


def next_event(account_id: str) -> datetime | None:
    """The next instant, in the account's zone, at which a sweep would do something; for clocks that are moved."""
    account = db.session.get_one(Account, account_id)
    now = ports().clock.now(account)
    days = [day for subscription in service.load_all(account_id) for day in _days(subscription.facts(), now.date())]
    midnights = [datetime.combine(day, time(), ZoneInfo(account.zone)) for day in days if day > now.date()]
    waiting = db.session.scalars(
        select(Quote.expires_at)
        .join(Payment, Payment.quote_id == Quote.id)
        .join(Subscription, Subscription.id == Quote.subscription_id)
        .where(Subscription.account_id == account_id, Payment.state == "pending", Quote.expires_at > now)
    ).all()
    return min([*midnights, *waiting], default=None)


def _days(facts: Facts, today: date) -> list[date]:
    found = due(facts, today)
    return ([found[1]] if found else []) + [day for day, _ in notice_days(facts)]
