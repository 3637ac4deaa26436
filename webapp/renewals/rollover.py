"""Rolls one subscription over: does what has become due, period by period.

It is safe at any moment, twice, and on several machines at once. It can stop anywhere: all that is left half done is a
committed pending payment, and the next sweep asks for its outcome.
"""

import logging
from collections import Counter
from dataclasses import replace
from datetime import date, datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import insert

from .. import urls
from ..db import db, insert_rows, transaction
from ..domain.subscription import ChangeKind, Due, Facts, NextDue, due, notice_days, projected_seats
from ..mail import outbox
from ..models.accounts import Account
from ..models.mail import Message
from ..models.purchases import Payment, Quote
from ..models.subscriptions import BilledPeriod, PaymentRead, PeriodRow, Quiet, Subscription
from ..ports import ActiveUsers, Captured, Outcome, OutcomeUnknown, ports
from ..purchases import outcomes, payments, quotes
from ..purchases.captures import AUTOMATIC
from ..subscriptions import active_users, loading, service, summary

log = logging.getLogger(__name__)
Tally = Counter[str]  # how often each outcome occurred, how many subscriptions were "seen", and how many "uncounted"

PAYMENT_OUTCOMES = {"captured": "renewed", "declined": "refused", "cancelled": "given up"}  # by the payment's state
OUTCOMES = (
    *PAYMENT_OUTCOMES.values(),
    "external",
    "ended",
    "waiting",
    "silent",
    "refunded",
    "not refunded",
    "detached",
    "failed",
)


class SubscriptionKey(NamedTuple):
    account_id: str
    subscription_id: str


class Claim(NamedTuple):
    """A committed pending payment, which the gateway is to charge."""

    payment: Payment
    tenant: str


class Step(NamedTuple):
    """What was done, if anything, and whether more may be due."""

    outcome: str | None
    go_on: bool


class InFlight(NamedTuple):
    """The quote of a pending payment whose outcome is not known."""

    quote_id: str


def roll_over(key: SubscriptionKey, ask_gateway: bool = True, ask_tenant: bool = True) -> Tally:
    """Goes on, period by period, until nothing is due or an outcome must be waited for.

    Without `ask_gateway` no payment is begun and no outcome is asked for. Without `ask_tenant` the warning about too
    few seats relies on the last known active users.
    """
    tally = Tally()
    while True:
        outcome, go_on = _do_next(key, ask_gateway, ask_tenant, tally)
        if outcome is not None:
            tally[outcome] += 1
        if not go_on:
            return tally


def _do_next(key: SubscriptionKey, ask_gateway: bool, ask_tenant: bool, tally: Tally) -> Step:
    with transaction():
        begun = _begin(key, ask_gateway)
    match begun:
        case InFlight(quote_id):
            return _reconcile(key, quote_id) if ask_gateway else Step(None, False)
        case Claim():
            return _charge(key, begun, ask_tenant, tally)
        case Step():
            return begun
        case outcome:
            return Step(outcome, outcome is not None)


def _begin(key: SubscriptionKey, ask_gateway: bool) -> Claim | InFlight | Step | str | None:
    """Writes what is due, in the open transaction: the outcome, or what to ask the gateway after the commit."""
    subscription = loading.load(*key, lock=True)
    if subscription.held or subscription.paused:
        return None
    now = ports().clock.now(subscription.account)
    next_due = _due_now(subscription, now)
    if next_due is None:
        _write_ahead(subscription, now)
    if subscription.pending_payments:
        return InFlight(subscription.pending_payments[0].quote.id)
    if next_due is None:
        return None
    if next_due.event is Due.END:
        service.end_subscription(subscription, next_due.day, now)
        insert_rows(*outbox.ended(subscription, next_due.day, now))
        return "ended"
    if subscription.account.deactivated_at is not None:
        return None
    if next_due.event is Due.EXTERNAL:
        insert_rows(_external_period(subscription))
        return "external"
    return _claim(subscription, now) if ask_gateway else None


def _due_now(subscription: Subscription, now: datetime) -> NextDue | None:
    next_due = due(subscription.facts, now.date())
    return next_due if next_due is not None and next_due.day <= now.date() else None


