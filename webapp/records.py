"""The tables of what is written once and kept: invoices and their numbers, mails, cases, activity."""

from collections.abc import Callable
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from flask import current_app
from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from .db import Instant, Model, new_id
from .models import Currency, Id, one_of


class InvoiceCounter(Model):
    """The last number given, by issuer and year: its row lock is what keeps the numbers without a gap."""

    __tablename__ = "invoice_counter"
    issuer_id: Mapped[str] = mapped_column(ForeignKey("issuer.id"), primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True)
    last_number: Mapped[int]
    last_issued_on: Mapped[date]


class Status(StrEnum):
    """What the list can be narrowed to."""

    PAID = "paid"
    PARTLY_CREDITED = "partly_credited"
    CREDITED = "credited"
    CREDIT_NOTE = "credit_note"


STATUS = (
    "status = CASE WHEN kind = 'credit_note' THEN 'credit_note' WHEN credited = 0 THEN 'paid' "
    "WHEN credited < total THEN 'partly_credited' ELSE 'credited' END"
)
# Compared letter by letter, so that what begins with something is a range of the index in any locale.
Key = String(300).with_variant(String(300, collation="C"), "postgresql")


def searched(text: str) -> str:
    """As a number or a purchase order is searched: no matter its capitals."""
    return text.casefold()


def _key(column: str) -> Callable[[DefaultExecutionContext], str | None]:
    def made(context: DefaultExecutionContext) -> str | None:
        text = context.get_current_parameters()[column]
        return None if text is None else searched(text)

    return made


