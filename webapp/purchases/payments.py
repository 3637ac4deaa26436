"""A purchase from quote to receipt, for a renewal and for an addition. The same shared rules as `service`.

Order of a charge: the pending payment is committed, the gateway is asked with its key while no transaction is open,
and one transaction writes what came of it.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from ..accounts import activity
from ..db import db, transaction
from ..domain.refusals import QuoteMoved
from ..domain.subscription import ChangeKind
from ..invoices import issuing
from ..mail import outbox
from ..models.accounts import Account
from ..models.purchases import Payment, Quote
from ..models.subscriptions import PeriodRow, Subscription
from ..ports import ActionRequired, Cancelled, Capture, Captured, Declined, Headcount, Outcome, OutcomeUnknown, ports
from ..subscriptions.active_users import refresh_active_users
from ..subscriptions.loading import lock_paid
from ..subscriptions.service import close_change
from . import captures, hold
from .quotes import check_card, draft, load_quote, periods_to_raise

SILENCE_MEANS_NO = timedelta(seconds=15)  # three time-outs: a charge that the gateway never heard of is given up

LONG_PENDING = timedelta(days=1)  # after which a person must look a payment up at the gateway


def pay(
    account_id: str, subscription_id: str, quote_id: str, attempt: int, return_url: str, card_id: str | None = None
) -> Payment:
    """Pay (renew, step 8): charges exactly the quote, once, and says what became of it.

    `attempt` is the number that the overview offered: sent again, it answers as it did the first time, and a quote
    that was paid answers with that payment for ever. `card_id` is the card that the overview
    showed. Raises QuoteMoved, CardMissing, CardExpired and the refusals of
    a renewal, and of a hold. An unknown outcome is a payment that is still pending.
    """
    asked = load_quote(account_id, subscription_id, quote_id)
    if len(asked.payments) < attempt:
        refresh_active_users(account_id, subscription_id, needed=asked.kind == "renewal")
    with transaction() as session:
        quote = load_quote(account_id, subscription_id, quote_id, lock=True)
        over = quote.expires_at <= ports().clock.now(quote.subscription.account)
        payment = _answered(quote, attempt)
        if payment is None or payment.state == "pending":
            hold.check(quote.subscription)
        fresh, changes = (None, {}) if payment else _compare(quote, card_id)
        if fresh is not None:
            session.add(fresh)
        elif payment is None:
            payment = claim(quote, ports().clock.now(quote.subscription.account))
            session.add(payment)
    if fresh is not None:
        raise QuoteMoved(fresh.id, changes)
    assert payment is not None  # noqa: S101  one of the three was made above
    if payment.state == "pending" and over:
        key = payment.key  # what was quoted is over: ask what became of it, and charge nothing more
        with suppress(OutcomeUnknown):
            reconcile(account_id, subscription_id, quote_id)
        return find_payment(key)
    return charge(payment.key, return_url)


def charge(key: str, return_url: str, counted: Headcount | None = None) -> Payment:
    """Asks the gateway for a pending payment, outside any transaction, and settles it with the answer."""
    payment = find_payment(key)
    if payment.state == "pending":
        token, money, present = payment.card_token, payment.quote.money, not payment.automatic
        db.session.rollback()
        with suppress(OutcomeUnknown):  # it stays pending: the page says so, and the sweep finds out
            settle(key, ports().gateway.charge(key, token, money, return_url, present), counted)
    return find_payment(key)


def _answered(quote: Quote, attempt: int) -> Payment | None:
    """The attempt that already answers this request, if any."""
    return quote.unrefused or (quote.payments[attempt - 1] if attempt <= len(quote.payments) else None)


def _compare(quote: Quote, card_id: str | None) -> tuple[Quote | None, dict[str, tuple[object, object]]]:
    """A fresh quote and what changed, where the stored one is no longer what Pay should charge."""
    subscription = quote.subscription
    now = ports().clock.now(subscription.account)
    fresh = draft(subscription, quote.kind, quote.seats, now)
    fresh.card_id = check_card(quote.card, now).id
    changes: dict[str, tuple[object, object]] = {
        name: (before, after)
        for name in ("ordinal", "net", "tax", "total")
        if (before := getattr(quote, name)) != (after := getattr(fresh, name))
    }
    if card_id is not None and card_id != quote.card_id:
        changes["card"] = (card_id, quote.card_id)
    if quote.expires_at <= now:
        changes["expires_at"] = (quote.expires_at, fresh.expires_at)
    if quote.lines != fresh.lines or quote.tax_treatment != fresh.tax_treatment:
        changes.setdefault("lines", (None, None))
    return (fresh if changes else None), changes


def claim(quote: Quote, now: datetime, key: str = "") -> Payment:
    """The row that stands before the gateway is asked; two unique indexes let no second one in.

    `key`: that of the sweep's own charge. An owner's purchase is known by its quote and the number of the try.
    """
    attempt = len(quote.payments) + 1
    card = quote.card  # the sweep may find none
    return Payment(
        key=key or f"{quote.id}.{attempt}",
        quote_id=quote.id,
        subscription_id=quote.subscription_id,
        attempt=attempt,
        state="pending",
        amount=quote.total,
        currency=quote.currency,
        card_token=card.token if card else "",
        card_brand=card.brand if card else "",
        card_last4=card.last4 if card else "",
        created_at=now,
    )


def find_payment(key: str) -> Payment:
    return db.session.scalars(
        select(Payment)
        .where(Payment.key == key)
        .options(joinedload(Payment.quote))
        .execution_options(populate_existing=True)
    ).one()


def settle(key: str, outcome: Outcome, counted: Headcount | None = None, *, while_held: bool = False) -> None:
    """Writes what the gateway said of a payment; a captured one brings its period, invoice and receipt with it.

    `counted`: who is active now, if that was asked. While payments are held nothing is settled, because an invoice
    would get a number that may have been used already; `while_held` is for who sees to that.
    """
    with transaction() as session:
        subscription = lock_paid(key)
        if hold.payments_held() and not while_held:
            return
        payment = next((found for found in subscription.pending_payments if found.key == key), None)
        if payment is None:
            return  # somebody else settled it
        now = ports().clock.now(subscription.account)
        if isinstance(outcome, ActionRequired):
            if payment.automatic and payment.action_url is None:
                session.add_all(outbox.confirm(subscription, payment, now))
            payment.action_url = outcome.url
            return
        if isinstance(outcome, Captured) and not _fits(subscription, payment, outcome.capture):
            return
        payment.settled_at = now
        match outcome:
            case Declined(code):
                refuse(subscription, payment, code, now)
            case Cancelled():
                payment.state = "cancelled"
                _not_made(subscription, payment, now)
            case Captured():
                payment.state = "captured"
                if counted is not None:
                    subscription.active_users, subscription.active_users_as_of = counted
                take_effect(subscription, payment, now)


def _fits(subscription: Subscription, payment: Payment, capture: Capture | None) -> bool:
    """Makes the payment what was captured: a gateway answers a key for its first charge, which a restored database
    may ask about with other seats or prices. False if nothing explains the amount: the subscription is held.
    """
    quote = payment.quote
    if capture is None:
        return True
    if capture.money == quote.money and capture.metadata.get("seats", str(quote.seats)) == str(quote.seats):
        return True
    try:
        captured = captures.explain(subscription, capture)
    except captures.Unexplained as fault:
        captures.hold(subscription.account_id, subscription.id, capture, str(fault))
        return False
    for name in ("seats", "price_list_id", "lines", "net", "tax", "total", "tax_treatment", "tax_rate"):
        setattr(quote, name, getattr(captured, name))
    payment.amount = quote.total
    if capture.card_last4:
        payment.card_brand, payment.card_last4 = capture.card_brand, capture.card_last4
    return True


def refuse(subscription: Subscription, payment: Payment, code: str, now: datetime) -> None:
    """Writes a refusal in the open transaction; the owner hears by mail of one that the sweep met with."""
    payment.state, payment.decline_code, payment.settled_at = "declined", code, now
    if payment.automatic:
        db.session.add_all(outbox.refused(subscription, payment, now))
    card = f"{payment.card_brand} {payment.card_last4}".strip()
    activity.record(
        subscription.account_id,
        "payment_refused",
        now,
        {},
        {"total": payment.amount, "currency": payment.currency, "card": card, "code": payment.decline_code},
        subscription,
    )


def _not_made(subscription: Subscription, payment: Payment, now: datetime) -> None:
    """A charge that turned out not to be made: the owner, who was told to wait, hears of it."""
    told = {"total": payment.amount, "currency": payment.currency}
    activity.record(subscription.account_id, "payment_not_made", now, {}, told, subscription)
    if payment.action_url is None and not payment.automatic:
        db.session.add_all(outbox.not_made(subscription, payment, now))


def take_effect(subscription: Subscription, payment: Payment, now: datetime) -> None:
    """What a capture brings, in the open transaction: the period or its seats, the invoice, the receipt."""
    quote = payment.quote
    before = subscription.facts()
    if quote.kind == "addition":
        for row in periods_to_raise(subscription, quote.ordinal, quote.seats):
            row.seats = quote.seats
    else:
        db.session.add(
            PeriodRow(
                subscription_id=subscription.id,
                ordinal=quote.ordinal,
                seats=quote.seats,
                price_list_id=quote.price_list_id,
                source="paid",
            )
        )
        close_change(subscription, ChangeKind.REDUCTION, "applied" if quote.automatic else "superseded", now)
    invoice = issuing.issue_invoice(subscription, quote, payment, now)
    db.session.add_all(outbox.receipts(subscription, invoice, now))
    if quote.automatic and subscription.active_users > quote.seats:
        db.session.add_all(outbox.over_seats(subscription, payment, quote.seats, now))
    activity.record(
        subscription.account_id,
        f"{quote.kind}_paid",
        now,
        {"seats": before.seats[before.last_paid]},
        {"seats": quote.seats, "total": quote.total, "currency": quote.currency, "invoice": invoice.number},
        subscription,
    )


def reconcile(account_id: str, subscription_id: str, quote_id: str, *, while_held: bool = False) -> None:
    """Asks the gateway what became of a quote's pending payment, and settles it.

    A charge that the gateway never heard of is cancelled there before it is given up, so that it can never be made
    late; so is a 3-D Secure challenge that outlived its quote. Raises OutcomeUnknown while the gateway is silent.
    `while_held`: as for `settle`.
    """
    quote = load_quote(account_id, subscription_id, quote_id)
    payment = quote.unrefused
    if payment is None or payment.state != "pending":
        return
    now = ports().clock.now(quote.subscription.account)
    key, automatic = payment.key, payment.automatic
    expired, silent = now >= quote.expires_at, now >= payment.created_at + SILENCE_MEANS_NO
    db.session.rollback()
    outcome = ports().gateway.find(key)
    challenged = isinstance(outcome, ActionRequired)
    if (outcome is None and silent) or (challenged and expired):
        outcome = _given_up(key, automatic and challenged)
    if outcome is not None:
        settle(key, outcome, while_held=while_held)


def waiting_for(payment: Payment, account: Account) -> timedelta:
    """How long ago the gateway was first asked."""
    return ports().clock.now(account) - payment.created_at


def abandon(account_id: str, subscription_id: str, quote_id: str) -> None:
    """The owner gives up a 3-D Secure challenge: cancelled at the gateway first, then here."""
    payment = load_quote(account_id, subscription_id, quote_id).unrefused
    if payment is not None and payment.state == "pending" and payment.action_url is not None:
        key, automatic = payment.key, payment.automatic
        db.session.rollback()
        settle(key, _given_up(key, automatic))


def _given_up(key: str, counts: bool) -> Outcome:
    """Cancelled at the gateway; a challenge of the sweep `counts` as an attempt, or it would charge again at once."""
    outcome = ports().gateway.cancel(key)
    return Declined("authentication_failed") if counts and isinstance(outcome, Cancelled) else outcome