def _write_ahead(subscription: Subscription, now: datetime) -> None:
    """Where nothing is due: the notices, and until when the subscription needs no check, in the open transaction."""
    insert_rows(*notices_to_write(subscription, now))
    if not subscription.pending_payments:
        write_quiet(
            SubscriptionKey(subscription.account_id, subscription.id), next_due_day(subscription.facts, now.date())
        )


def _external_period(subscription: Subscription) -> PeriodRow:
    facts = subscription.facts
    return PeriodRow(
        account_id=subscription.account_id,
        subscription_id=subscription.id,
        ordinal=facts.next_unpaid,
        seats=projected_seats(facts),
        price_list_id=subscription.price_list.id,
        source="external",
    )


def _claim(subscription: Subscription, now: datetime) -> Claim | Step:
    """A pending payment of the due period with the default card, or with the backup card once that was refused.

    If the default card cannot be charged, it is declined at once. The backup card is charged on the day of the refusal
    only.
    """
    refused = subscription.backup_due
    if refused is not None and not _backup_chargeable(subscription, refused, now):
        outcomes.give_up_backup(subscription, refused.key, now)
        return Step(PAYMENT_OUTCOMES["declined"], True)
    quote = quotes.draft(subscription, "renewal", projected_seats(subscription.facts), now, automatic=True)
    quote.card = subscription.backup_card if refused else subscription.default_card
    quote.card_id = quote.card.id if quote.card else None
    key = _automatic_key(subscription, quote.ordinal)
    payment = payments.claim(quote, now, key, refused.key if refused else None)
    insert_rows(quote)
    insert_rows(payment)
    if quote.card is None or quote.card.expired(now.date()):
        code = "no_card" if quote.card is None else "expired_card"
        outcomes.decline(subscription, payment, code, now)
        return _step(payment)
    return Claim(payment, subscription.tenant)


def _backup_chargeable(subscription: Subscription, refused: PaymentRead, now: datetime) -> bool:
    refused_on = subscription.account.local(refused.settled_at or refused.created_at).date()
    return refused_on == now.date() and outcomes.backup_usable(subscription, refused.card_token, now)


def _automatic_key(subscription: Subscription, ordinal: int) -> str:
    """Follows from what is paid and how often it was tried, so a restored database finds the charge that was made.

    The backup card has the number that follows the default card's. So the charge is found, too, where the copy knows
    of another backup card, or of none: each sweep asks for these numbers in their order.

    The key of a capture that an operator settled by hand is not used again.
    """
    stem = f"{AUTOMATIC}{subscription.account_id}-{subscription.id}-{ordinal}"
    attempts = [payment for payment in subscription.unpaid if payment.automatic and payment.quote.ordinal == ordinal]
    attempt = len(attempts) + 1
    while f"{stem}-{attempt}" in subscription.unbooked_keys:
        attempt += 1
    return f"{stem}-{attempt}"


def _charge(key: SubscriptionKey, claim: Claim, ask_tenant: bool, tally: Tally) -> Step:
    """Charges a claimed payment. The bank may ask the owner to authenticate, who then returns to `return_url`."""
    payment = claim.payment
    return_url = urls.public_url(
        "purchase.authenticated",
        subscription_id=key.subscription_id,
        quote_id=payment.quote_id,
        procedure="renew",
    )
    counted = None
    if ask_tenant:
        counted = _count_active_users(claim.tenant)
        if counted is None:
            tally["uncounted"] += 1
    outcome = payments.ask_gateway(payment, return_url)
    return Step("silent", False) if outcome is None else _settle(key, payment, outcome, counted)


def _settle(key: SubscriptionKey, payment: Payment, outcome: Outcome, counted: ActiveUsers | None) -> Step:
    """Writes the outcome of a claimed payment, and what can be known ahead if nothing more is due."""
    with transaction():
        subscription = loading.load(*key, lock=True)
        if subscription.paused:
            return Step("silent", False)
        if not payments.is_open(subscription, payment.key):
            return Step(None, True)  # another process has settled it
        now = ports().clock.now(subscription.account)
        if counted is not None and isinstance(outcome, Captured):
            subscription = active_users.store_count(subscription, counted)
        outcomes.write_outcome(subscription, payment, outcome, now)
        if payment.state != "captured":
            return _step(payment)
        subscription = _renewed(subscription, payment.quote)
        if _due_now(subscription, now) is not None:
            return _step(payment)
        _write_ahead(subscription, now)
        return Step(PAYMENT_OUTCOMES["captured"], False)


