"""Quotes, payments and refunds."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Instant, Model, new_id
from ..domain.money import Money
from ..domain.pricing import Line
from ..domain.seats import MAX_SEATS
from ..domain.tax import Treatment
from .cards import Card
from .columns import (
    Cents,
    Currency,
    Id,
    PaymentKey,
    RefundKey,
    account_part,
    index_where,
    one_of,
    reference,
)
from .subscriptions import Subscription


class Quote(Model):
    """The exact amounts that a purchase will charge, in cents, valid until `expires_at`. `tax_rate` in basis points.

    `automatic`: made by the sweep for a period that is due. `subscription`, `card` and `payments` are no columns: who
    loads or drafts a quote sets them.
    """

    if TYPE_CHECKING:
        subscription: Subscription
        card: Card | None
        payments: list["Payment"]

    __tablename__ = "quote"
    __table_args__ = (
        one_of("kind", "renewal", "addition"),
        CheckConstraint(f"seats BETWEEN 1 AND {MAX_SEATS}", name="seats"),
        CheckConstraint("net >= 0 AND tax >= 0 AND total = net + tax", name="total"),
        one_of("tax_treatment", *Treatment),
        UniqueConstraint("account_id", "subscription_id", "id"),
        reference("subscription", subscription_id="id"),
        reference("card", card_id="id"),
    )
    account_id: Mapped[str] = account_part()
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    subscription_id: Mapped[str] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(10))
    ordinal: Mapped[int]
    seats: Mapped[int]
    months: Mapped[int]
    price_list_id: Mapped[str] = mapped_column(ForeignKey("price_list.id"))
    lines: Mapped[list[Line]] = mapped_column(JSON)
    currency: Mapped[str] = mapped_column(Currency)
    net: Mapped[int] = mapped_column(Cents)
    tax: Mapped[int] = mapped_column(Cents)
    total: Mapped[int] = mapped_column(Cents)
    tax_treatment: Mapped[str] = mapped_column(String(20))
    tax_rate: Mapped[int]
    buyer: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # None: made before buyers were frozen
    card_id: Mapped[str | None] = mapped_column(Id)  # None also after the card was deleted
    automatic: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)

    @property
    def money(self) -> Money:
        return Money(self.total, self.currency)

    @property
    def unrefused(self) -> "Payment | None":
        """The pending or captured attempt. A unique index allows only one."""
        return next((payment for payment in self.payments if payment.state in ("pending", "captured")), None)


class Payment(Model):
    """One attempt to charge a quote, written before the gateway is asked. `key` is its idempotency key.

    Two partial unique indexes allow one pending or captured attempt for each quote, and one pending payment for each
    subscription. `quote` is no column: who loads a payment sets it.

    `backup_due`: it was refused, and the backup card is to be charged instead, today. `backup_of`: it charges the
    backup card, after the payment with this key was refused.
    """

    if TYPE_CHECKING:
        quote: Quote

    __tablename__ = "payment"
    __table_args__ = (
        one_of("state", "pending", "captured", "declined", "cancelled"),
        UniqueConstraint("account_id", "quote_id", "attempt"),
        reference("quote", subscription_id="subscription_id", quote_id="id"),
        reference("payment", backup_of="key"),
        Index("ix_payment_subscription", "account_id", "subscription_id"),
        CheckConstraint("(state = 'pending') = (settled_at IS NULL)", name="settled"),
        index_where("state IN ('pending', 'captured')", "uq_payment_unrefused", "account_id", "quote_id", unique=True),
        index_where("state = 'pending'", "uq_payment_in_flight", "account_id", "subscription_id", unique=True),
    )
    account_id: Mapped[str] = account_part()
    key: Mapped[str] = mapped_column(PaymentKey, primary_key=True)
    quote_id: Mapped[str] = mapped_column(Id)
    subscription_id: Mapped[str] = mapped_column(Id)
    attempt: Mapped[int]
    state: Mapped[str] = mapped_column(String(10))
    amount: Mapped[int] = mapped_column(Cents)
    currency: Mapped[str] = mapped_column(Currency)
    card_token: Mapped[str] = mapped_column(String(100))
    card_brand: Mapped[str] = mapped_column(String(20))
    card_last4: Mapped[str] = mapped_column(String(4))
    decline_code: Mapped[str | None] = mapped_column(String(40))
    action_url: Mapped[str | None] = mapped_column(String(2000))
    created_at: Mapped[datetime] = mapped_column(Instant)
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    backup_due: Mapped[bool] = mapped_column(default=False, server_default=false())
    backup_of: Mapped[str | None] = mapped_column(PaymentKey)

    @property
    def automatic(self) -> bool:
        """Made by the sweep. It makes the first attempt at its quote; later attempts are the owner's."""
        return self.quote.automatic and self.attempt == 1

    @property
    def challenged(self) -> bool:
        """The bank waits for the owner's confirmation (3-D Secure)."""
        return self.state == "pending" and self.action_url is not None


class Refund(Model):
    """Money of an invoice that goes back to the card, in cents. Written before the gateway is asked.

    `key` is its idempotency key. The credit note is issued when the gateway has made the refund.
    """

    __tablename__ = "refund"
    __table_args__ = (
        one_of("state", "pending", "made", "refused"),
        CheckConstraint("net >= 0 AND tax >= 0 AND total > 0 AND total = net + tax", name="total"),
        CheckConstraint("(state = 'pending') = (settled_at IS NULL)", name="settled"),
        CheckConstraint("(state = 'made') = (credit_note_id IS NOT NULL)", name="credited"),
        index_where("state = 'pending'", "uq_refund_pending", "account_id", "invoice_id", unique=True),
        reference("payment", payment_key="key"),
        reference("invoice", invoice_id="id"),
        reference("invoice", credit_note_id="id"),
        UniqueConstraint("account_id", "credit_note_id"),
        Index("ix_refund_payment", "account_id", "payment_key"),
        Index("ix_refund_invoice", "account_id", "invoice_id"),
    )
    account_id: Mapped[str] = account_part()
    key: Mapped[str] = mapped_column(RefundKey, primary_key=True)
    payment_key: Mapped[str] = mapped_column(PaymentKey)
    invoice_id: Mapped[str] = mapped_column(Id)
    net: Mapped[int] = mapped_column(Cents)
    tax: Mapped[int] = mapped_column(Cents)
    total: Mapped[int] = mapped_column(Cents)
    reason: Mapped[str] = mapped_column(String(300))
    state: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime] = mapped_column(Instant)
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    credit_note_id: Mapped[str | None] = mapped_column(Id)


class Notification(Model):
    """A gateway event that was handled. If the gateway sends it again, it is ignored."""

    __tablename__ = "notification"
    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    heard_at: Mapped[datetime] = mapped_column(Instant, index=True)
