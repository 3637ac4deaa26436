"""Refunds and their credit notes: money of a paid invoice goes back to the card that paid it.

The order is that of a charge. The pending refund is committed. The gateway is asked while no transaction is open. Then
one transaction writes the outcome and the credit note. If the outcome is unknown, the refund stays pending, and the
sweep asks again with the same key, so the money goes back only once.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import func, select

from ..accounts import activity
from ..config import COMMAND
from ..db import LOCK, Across, across, db, transaction
from ..domain.money import Money
from ..domain.tax import credited_tax
from ..invoices import issuing
from ..mail import outbox
from ..models.accounts import Account
from ..models.invoices import Invoice
from ..models.purchases import Refund
from ..ports import Declined, OutcomeUnknown, Refunded, ports
from ..subscriptions import loading
from . import hold, payments

log = logging.getLogger(__name__)
REASON_LENGTH = 300


class NotCredited(Exception):
    """The refund is not possible and nothing was written. The message tells the operator why."""


def credit(account_id: str, number: str, net: int | None = None, reason: str = "") -> Refund:
    """Refunds `net` cents (before tax) of an invoice, or all that is left. Returns the refund with its outcome.

    While a refund of this invoice is pending, this asks for its outcome and begins no other. Raises NotCredited.
    """
    return request(account_id, _claim(account_id, number, net, reason))


def _claim(account_id: str, number: str, net: int | None, reason: str) -> str:
    """Commits a pending refund, unless one is pending already. Returns its key."""
    reason = " ".join(reason.split())
    if len(reason) > REASON_LENGTH or not reason.isprintable():
        raise NotCredited(f"The reason is one line of at most {REASON_LENGTH} letters.")
    with transaction() as session:
        if hold.payments_held():
            raise NotCredited(f"Payments are paused, because a copy was restored: run `{COMMAND} restored` first.")
        invoice = _creditable(account_id, number)
        refunds = session.scalars(
            select(Refund).where(Refund.account_id == account_id, Refund.invoice_id == invoice.id)
        ).all()
        pending = next((refund for refund in refunds if refund.state == "pending"), None)
        if pending is not None and net in (None, pending.net):
            return pending.key
        if pending is not None:
            shown = format_amount(pending.net, invoice.currency)
            raise NotCredited(f"A refund of {shown} before tax is pending: settle it first, by leaving out --net.")
        refund = _new_refund(invoice, refunds, net)
        refund.reason, refund.created_at = reason, ports().clock.now(session.get_one(Account, account_id))
        key = refund.key
        session.add(refund)
    return key


def _creditable(account_id: str, number: str) -> Invoice:
    """Locks and returns an invoice of this account that was paid through the gateway. Raises NotCredited."""
    issuer = select(Account.issuer_id).where(Account.id == account_id).scalar_subquery()
    query = select(Invoice).where(Invoice.account_id == account_id, Invoice.number == number)
    query = query.where(Invoice.issuer_id == issuer).with_for_update(of=Invoice, key_share=True)
    invoice = db.session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if invoice is None:
        raise NotCredited(f"The account {account_id} has no invoice {number}.")
    if invoice.kind != "invoice":
        raise NotCredited(f"{number} is a credit note: name the invoice that it credits.")
    if invoice.payment_key is None:
        raise NotCredited(f"The invoice {number} was not paid through the gateway: nothing can be refunded there.")
    return invoice


def _new_refund(invoice: Invoice, refunds: Sequence[Refund], net: int | None) -> Refund:
    """A refund of `net` cents, or of all that earlier `refunds` left. Raises NotCredited."""
    before = sum(refund.net for refund in refunds if refund.state != "refused")
    left = invoice.net - before
    if left <= 0:
        raise NotCredited(f"Nothing is left to credit of the invoice {invoice.number}.")
    net = left if net is None else net
    if not 0 < net <= left:
        shown = format_amount(left, invoice.currency)
        raise NotCredited(f"{shown} before tax are left of the invoice {invoice.number}: give 1 to {left} cents.")
    tax = credited_tax(net, before, invoice.net, invoice.tax, invoice.snapshot["tax_rate"])
    return Refund(
        account_id=invoice.account_id,
        key=f"{invoice.payment_key}.r{len(refunds) + 1}",
        payment_key=invoice.payment_key,
        invoice_id=invoice.id,
        net=net,
        tax=tax,
        total=net + tax,
        state="pending",
    )


def format_amount(cents: int, currency: str) -> str:
    """`1,234.50 EUR`, for the command line."""
    return f"{cents // 100:,}.{cents % 100:02d} {currency}"


def find_refund(account_id: str, key: str) -> Refund:
    return db.session.get_one(Refund, (account_id, key), populate_existing=True)


def request(account_id: str, key: str) -> Refund:
    """Asks the gateway to make a pending refund, while no transaction is open, and writes the outcome."""
    refund = find_refund(account_id, key)
    if refund.state == "pending":
        invoice = db.session.get_one(Invoice, (account_id, refund.invoice_id))
        payment_key, money = refund.payment_key, Money(refund.total, invoice.currency)
        db.session.rollback()
        with suppress(OutcomeUnknown):  # it stays pending
            _settle(account_id, key, ports().gateway.refund(account_id, key, payment_key, money))
    return find_refund(account_id, key)


def _settle(account_id: str, key: str, outcome: Refunded | Declined) -> None:
    with transaction() as session:
        invoice_id = find_refund(account_id, key).invoice_id
        invoice = session.get_one(Invoice, (account_id, invoice_id), with_for_update=LOCK, populate_existing=True)
        refund = find_refund(account_id, key)
        if refund.state != "pending" or hold.payments_held():
            return  # another process has settled it, or no credit note may be numbered now
        subscription = loading.load(account_id, invoice.subscription_id)
        account = subscription.account
        now = ports().clock.now(account)
        if isinstance(outcome, Declined):
            refund.state, refund.settled_at = "refused", now
            log.error("the gateway refused refund %s", key)
            return
        note = issuing.issue_credit_note(account.issuer_id, invoice, refund, now)
        refund.state, refund.settled_at, refund.credit_note_id = "made", now, note.id
        session.add_all(outbox.credited(subscription, note, now))
        after = {"total": note.total, "currency": note.currency, "invoice": invoice.number, "credit_note": note.number}
        activity.record(account.id, "credit_note_issued", now, {}, after, subscription)


class PendingRefund(NamedTuple):
    account_id: str
    key: str


def pending_keys(account_id: str | None, limit: int) -> list[PendingRefund]:
    """The keys of pending refunds, in random order, so that a stuck refund cannot block the others for ever."""
    query = select(Refund.account_id, Refund.key).where(Refund.state == "pending").order_by(func.random()).limit(limit)
    query = across(query, Across.SWEEP) if account_id is None else query.where(Refund.account_id == account_id)
    keys = [PendingRefund(*row) for row in db.session.execute(query)]
    db.session.rollback()
    return keys


def check(account_id: str, key: str) -> str:
    """Asks the gateway for a pending refund and returns its state. Logs an error if it is pending for LONG_PENDING."""
    refund = request(account_id, key)
    if refund.state == "pending":
        waited = ports().clock.now(db.session.get_one(Account, account_id)) - refund.created_at
        if waited >= payments.LONG_PENDING:
            log.error("refund %s has been pending for %s: look it up at the gateway", key, waited)
    return refund.state