def _renewed(subscription: Subscription, quote: Quote) -> Subscription:
    """The subscription as it is after the automatic renewal by this quote."""
    prices = subscription.prices_on(subscription.facts.boundary(quote.ordinal))
    period = BilledPeriod(quote.ordinal, quote.seats, "paid", prices)
    return replace(
        subscription,
        periods=[*subscription.periods, period],
        open_changes=[change for change in subscription.open_changes if change.kind != ChangeKind.REDUCTION],
        unpaid=[payment for payment in subscription.unpaid if payment.state != "pending"],
    )


def _count_active_users(tenant: str) -> ActiveUsers | None:
    """The active users as the period begins, for the warning about too few seats.

    If the tenant does not answer, its last answer is used: the renewal must not wait for a warning.
    """
    try:
        return active_users.ask_tenant(tenant)
    except Exception:
        log.exception("the active users of tenant %s were not counted", tenant)
        return None
    finally:
        db.session.rollback()


def _step(payment: Payment) -> Step:
    if payment.state == "pending":
        return Step("waiting" if payment.action_url else "silent", False)
    if payment.backup_due:
        return Step(None, True)
    return Step(PAYMENT_OUTCOMES[payment.state], True)


def _reconcile(key: SubscriptionKey, quote_id: str) -> Step:
    """The outcome of a pending payment, after asking the gateway."""
    try:
        is_ours, silent = payments.reconcile(*key, quote_id), False
    except OutcomeUnknown:
        is_ours, silent = False, True
    payment = quotes.load_quote(*key, quote_id).payments[-1]
    if payment.state != "pending":
        return _step(payment) if is_ours else Step(None, True)  # another process has settled it
    waited = payments.waiting_time(payment, loading.load(*key).account)
    if waited >= payments.LONG_PENDING and not payment.challenged:
        log.error("payment %s has been pending for %s: look it up at the gateway", payment.key, waited)
    return Step("silent" if silent else "waiting", False)


def notices_to_write(subscription: Subscription, now: datetime) -> list[Message]:
    """The notices before a renewal that are due and not written yet. A late notice is still written."""
    facts, today = subscription.facts, now.date()
    days_ahead = [notice.days_ahead for notice in notice_days(facts) if notice.day <= today < facts.paid_until]
    if not days_ahead:
        return []
    return outbox.before_renewal(subscription, min(days_ahead), summary.renewal_total(subscription), now)


def next_event(account_id: str) -> datetime | None:
    """The next instant, in the account's zone, at which a sweep would do something. The sandbox's clock stops there."""
    account = db.session.get_one(Account, account_id)
    now = ports().clock.now(account)
    subscriptions = loading.load_all(account_id)
    days = [day for subscription in subscriptions for day in _event_days(subscription.facts, now.date())]
    midnights = [datetime.combine(day, time(), ZoneInfo(account.zone)) for day in days if day > now.date()]
    pending = [payment for subscription in subscriptions for payment in subscription.pending_payments]
    moments = [moment for payment in pending for moment in payments.moments_to_ask(payment) if moment > now]
    return min([*midnights, *moments], default=None)


def next_due_day(facts: Facts, today: date) -> date | None:
    """The first day after today on which something becomes due, or a notice is to be written."""
    return min((day for day in _event_days(facts, today) if day > today), default=None)


def _event_days(facts: Facts, today: date) -> list[date]:
    next_due = due(facts, today)
    days = [notice.day for notice in notice_days(facts)]
    return days if next_due is None else [next_due.day, *days]


def write_quiet(key: SubscriptionKey, until: date | None) -> None:
    """Writes until when the subscription needs no check, in the open transaction. None writes nothing."""
    if until is not None:
        db.session.execute(insert(Quiet).values(**key._asdict(), until=until))
