"""Cards, quotes, payments and refunds."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, ForeignKeyConstraint, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..db import Instant, Model, new_id
from ..domain.money import Money
from ..domain.periods import boundary
from ..domain.pricing import Line
from ..domain.seats import MAX_SEATS
from ..domain.tax import Treatment
from .columns import Cents, Currency, Id, PaymentKey, RefundKey, index_where, one_of
from .subscriptions import Subscription


class Card(Model):
    """What the gateway tells about a card. The portal never sees the card number."""

    __tablename__ = "card"
    __table_args__ = (UniqueConstraint("id", "account_id"), CheckConstraint("length(last4) = 4", name="last4"))
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    token: Mapped[str] = mapped_column(String(100), unique=True)
    brand: Mapped[str] = mapped_column(String(20))
    last4: Mapped[str] = mapped_column(String(4))
    exp_year: Mapped[int]
    exp_month: Mapped[int]
    holder: Mapped[str] = mapped_column(String(100))
    added_at: Mapped[datetime] = mapped_column(Instant)

    def expired(self, today: date) -> bool:
        """A card is valid to the end of its expiry month."""
        return today >= self.until

    @property
    def until(self) -> date:
        """The first day on which it is expired."""
        return boundary(date(self.exp_year, self.exp_month, 1), 1, 1)


class DefaultCard(Model):
    """The default card of an account. The foreign key refuses to delete this card while it is the default."""

    __tablename__ = "default_card"
    __table_args__ = (ForeignKeyConstraint(["card_id", "account_id"], ["card.id", "card.account_id"]),)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), primary_key=True)
    card_id: Mapped[str] = mapped_column(Id)


class CardDetachment(Model):
    """A card that was dropped here, and that the gateway is still to forget. The row is deleted when it has."""

    __tablename__ = "card_detachment"
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), primary_key=True)
    token: Mapped[str] = mapped_column(String(100), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    attempts: Mapped[int]
    next_try_at: Mapped[datetime] = mapped_column(Instant)


class CardSetup(Model):
    """A visit to the gateway's card page. Returning twice saves one card. `quote_id`: the purchase it began in."""

    __tablename__ = "card_setup"
    reference: Mapped[str] = mapped_column(String(100), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    quote_id: Mapped[str | None] = mapped_column(ForeignKey("quote.id"))
    begun_at: Mapped[datetime] = mapped_column(Instant, index=True)  # the machine's time
    completed_at: Mapped[datetime | None] = mapped_column(Instant)


class Quote(Model):
    """The exact amounts that a purchase will charge, in cents, valid until `expires_at`. `tax_rate` in basis points.

    `automatic`: made by the sweep for a period that is due.
    """

    __tablename__ = "quote"
    __table_args__ = (
        one_of("kind", "renewal", "addition"),
        CheckConstraint(f"seats BETWEEN 1 AND {MAX_SEATS}", name="seats"),
        CheckConstraint("net >= 0 AND tax >= 0 AND total = net + tax", name="total"),
        one_of("tax_treatment", *Treatment),
        UniqueConstraint("id", "subscription_id"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
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
    card_id: Mapped[str | None] = mapped_column(ForeignKey("card.id", ondelete="SET NULL"))
    automatic: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)

    subscription: Mapped[Subscription] = relationship(lazy="raise_on_sql")
    card: Mapped[Card | None] = relationship(lazy="raise_on_sql")
    payments: Mapped[list["Payment"]] = relationship(
        lazy="raise_on_sql", order_by="Payment.attempt", back_populates="quote"
    )

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
    subscription.
    """

    __tablename__ = "payment"
    __table_args__ = (
        one_of("state", "pending", "captured", "declined", "cancelled"),
        UniqueConstraint("quote_id", "attempt"),
        ForeignKeyConstraint(["quote_id", "subscription_id"], ["quote.id", "quote.subscription_id"]),
        CheckConstraint("(state = 'pending') = (settled_at IS NULL)", name="settled"),
        index_where("state IN ('pending', 'captured')", "uq_payment_unrefused", "quote_id", unique=True),
        index_where("state = 'pending'", "uq_payment_in_flight", "subscription_id", unique=True),
    )
    key: Mapped[str] = mapped_column(PaymentKey, primary_key=True)
    quote_id: Mapped[str] = mapped_column(Id)
    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
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

    quote: Mapped[Quote] = relationship(lazy="raise_on_sql", back_populates="payments")

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
        index_where("state = 'pending'", "uq_refund_pending", "invoice_id", unique=True),
    )
    key: Mapped[str] = mapped_column(RefundKey, primary_key=True)
    payment_key: Mapped[str] = mapped_column(ForeignKey("payment.key"), index=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice.id"), index=True)
    net: Mapped[int] = mapped_column(Cents)
    tax: Mapped[int] = mapped_column(Cents)
    total: Mapped[int] = mapped_column(Cents)
    reason: Mapped[str] = mapped_column(String(300))
    state: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime] = mapped_column(Instant)
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    credit_note_id: Mapped[str | None] = mapped_column(ForeignKey("invoice.id"), unique=True)


class Notification(Model):
    """A gateway event that was handled. If the gateway sends it again, it is ignored."""

    __tablename__ = "notification"
    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    heard_at: Mapped[datetime] = mapped_column(Instant, index=True)
