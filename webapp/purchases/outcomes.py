"""What follows from the outcome of a payment, written in the open transaction, which holds the subscription's lock."""

from datetime import datetime

from sqlalchemy import ColumnElement, update

from ..accounts import activity
from ..db import db, insert_rows, update_row
from ..domain.subscription import ChangeKind, attempt_day
from ..invoices import issuing
from ..mail import outbox
from ..models.accounts import Issuer
from ..models.invoices import Invoice
from ..models.purchases import Payment, Quote
from ..models.subscriptions import PeriodRow, Subscription
from ..ports import ActionRequired, Cancelled, Captured, Declined, Outcome
from ..subscriptions.challenges import AUTHENTICATION_FAILED, load_payment, write_decline
from ..subscriptions.service import close_change
from . import captures


def write_outcome(subscription: Subscription, payment: Payment, outcome: Outcome, now: datetime) -> None:
    """Writes the outcome of an open payment, in the open transaction, which must hold the subscription's lock."""
    match outcome:
        case ActionRequired(url):
            _require_action(subscription, payment, url, now)
        case Declined(code):
            decline(subscription, payment, code, now)
        case Cancelled() if payment.automatic and payment.challenged:
            decline(subscription, payment, AUTHENTICATION_FAILED, now)  # so that the next attempt is another day
        case Cancelled():
            _cancel(subscription, payment, now)
        case Captured(capture):
            if capture is None or captures.adopt(subscription, payment, capture):
                update_row(payment, state="captured", settled_at=now)
                take_effect(subscription, payment, now)


def _require_action(subscription: Subscription, payment: Payment, url: str, now: datetime) -> None:
    """The payment stays pending until the owner has authenticated; for an automatic one a mail asks for that, once."""
    if payment.automatic and payment.action_url is None:
        insert_rows(*outbox.confirm(subscription, payment, now))
    if payment.action_url != url:
        update_row(payment, action_url=url)


def decline(subscription: Subscription, payment: Payment, code: str, now: datetime) -> None:
    """The owner gets a mail if the payment was automatic, since nobody saw the page. If there is a backup card, the
    sweep charges it first: then one mail tells of both."""
    is_first = payment.automatic and payment.backup_of is None
    backup_due = is_first and backup_usable(subscription, payment.card_token, now)
    write_decline(subscription, payment, code, now, backup_due=backup_due)
    if payment.automatic and not backup_due:
        _report_refusal(subscription, payment, now, _before_backup(payment))


def _report_refusal(subscription: Subscription, payment: Payment, now: datetime, before: Payment | None = None) -> None:
    """The mails about an automatic attempt that was refused and, after the last one, the record of the lapse."""
    insert_rows(*outbox.refused(subscription, payment, now, before))
    if attempt_day(outbox.after_refusal(subscription, payment, now)) is None:
        activity.record(subscription.account_id, "lapsed", now, subscription=subscription)


def backup_usable(subscription: Subscription, refused_token: str, now: datetime) -> bool:
    """Whether the backup card can be charged today. It may be the card that was refused, if the roles have changed."""
    backup = subscription.backup_card
    return backup is not None and backup.token != refused_token and not backup.expired(now.date())


def give_up_backup(subscription: Subscription, refused_key: str, now: datetime) -> None:
    """The backup card can no longer be charged after this refusal: the owner is told of it, in the open transaction."""
    payment = load_payment(subscription.account_id, refused_key)
    update_row(payment, backup_due=False)
    _report_refusal(subscription, payment, now)


def _before_backup(payment: Payment) -> Payment | None:
    """The refused payment of the default card, if this one charges the backup card."""
    return load_payment(payment.account_id, payment.backup_of) if payment.backup_of is not None else None


def _cancel(subscription: Subscription, payment: Payment, now: datetime) -> None:
    """The charge was not made. The owner gets a mail if a page said that the outcome was unknown."""
    update_row(payment, state="cancelled", settled_at=now)
    after = {"total": payment.amount, "currency": payment.currency}
    activity.record(subscription.account_id, "payment_not_made", now, {}, after, subscription)
    if payment.action_url is None and not payment.automatic:
        insert_rows(*outbox.not_made(subscription, payment, now))


def take_effect(subscription: Subscription, payment: Payment, now: datetime) -> None:
    """What follows from a captured payment: the period or its seats, the invoice, the mails and the activity."""
    quote = payment.quote
    before = {"seats": subscription.facts.last_paid_seats}
    if quote.kind == "addition":
        raised = update(PeriodRow).where(*_periods_of(subscription))
        raised = raised.where(PeriodRow.ordinal >= quote.ordinal, PeriodRow.seats < quote.seats)
        db.session.execute(raised.values(seats=quote.seats))
    else:
        _add_period(subscription, quote, now)
    if quote.automatic and subscription.active_users > quote.seats:
        insert_rows(*outbox.over_seats(subscription, payment, quote.seats, now))
    invoice = _issue_with_receipts(subscription, payment, now)
    after = {"seats": quote.seats, "total": quote.total, "currency": quote.currency, "invoice": invoice.number}
    if payment.backup_of is not None:
        after["card"] = f"{payment.card_brand} {payment.card_last4}"
    activity.record(subscription.account_id, f"{quote.kind}_paid", now, before, after, subscription)


def _issue_with_receipts(subscription: Subscription, payment: Payment, now: datetime) -> Invoice:
    """The mails are written before the invoice gets its number, since other renewals wait from then on."""
    issuer = db.session.get_one(Issuer, subscription.account.issuer_id)
    invoice = issuing.draft_invoice(issuer, subscription, payment.quote, payment, now)
    refused = _before_backup(payment)
    drafted_on, mails = invoice.issued_on, outbox.receipts(subscription, invoice, now, refused)
    invoice.number, invoice.issued_on = issuing.next_number(issuer, now)
    if invoice.issued_on == drafted_on:
        mails = outbox.numbered(mails, issuing.NUMBER_TO_COME, invoice.number)
    else:
        mails = outbox.receipts(subscription, invoice, now, refused)
    insert_rows(invoice)
    insert_rows(*mails)
    return invoice


def _periods_of(subscription: Subscription) -> tuple[ColumnElement[bool], ...]:
    return PeriodRow.account_id == subscription.account_id, PeriodRow.subscription_id == subscription.id


def _add_period(subscription: Subscription, quote: Quote, now: datetime) -> None:
    """An automatic renewal applies an open reduction; the owner's own renewal supersedes it."""
    insert_rows(
        PeriodRow(
            account_id=subscription.account_id,
            subscription_id=subscription.id,
            ordinal=quote.ordinal,
            seats=quote.seats,
            price_list_id=quote.price_list_id,
            source="paid",
        )
    )
    close_change(subscription, ChangeKind.REDUCTION, "applied" if quote.automatic else "superseded", now)
