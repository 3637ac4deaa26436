"""Invoices and credit notes, their numbers and their documents."""

from collections.abc import Callable
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Instant, Model, new_id
from .columns import Cents, Currency, Id, PaymentKey, account_key, account_part, one_of, reference, sorted_text


class InvoiceCounter(Model):
    """The last number issued, by issuer and year. The lock of its row keeps the numbers without gaps."""

    __tablename__ = "invoice_counter"
    issuer_id: Mapped[str] = mapped_column(ForeignKey("issuer.id"), primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True)
    last_number: Mapped[int]
    last_issued_on: Mapped[date]


class SpentNumber(Model):
    """A number that no invoice here has, and none ever will: it was issued after the copy that was restored."""

    __tablename__ = "spent_number"
    issuer_id: Mapped[str] = mapped_column(ForeignKey("issuer.id"), primary_key=True)
    number: Mapped[str] = mapped_column(String(40), primary_key=True)
    reason: Mapped[str] = mapped_column(String(300))
    spent_at: Mapped[datetime] = mapped_column(Instant)


class Status(StrEnum):
    """The statuses that the list can be filtered by."""

    PAID = "paid"
    PARTLY_CREDITED = "partly_credited"
    CREDITED = "credited"
    CREDIT_NOTE = "credit_note"


STATUS = (
    "status = CASE WHEN kind = 'credit_note' THEN 'credit_note' WHEN credited = 0 THEN 'paid' "
    "WHEN credited < total THEN 'partly_credited' ELSE 'credited' END"
)
Key = sorted_text(300)


def search_key(text: str) -> str:
    """The form in which invoice numbers and purchase orders are searched, without regard to case."""
    return text.casefold()


def _key(column: str) -> Callable[[DefaultExecutionContext], str | None]:
    """The default of a search column: the search key of `column`."""

    def default(context: DefaultExecutionContext) -> str | None:
        text = context.get_current_parameters()[column]
        return None if text is None else search_key(text)

    return default


class Invoice(Model):
    """Issued when a payment is captured. Seller, buyer, lines and dates are a snapshot that never changes.

    Amounts are in cents. A credit note is an invoice, too: `credits_id` is the invoice that it corrects, and its
    amounts are positive. `credited` (how much of `total` was credited) and `status` do change, for the list's filters.
    """

    __tablename__ = "invoice"
    __table_args__ = (
        UniqueConstraint("account_id", "issuer_id", "number"),
        UniqueConstraint("account_id", "payment_key"),
        reference("subscription", subscription_id="id"),
        reference("payment", payment_key="key"),
        reference("invoice", credits_id="id"),
        CheckConstraint("total = net + tax", name="total"),
        one_of("kind", "invoice", "credit_note"),
        CheckConstraint("(kind = 'credit_note') = (credits_id IS NOT NULL)", name="credits"),
        CheckConstraint("credited BETWEEN 0 AND total", name="credited"),
        CheckConstraint(STATUS, name="status"),
        # For the list with each combination of its filters, and for the search. The last columns are there for the sum
        # of what is listed, which then reads an index alone.
        Index("ix_invoice_listed", "account_id", "issued_on", "number", "status", "currency", "total"),
        Index("ix_invoice_status", "account_id", "status", "issued_on", "number", "currency", "total"),
        Index(
            "ix_invoice_subscription",
            "account_id",
            "subscription_id",
            "issued_on",
            "number",
            "status",
            "currency",
            "total",
        ),
        Index(
            "ix_invoice_subscription_status",
            "account_id",
            "subscription_id",
            "status",
            "issued_on",
            "number",
            "currency",
            "total",
        ),
        Index("ix_invoice_credits", "account_id", "credits_id"),
        Index("ix_invoice_number_key", "account_id", "number_key"),
        Index("ix_invoice_order_key", "account_id", "order_key", "issued_on"),
    )
    account_id: Mapped[str] = account_key()
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    issuer_id: Mapped[str] = mapped_column(ForeignKey("issuer.id"))
    subscription_id: Mapped[str] = mapped_column(Id)
    payment_key: Mapped[str | None] = mapped_column(PaymentKey)
    kind: Mapped[str] = mapped_column(String(12), default="invoice", server_default="invoice")
    credits_id: Mapped[str | None] = mapped_column(Id)
    number: Mapped[str] = mapped_column(String(40))
    number_key: Mapped[str] = mapped_column(Key, default=_key("number"))
    purchase_order: Mapped[str | None] = mapped_column(String(100))  # the snapshot's, for the search
    order_key: Mapped[str | None] = mapped_column(Key, default=_key("purchase_order"))
    issued_on: Mapped[date]
    currency: Mapped[str] = mapped_column(Currency)
    net: Mapped[int] = mapped_column(Cents)
    tax: Mapped[int] = mapped_column(Cents)
    total: Mapped[int] = mapped_column(Cents)
    credited: Mapped[int] = mapped_column(Cents, default=0, server_default="0")
    status: Mapped[str] = mapped_column(String(16), default=Status.PAID, server_default="paid")
    snapshot: Mapped[dict[str, Any]] = mapped_column(JSON)


class InvoiceDocument(Model):
    """An invoice's PDF, made once: every download is the same bytes. `xml` is the data embedded in the PDF."""

    __tablename__ = "invoice_document"
    __table_args__ = (reference("invoice", invoice_id="id"),)
    account_id: Mapped[str] = account_part()
    invoice_id: Mapped[str] = mapped_column(Id, primary_key=True)
    pdf: Mapped[bytes]
    xml: Mapped[bytes | None]
