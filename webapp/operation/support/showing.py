"""`support show`: an account as its owner sees it."""

from collections.abc import Iterator
from datetime import timedelta

import click
from flask_babel import force_locale
from sqlalchemy import or_, select

from ...accounts import activity
from ...db import db, transaction
from ...formats import card_name
from ...invoices import listing
from ...models.accounts import Member
from ...models.mail import Message
from ...models.purchases import Payment, Refund
from ...ports import ports
from ...purchases.refunds import format_amount
from ...purchases.wallet import cards_of
from ...subscriptions import loading
from ...subscriptions.summary import Summary, summary
from . import acting

MAILS, INVOICES = 20, 5  # that are shown at most
DAY = timedelta(days=1)


@click.command("show")
@acting.acts
def show(account_id: str) -> None:
    """Show an account as its owner sees it."""
    with transaction():
        account = acting.account_row(account_id)
        activity.record(account_id, "viewed", ports().clock.now(account))
    with force_locale("en"):
        for line in described(account_id):
            click.echo(line)
    db.session.rollback()


def described(account_id: str) -> Iterator[str]:
    account = acting.account_row(account_id)
    yield f"{account.legal_name}, {account.postal_code} {account.city}, {account.country}"
    yield f"  account {account_id}, now {ports().clock.now(account):%Y-%m-%d %H:%M} ({account.zone})"
    if account.deactivated_at is not None:
        yield f"  deactivated on {account.local(account.deactivated_at):%Y-%m-%d} by {account.deactivated_by}"
    yield f"  account manager {account.manager_name} <{account.manager_email}>, {account.manager_phone}"
    yield f"  documents go to {', '.join(account.billing_emails) or 'nobody'}, in {account.document_locale}"
    yield from _members(account_id)
    yield from _subscriptions(account_id)
    yield from _cards(account_id)
    yield from _pending(account_id)
    yield from _invoices(account_id)
    yield from _mails(account_id)


def _members(account_id: str) -> Iterator[str]:
    yield "Members"
    for member in db.session.scalars(select(Member).where(Member.account_id == account_id).order_by(Member.email)):
        yield f"  {member.role}  {member.name} <{member.email}>"


def _subscriptions(account_id: str) -> Iterator[str]:
    yield "Subscriptions"
    for subscription in loading.load_all(account_id):
        yield from _subscription(summary(subscription))


def _subscription(shown: Summary) -> Iterator[str]:
    one = shown.subscription
    yield f"  {one.id}  {one.product} on {one.tenant}: {shown.status}, {shown.seats} seats, {one.active_users} active"
    if one.reseller:
        yield f"    managed by {one.reseller}"
    if shown.ended_on:
        yield f"    ended; last day {shown.ended_on - DAY}"
        return
    yield f"    period {shown.period.start} to {shown.period.end - DAY}"
    if shown.self_service and shown.projected_seats:
        card = card_name(shown.card.brand, shown.card.last4) if shown.card else "no card"
        amount = format_amount(shown.next_total.amount, shown.next_total.currency)
        yield f"    next charge {shown.renews_on}: {amount} for {shown.projected_seats} seats, {card}"
    if new := one.new_prices:
        yield f"    new prices from {new.first_day}"
    for change in shown.changes:
        day = one.facts.boundary(change.effective_ordinal)
        seats = f" to {change.seats} seats" if change.seats else ""
        yield f"    {change.kind} requested{seats}, from {day} ({change.id})"
    if one.held:
        yield "    held: a capture could not be booked (see doctor)"


def _cards(account_id: str) -> Iterator[str]:
    yield "Cards"
    for own in cards_of(account_id):
        role = "default" if own.is_default else "backup" if own.is_backup else "other"
        expiry = f"{own.card.exp_month:02d}/{own.card.exp_year}"
        yield f"  {role}  {card_name(own.card.brand, own.card.last4)}, until {expiry}"


def _pending(account_id: str) -> Iterator[str]:
    yield "Pending payments and refunds"
    payments = select(Payment).where(Payment.account_id == account_id, Payment.state == "pending")
    for payment in db.session.scalars(payments.order_by(Payment.created_at)):
        why = "waits for the bank's confirmation" if payment.action_url else "its outcome is unknown"
        amount = format_amount(payment.amount, payment.currency)
        yield f"  payment {payment.key} of {amount}, since {payment.created_at:%Y-%m-%d %H:%M}: {why}"
    refunds = select(Refund).where(Refund.account_id == account_id, Refund.state == "pending")
    for refund in db.session.scalars(refunds.order_by(Refund.created_at)):
        yield f"  refund {refund.key}, since {refund.created_at:%Y-%m-%d %H:%M}"


def _invoices(account_id: str) -> Iterator[str]:
    yield "Newest invoices"
    for invoice in listing.invoices_of(account_id)[:INVOICES]:
        amount = format_amount(invoice.total, invoice.currency)
        yield f"  {invoice.number}  {invoice.issued_on}  {amount}  {invoice.status}"


def _mails(account_id: str) -> Iterator[str]:
    yield "Mails that were not sent"
    failed = or_(Message.delivery == "given_up", Message.fault.is_not(None))
    query = select(Message).where(Message.account_id == account_id, failed, Message.delivery != "sent")
    for mail in db.session.scalars(query.order_by(Message.sent_at.desc(), Message.id).limit(MAILS)):
        state = "given up" if mail.delivery == "given_up" else "tried again later"
        yield f"  {mail.id}  to {mail.recipient}: {mail.subject} ({state}: {mail.fault})"