class Invoice(Model):
    """Issued with a capture and never changed: seller, buyer, lines and dates are a snapshot. Amounts in cents.

    A credit note is one of these, too: it `credits` the invoice that it refers to, and its amounts are positive.
    What moves with the credit notes is kept beside, for the list: how much of `total` they `credited`, and the status.
    """

    __tablename__ = "invoice"
    __table_args__ = (
        UniqueConstraint("issuer_id", "number"),
        CheckConstraint("total = net + tax", name="total"),
        one_of("kind", "invoice", "credit_note"),
        CheckConstraint("(kind = 'credit_note') = (credits_id IS NOT NULL)", name="credits"),
        CheckConstraint("credited BETWEEN 0 AND total", name="credited"),
        CheckConstraint(STATUS, name="status"),
        # The list, with and without each of its two filters, and what is typed.
        Index("ix_invoice_listed", "account_id", "issued_on", "number"),
        Index("ix_invoice_status", "account_id", "status", "issued_on", "number"),
        Index("ix_invoice_subscription", "subscription_id", "issued_on", "number"),
        Index("ix_invoice_subscription_status", "subscription_id", "status", "issued_on", "number"),
        Index("ix_invoice_number_key", "account_id", "number_key"),
        Index("ix_invoice_order_key", "account_id", "order_key", "issued_on"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    issuer_id: Mapped[str] = mapped_column(ForeignKey("issuer.id"))
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"))
    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    payment_key: Mapped[str | None] = mapped_column(ForeignKey("payment.key"), unique=True)
    kind: Mapped[str] = mapped_column(String(12), default="invoice", server_default="invoice")
    credits_id: Mapped[str | None] = mapped_column(ForeignKey("invoice.id"), index=True)
    number: Mapped[str] = mapped_column(String(40))
    number_key: Mapped[str] = mapped_column(Key, default=_key("number"))
    purchase_order: Mapped[str | None] = mapped_column(String(100))  # as in the snapshot, to search by
    order_key: Mapped[str | None] = mapped_column(Key, default=_key("purchase_order"))
    issued_on: Mapped[date]
    currency: Mapped[str] = mapped_column(Currency)
    net: Mapped[int]
    tax: Mapped[int]
    total: Mapped[int]
    credited: Mapped[int] = mapped_column(default=0, server_default="0")
    status: Mapped[str] = mapped_column(String(16), default=Status.PAID, server_default="paid")
    snapshot: Mapped[dict[str, Any]] = mapped_column(JSON)


class Refund(Model):
    """Money that goes back to the card for a part of an invoice, written before the gateway is asked; `key` is its
    idempotency key. The credit note is issued when the gateway says that it is made. Amounts in cents.
    """

    __tablename__ = "refund"
    __table_args__ = (
        one_of("state", "pending", "made", "refused"),
        CheckConstraint("net >= 0 AND tax >= 0 AND total > 0 AND total = net + tax", name="total"),
        CheckConstraint("(state = 'pending') = (settled_at IS NULL)", name="settled"),
        CheckConstraint("(state = 'made') = (credit_note_id IS NOT NULL)", name="credited"),
        Index(
            "uq_refund_pending", "invoice_id", unique=True,
            sqlite_where=text("state = 'pending'"), postgresql_where=text("state = 'pending'"),
        ),
    )  # fmt: skip
    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    payment_key: Mapped[str] = mapped_column(ForeignKey("payment.key"), index=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice.id"), index=True)
    net: Mapped[int]
    tax: Mapped[int]
    total: Mapped[int]
    reason: Mapped[str] = mapped_column(String(300))
    state: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime] = mapped_column(Instant)
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    credit_note_id: Mapped[str | None] = mapped_column(ForeignKey("invoice.id"), unique=True)


class InvoiceDocument(Model):
    """An invoice's PDF, made once: every download is the same bytes. `xml` is what the PDF carries."""

    __tablename__ = "invoice_document"
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice.id"), primary_key=True)
    pdf: Mapped[bytes]
    xml: Mapped[bytes | None]


class Notification(Model):
    """One of the gateway's that was acted on; heard again, there is nothing more to do."""

    __tablename__ = "notification"
    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    heard_at: Mapped[datetime] = mapped_column(Instant, index=True)


class Case(Model):
    """What an owner wrote to the account manager."""

    __tablename__ = "contact_case"
    number: Mapped[str] = mapped_column(String(20), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    subscription_id: Mapped[str | None] = mapped_column(ForeignKey("subscription.id"))
    subject: Mapped[str] = mapped_column(String(20))
    message: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(Instant)


class Activity(Model):
    """What happened, written in the transaction of the change that it tells of. `by` is None for the portal itself."""

    __tablename__ = "activity"
    __table_args__ = (Index("ix_activity_listed", "account_id", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"))
    subscription_id: Mapped[str | None] = mapped_column(ForeignKey("subscription.id"))
    at: Mapped[datetime] = mapped_column(Instant)
    by: Mapped[str | None] = mapped_column(String(200))
    what: Mapped[str] = mapped_column(String(40))
    before: Mapped[dict[str, Any]] = mapped_column(JSON)
    after: Mapped[dict[str, Any]] = mapped_column(JSON)


def _delivery() -> str:
    return "unsent" if current_app.config.get("SMTP_URL") else "kept"


class Message(Model):
    """The outbox: a mail is written with the change that it tells of, and `outbox` sends it.

    `delivery`: kept (in the sandbox's panel, never sent), unsent, sent or given_up, and `fault` says why. `sent_at` is
    when it was written, by the account's clock; the three below are the machine's time. `due_at`: not before this
    (None: at once), which is also how long the sender that has it may take.
    """

    __tablename__ = "message"
    __table_args__ = (
        one_of("delivery", "kept", "unsent", "sent", "given_up"),
        CheckConstraint("(delivery = 'sent') = (delivered_at IS NOT NULL)", name="delivered"),
        Index(
            "ix_message_unsent", "due_at", "id",
            sqlite_where=text("delivery = 'unsent'"), postgresql_where=text("delivery = 'unsent'"),
        ),
    )  # fmt: skip
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    recipient: Mapped[str] = mapped_column(String(254))
    reply_to: Mapped[str | None] = mapped_column(String(254))  # None: the account's manager
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str]
    html: Mapped[str] = mapped_column(Text, server_default="")  # empty: written before mails had any
    about: Mapped[str] = mapped_column(String(100), unique=True)  # says what it tells, so that it is told once
    attached_id: Mapped[str | None] = mapped_column(ForeignKey("invoice.id"))  # this invoice's PDF
    sent_at: Mapped[datetime] = mapped_column(Instant)
    delivery: Mapped[str] = mapped_column(String(10), default=_delivery, server_default="unsent")
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    due_at: Mapped[datetime | None] = mapped_column(Instant)
    tried_at: Mapped[datetime | None] = mapped_column(Instant)  # for the first time
    delivered_at: Mapped[datetime | None] = mapped_column(Instant)
    fault: Mapped[str | None] = mapped_column(String(300))
