"""Paying a quote, for a renewal or an addition.

The order of a charge: a pending payment is committed; the gateway is asked with its key while no transaction is open;
one transaction writes the outcome with everything that follows from it.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from ..db import db, transaction
from ..domain.refusals import QuoteMoved, Refusal
from ..models.accounts import Account
from ..models.purchases import Payment, Quote
from ..models.subscriptions import PaymentRead, Subscription
from ..ports import (
    ActionRequired,
    ActiveUsers,
    Cancelled,
    Outcome,
    OutcomeUnknown,
    ports,
)
from ..subscriptions.active_users import current_count, store_count
from ..subscriptions.challenges import close_challenge, load_payment
from ..subscriptions.loading import load
from . import hold, outcomes
from .quotes import check_card, draft, load_quote, needs_count

UNHEARD_OF_AFTER = timedelta(seconds=15)  # three time-outs: a charge that the gateway does not know by then is given up
LONG_PENDING = timedelta(days=1)  # after this a person must look the payment up at the gateway


def pay(
    account_id: str, subscription_id: str, quote_id: str, attempt: int, return_url: str, card_id: str | None = None
) -> Payment:
    """Pay (renew, step 8): charges exactly the quote, once. The payment stays pending if its outcome is unknown.

    `attempt` is the number that the overview offered. The same attempt sent again returns the same payment, and a paid
    quote always returns the payment that paid it. `card_id` is the card that the overview showed.

    An automatic payment that waits for the owner's confirmation is given up for this one.

    Raises NotFound, QuoteMoved, CardMissing, CardExpired, ActiveUsersUnknown, PaymentsHeld, the refusals of the quote's
    kind, and OutcomeUnknown if the gateway does not answer whether that payment is given up.
    """
    quote = load_quote(account_id, subscription_id, quote_id)
    subscription, counted, given_up = quote.subscription, None, None
    if len(quote.payments) < attempt:
        counted = current_count(subscription, needed=needs_count(quote.kind))
        if subscription.facts.challenge_open and _would_charge(account_id, subscription_id, quote_id, attempt, card_id):
            given_up = cancel_challenge(account_id, subscription_id)
    begun = _begin_attempt(account_id, subscription_id, quote_id, attempt, card_id, counted, given_up)
    if begun.expired:
        with suppress(OutcomeUnknown):
            reconcile(account_id, subscription_id, quote_id)
        return load_payment(account_id, begun.payment_key)
    return charge(account_id, subscription_id, begun.payment_key, return_url)


class Attempt(NamedTuple):
    """A committed payment. `expired`: it is pending and its quote has expired, so it must not be charged any more."""

    payment_key: str
    expired: bool


def _would_charge(account_id: str, subscription_id: str, quote_id: str, attempt: int, card_id: str | None) -> bool:
    """Whether this attempt is new and its quote up to date. Raises Refusal."""
    quote = load_quote(account_id, subscription_id, quote_id)
    if _earlier_payment(quote, attempt) is not None:
        return False
    hold.check(quote.subscription)
    _fresh, changes = _compare(quote, card_id, ports().clock.now(quote.subscription.account))
    return not changes


def _begin_attempt(
    account_id: str,
    subscription_id: str,
    quote_id: str,
    attempt: int,
    card_id: str | None,
    counted: ActiveUsers | None,
    given_up: str | None,
) -> Attempt:
    """Commits the pending payment of an attempt; or a fresh quote if this one is out of date, and raises QuoteMoved.

    If the attempt was made before, or the quote is paid, it is that payment. `counted` is stored, after a refusal, too.
    `given_up`: see `cancel_challenge`.
    """
    with transaction(commits_at=Refusal) as session:
        quote = load_quote(account_id, subscription_id, quote_id, lock=True)
        quote.subscription = store_count(quote.subscription, counted)
        now = ports().clock.now(quote.subscription.account)
        payment = _earlier_payment(quote, attempt)
        if payment is None or payment.state == "pending":
            hold.check(quote.subscription)
        if payment is None:
            fresh, changes = _compare(quote, card_id, now)
            if changes:
                session.add(fresh)
                raise QuoteMoved(fresh.id, changes)
            close_challenge(quote.subscription, given_up, now)
            payment = claim(quote, now)
            session.add(payment)
        return Attempt(payment.key, payment.state == "pending" and quote.expires_at <= now)


def charge(account_id: str, subscription_id: str, key: str, return_url: str) -> Payment:
    """Asks the gateway to charge a pending payment, and writes the outcome."""
    payment = load_payment(account_id, key)
    if payment.state == "pending" and (outcome := ask_gateway(payment, return_url)) is not None:
        settle(account_id, subscription_id, key, outcome)
    return load_payment(account_id, key)


def ask_gateway(payment: Payment, return_url: str) -> Outcome | None:
    """Asks the gateway to charge a pending payment, while no transaction is open.

    None: the outcome is not known. The payment stays pending: its page says so, and the sweep asks for the outcome.
    """
    account_id, key, token = payment.account_id, payment.key, payment.card_token
    money, present = payment.quote.money, not payment.automatic
    db.session.rollback()
    with suppress(OutcomeUnknown):
        return ports().gateway.charge(account_id, key, token, money, return_url, present)
    return None


def _earlier_payment(quote: Quote, attempt: int) -> Payment | None:
    """The payment that already answers this attempt, if any."""
    if quote.unrefused is not None:
        return quote.unrefused
    return quote.payments[attempt - 1] if attempt <= len(quote.payments) else None


def _compare(quote: Quote, card_id: str | None, now: datetime) -> tuple[Quote, dict[str, tuple[object, object]]]:
    """A fresh quote for the same seats, and how it differs from the stored one (see QuoteMoved). Raises Refusal."""
    fresh = draft(quote.subscription, quote.kind, quote.seats, now)
    fresh.card_id = check_card(quote.card, now).id
    changes: dict[str, tuple[object, object]] = {}
    for name in ("ordinal", "net", "tax", "total"):
        before, after = getattr(quote, name), getattr(fresh, name)
        if before != after:
            changes[name] = (before, after)
    if card_id is not None and card_id != quote.card_id:
        changes["card"] = (card_id, quote.card_id)
    if quote.expires_at <= now:
        changes["expires_at"] = (quote.expires_at, fresh.expires_at)
    if quote.lines != fresh.lines or (quote.tax_treatment, quote.tax_rate) != (fresh.tax_treatment, fresh.tax_rate):
        changes["lines"] = (None, None)
    return fresh, changes


def claim(quote: Quote, now: datetime, key: str = "", backup_of: str | None = None) -> Payment:
    """A new pending payment, to be committed before the gateway is asked. Two unique indexes refuse a second one.

    An automatic charge has a `key` of its own. An owner's purchase has the quote and the attempt as its key.
    `backup_of`: see Payment.
    """
    attempt = len(quote.payments) + 1
    quote.buyer = quote.subscription.account.buyer  # of the moment at which the tax was last compared
    card = quote.card  # None only in an automatic renewal, which is declined without asking the gateway
    payment = Payment(
        account_id=quote.account_id,
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
        decline_code=None,
        action_url=None,
        created_at=now,
        settled_at=None,
        backup_due=False,
        backup_of=backup_of,
    )
    payment.quote = quote
    return payment


def settle(
    account_id: str,
    subscription_id: str,
    key: str,
    outcome: Outcome,
    *,
    while_held: bool = False,
) -> bool:
    """Writes the gateway's outcome of a payment, with everything that follows from it. False: another process did.

    While payments are held, nothing is written, because the invoice would get a number that may be in use already;
    `while_held` is for the caller who has seen to that.
    """
    with transaction():
        subscription = load(account_id, subscription_id, lock=True)
        if is_open(subscription, key) and (while_held or not subscription.paused):
            now = ports().clock.now(subscription.account)
            outcomes.write_outcome(subscription, load_payment(account_id, key), outcome, now)
            return True
    return False


def is_open(subscription: Subscription, key: str) -> bool:
    """Whether the payment waits for its outcome. If not, another process has settled it."""
    return any(payment.key == key for payment in subscription.pending_payments)


def reconcile(account_id: str, subscription_id: str, quote_id: str, *, while_held: bool = False) -> bool:
    """Asks the gateway for the outcome of a quote's pending payment, and writes it. False: nothing was written.

    A charge that the gateway does not know is cancelled there before it is given up, so it can never be made late.
    A 3-D Secure challenge that outlived its quote is cancelled, too. `while_held`: as for `settle`.
    Raises NotFound and OutcomeUnknown.
    """
    quote = load_quote(account_id, subscription_id, quote_id)
    payment = quote.unrefused
    if payment is None or payment.state != "pending":
        return False
    now = ports().clock.now(quote.subscription.account)
    key = payment.key
    quote_expired, unheard_of = now >= quote.expires_at, now >= payment.created_at + UNHEARD_OF_AFTER
    db.session.rollback()
    outcome = ports().gateway.find(account_id, key)
    challenged = isinstance(outcome, ActionRequired)
    if (outcome is None and unheard_of) or (challenged and quote_expired):
        outcome = ports().gateway.cancel(account_id, key)
    return outcome is not None and settle(account_id, subscription_id, key, outcome, while_held=while_held)


def moments_to_ask(payment: PaymentRead) -> tuple[datetime, datetime]:
    """When `reconcile` gives up a pending payment: a charge that the gateway does not know, and a challenge."""
    return payment.created_at + UNHEARD_OF_AFTER, payment.quote.expires_at


def waiting_time(payment: Payment, account: Account) -> timedelta:
    """The time since the payment was begun."""
    return ports().clock.now(account) - payment.created_at


def abandon(account_id: str, subscription_id: str, quote_id: str) -> None:
    """Gives up a 3-D Secure challenge, first at the gateway and then here. Raises NotFound and OutcomeUnknown."""
    payment = load_quote(account_id, subscription_id, quote_id).unrefused
    if payment is not None and payment.challenged:
        key = payment.key
        db.session.rollback()
        settle(account_id, subscription_id, key, ports().gateway.cancel(account_id, key))


def cancel_challenge(account_id: str, subscription_id: str) -> str | None:
    """Cancels an open challenge of the sweep at the gateway, for a command that replaces it: Cancel or Pay.

    Returns its key. The transaction of the command closes it here (`close_challenge`), so that guard and write are
    together; if the process dies before, the next sweep closes it. None if there is no such challenge, or if the owner
    had answered the bank meanwhile: then that outcome is written. Raises NotFound and OutcomeUnknown.
    """
    subscription = load(account_id, subscription_id)
    if not subscription.facts.challenge_open:
        return None
    key = subscription.pending_payments[0].key
    db.session.rollback()
    outcome = ports().gateway.cancel(account_id, key)
    if isinstance(outcome, Cancelled):
        return key
    settle(account_id, subscription_id, key, outcome)
    return None
