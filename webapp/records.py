"""The tables of what is written once and kept: invoices and their numbers, mails, cases, activity."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .db import Instant, Model, new_id
from .models import Currency, Id


class InvoiceCounter(Model):
    """The last number given, by issuer and year: its row lock is what keeps the numbers without a gap."""

    __tablename__ = "invoice_counter"
    issuer_id: Mapped[str] = mapped_column(ForeignKey("issuer.id"), primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True)
    last_number: Mapped[int]
    last_issued_on: Mapped[date]


class Invoice(Model):
    """Issued with a capture and never changed: seller, buyer, lines and dates are a snapshot. Amounts in cents."""

    __tablename__ = "invoice"
    __table_args__ = (
        UniqueConstraint("issuer_id", "number"),
        CheckConstraint("total = net + tax", name="total"),
        Index("ix_invoice_listed", "account_id", "issued_on", "number"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    issuer_id: Mapped[str] = mapped_column(ForeignKey("issuer.id"))
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"))
    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    payment_key: Mapped[str | None] = mapped_column(ForeignKey("payment.key"), unique=True)
    number: Mapped[str] = mapped_column(String(40))
    issued_on: Mapped[date]
    currency: Mapped[str] = mapped_column(Currency)
    net: Mapped[int]
    tax: Mapped[int]
    total: Mapped[int]
    snapshot: Mapped[dict[str, Any]] = mapped_column(JSON)


class InvoiceDocument(Model):
    """An invoice's PDF, made once: every download is the same bytes."""

    __tablename__ = "invoice_document"
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice.id"), primary_key=True)
    pdf: Mapped[bytes]


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


class Message(Model):
    """The outbox: a mail is written with the change that it tells of."""

    __tablename__ = "message"
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    recipient: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str]
    html: Mapped[str] = mapped_column(Text, server_default="")  # empty: written before mails had any
    about: Mapped[str] = mapped_column(String(100), unique=True)  # says what it tells, so that it is told once
    sent_at: Mapped[datetime] = mapped_column(Instant)
