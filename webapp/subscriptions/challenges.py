"""Declined payments, and a challenge (3-D Secure) of the sweep that a command of the owner replaces."""

from datetime import datetime

from sqlalchemy import and_, bindparam, select, update

from ..accounts import activity
from ..db import db, update_row
from ..domain.refusals import PaymentPending
from ..formats import card_name
from ..models.purchases import Payment, Quote
from ..models.subscriptions import Subscription

AUTHENTICATION_FAILED = "authentication_failed"
_payment_with_quote = (
    select(Payment, Quote)
    .join(Quote, and_(Quote.account_id == Payment.account_id, Quote.id == Payment.quote_id))
    .where(Payment.account_id == bindparam("of_account"), Payment.key == bindparam("of_key"))
    .execution_options(populate_existing=True)
)


def write_decline(
    subscription: Subscription, payment: Payment, code: str, now: datetime, *, backup_due: bool = False
) -> None:
    """Writes that a payment was declined, in the open transaction. `backup_due`: see Payment."""
    update_row(payment, state="declined", decline_code=code, settled_at=now, backup_due=backup_due)
    if payment.backup_of is not None:
        of_default = Payment.account_id == payment.account_id, Payment.key == payment.backup_of
        db.session.execute(update(Payment).where(*of_default).values(backup_due=False))
    card = card_name(payment.card_brand, payment.card_last4) if payment.card_last4 else ""
    after = {
        "total": payment.amount,
        "currency": payment.currency,
        "tax_rate": payment.quote.tax_rate,
        "card": card,
        "code": code,
    }
    activity.record(subscription.account_id, "payment_refused", now, {}, after, subscription)


def load_payment(account_id: str, key: str) -> Payment:
    """A payment with its quote, freshly read."""
    payment, quote = db.session.execute(_payment_with_quote, {"of_account": account_id, "of_key": key}).one()
    payment.quote = quote
    return payment


def close_challenge(subscription: Subscription, given_up: str | None, now: datetime) -> None:
    """Declines the pending challenge that was cancelled at the gateway, in the open transaction.

    `given_up` is the key of its payment. It counts as an attempt, so the sweep does not charge again on the same day.
    No mail is sent, since the owner is at the page that replaces it. Raises PaymentPending for another payment.
    """
    for pending in subscription.pending_payments:
        if pending.key != given_up:
            raise PaymentPending
        write_decline(subscription, load_payment(subscription.account_id, pending.key), AUTHENTICATION_FAILED, now)
