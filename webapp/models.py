"""The tables. What the code must never do, a constraint or a partial unique index refuses."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .db import Instant, Model, new_id
from .domain.money import Money
from .domain.periods import boundary
from .domain.pricing import MAX_SEATS, Line, Tier, parse_tiers
from .domain.subscription import Change, ChangeKind, Facts, Plan
from .domain.tax import Treatment, treatment

Id = String(40)
Currency = String(3)


def one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class Issuer(Model):
    """Who sells and numbers invoices. `share_capital` in cents of euro; `register` is the town of its trade register.

    `vat_on_debits`: it chose to owe VAT with the invoice and not with the payment, which invoices must say.
    """

    __tablename__ = "issuer"
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    legal_name: Mapped[str] = mapped_column(String(200))
    street: Mapped[str] = mapped_column(String(200))
    postal_code: Mapped[str] = mapped_column(String(20))
    city: Mapped[str] = mapped_column(String(100))
    country: Mapped[str] = mapped_column(String(2))
    siren: Mapped[str] = mapped_column(String(9))
    vat_number: Mapped[str] = mapped_column(String(20))
    legal_form: Mapped[str | None] = mapped_column(String(60))
    share_capital: Mapped[int | None] = mapped_column(BigInteger)
    register: Mapped[str | None] = mapped_column(String(100))
    vat_on_debits: Mapped[bool] = mapped_column(default=False, server_default=false())
    invoice_prefix: Mapped[str] = mapped_column(String(10))


class Account(Model):
    """A customer organisation: who it is, where its bills go, and the zone in which its days begin."""

    __tablename__ = "account"
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    issuer_id: Mapped[str] = mapped_column(ForeignKey("issuer.id"))
    legal_name: Mapped[str] = mapped_column(String(200))
    street: Mapped[str] = mapped_column(String(200))
    postal_code: Mapped[str] = mapped_column(String(20))
    city: Mapped[str] = mapped_column(String(100))
    country: Mapped[str] = mapped_column(String(2))
    siren: Mapped[str | None] = mapped_column(String(9))
    vat_number: Mapped[str | None] = mapped_column(String(20))
    purchase_order: Mapped[str | None] = mapped_column(String(100))
    billing_emails: Mapped[list[str]] = mapped_column(JSON)
    document_locale: Mapped[str] = mapped_column(String(2))
    zone: Mapped[str] = mapped_column(String(64))
    manager_name: Mapped[str] = mapped_column(String(200))
    manager_email: Mapped[str] = mapped_column(String(254))
    manager_phone: Mapped[str] = mapped_column(String(40))

    issuer: Mapped[Issuer] = relationship(lazy="raise_on_sql")

    @property
    def tax_treatment(self) -> Treatment:
        return treatment(self.country, self.vat_number)


class Owner(Model):
    """The service account owner (SAO): the person who signs in."""

    __tablename__ = "owner"
    __table_args__ = (CheckConstraint("email = lower(email)", name="email_lower"),)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    locale: Mapped[str | None] = mapped_column(String(2))


class OwnerSession(Model):
    """A signed-in browser, known by the hash of the token in its cookie; `id` is what its owner ends it by.

    `ended` is why, where it was ended elsewhere. `id_token` is what its provider wants to see to end it there, too.
    No address of the network is kept: who reads the list knows their browsers, and nobody else is to follow them.
    """

    __tablename__ = "owner_session"
    __table_args__ = (one_of("ended", "revoked", "password"),)
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(Id, unique=True, default=new_id)
    owner_id: Mapped[str] = mapped_column(ForeignKey("owner.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant, index=True)
    last_seen_at: Mapped[datetime] = mapped_column(Instant)
    browser: Mapped[str] = mapped_column(String(30))
    system: Mapped[str] = mapped_column(String(30))
    ended: Mapped[str | None] = mapped_column(String(10))
    id_token: Mapped[str | None] = mapped_column(Text)


class PriceList(Model):
    """Never changed once a period or a quote refers to it: a new price is a new row."""

    __tablename__ = "price_list"
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    currency: Mapped[str] = mapped_column(Currency)
    rows: Mapped[list[list[int | None]]] = mapped_column("tiers", JSON)

    @property
    def tiers(self) -> tuple[Tier, ...]:
        return parse_tiers(self.rows)


class Subscription(Model):
    """`price_list_id` is what the next quote uses; each period keeps its own."""

    __tablename__ = "subscription"
    __table_args__ = (one_of("plan", *Plan), CheckConstraint("term_months IN (1, 12)", name="term"))
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    plan: Mapped[str] = mapped_column(String(10))
    product: Mapped[str] = mapped_column(String(100))
    tenant: Mapped[str] = mapped_column(String(253))
    reseller: Mapped[str | None] = mapped_column(String(200))
    anchor: Mapped[date]
    term_months: Mapped[int]
    price_list_id: Mapped[str] = mapped_column(ForeignKey("price_list.id"))
    ended_on: Mapped[date | None]
    active_users: Mapped[int]
    active_users_as_of: Mapped[datetime] = mapped_column(Instant)

    account: Mapped[Account] = relationship(lazy="raise_on_sql")
    price_list: Mapped[PriceList] = relationship(lazy="raise_on_sql")
    periods: Mapped[list["PeriodRow"]] = relationship(lazy="raise_on_sql", order_by="PeriodRow.ordinal")
    open_changes: Mapped[list["ChangeRow"]] = relationship(
        lazy="raise_on_sql",
        viewonly=True,
        primaryjoin="and_(Subscription.id == ChangeRow.subscription_id, ChangeRow.closed_at.is_(None))",
    )
    refusals: Mapped[list["Payment"]] = relationship(
        lazy="raise_on_sql",
        viewonly=True,
        order_by="Payment.settled_at",
        primaryjoin="and_(Subscription.id == Payment.subscription_id, Payment.state == 'declined')",
    )
    pending_payments: Mapped[list["Payment"]] = relationship(
        lazy="raise_on_sql",
        viewonly=True,
        primaryjoin="and_(Subscription.id == Payment.subscription_id, Payment.state == 'pending')",
    )

    def facts(self) -> Facts:
        """What the rules of the domain need, without the database."""
        owed = max((row.ordinal for row in self.periods), default=-1) + 1
        refused = [
            row.settled_at for row in self.refusals if row.settled_at and row.automatic and row.quote.ordinal == owed
        ]
        return Facts(
            plan=Plan(self.plan),
            anchor=self.anchor,
            months=self.term_months,
            seats={row.ordinal: row.seats for row in self.periods},
            reseller=self.reseller,
            changes=tuple(row.change() for row in self.open_changes),
            ended_on=self.ended_on,
            refused=len(refused),
            refused_on=refused[-1].astimezone(ZoneInfo(self.account.zone)).date() if refused else None,
            payment_pending=bool(self.pending_payments),
            active_users=self.active_users,
            active_users_as_of=self.active_users_as_of,
        )


class Quiet(Model):
    """A sweep has nothing to do for a subscription before this day of its account's. Written and deleted under the
    subscription's lock: by who looked and found nothing, and by who changes anything. Not to have it costs a look.
    """

    __tablename__ = "quiet"
    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), primary_key=True)
    until: Mapped[date]


class PeriodRow(Model):
    """A paid (or, where someone else bills, external) period; its dates follow from the anchor and the ordinal."""

    __tablename__ = "period"
    __table_args__ = (
        one_of("source", "paid", "external"),
        CheckConstraint(f"seats BETWEEN 1 AND {MAX_SEATS}", name="seats"),
        CheckConstraint("ordinal >= 0", name="ordinal"),
    )
    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    seats: Mapped[int]
    price_list_id: Mapped[str] = mapped_column(ForeignKey("price_list.id"))
    source: Mapped[str] = mapped_column(String(10))

    price_list: Mapped[PriceList] = relationship(lazy="raise_on_sql")


class ChangeRow(Model):
    """A request for a later period. Open until withdrawn, applied or superseded; one of a kind at a time."""

    __tablename__ = "change"
    __table_args__ = (
        one_of("kind", *ChangeKind),
        one_of("closed_as", "withdrawn", "applied", "superseded"),
        CheckConstraint("(closed_at IS NULL) = (closed_as IS NULL)", name="closed"),
        CheckConstraint("(kind = 'reduction') = (seats IS NOT NULL)", name="seats"),
        CheckConstraint(f"seats BETWEEN 1 AND {MAX_SEATS}", name="seats_range"),
        Index(
            "uq_change_open", "subscription_id", "kind", unique=True,
            sqlite_where=text("closed_at IS NULL"), postgresql_where=text("closed_at IS NULL"),
        ),
    )  # fmt: skip
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    kind: Mapped[str] = mapped_column(String(12))
    seats: Mapped[int | None]
    effective_ordinal: Mapped[int]
    requested_at: Mapped[datetime] = mapped_column(Instant)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)
    closed_as: Mapped[str | None] = mapped_column(String(10))

    def change(self) -> Change:
        return Change(ChangeKind(self.kind), self.seats, self.effective_ordinal)


class Card(Model):
    """What the gateway tells of a card, and nothing more."""

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
        """A card is good to the end of its month."""
        return today >= self.until

    @property
    def until(self) -> date:
        """The first day on which it is no longer good."""
        return boundary(date(self.exp_year, self.exp_month, 1), 1, 1)


class DefaultCard(Model):
    """One default an account, of its own cards; the foreign key refuses to delete a card that is it (help page)."""

    __tablename__ = "default_card"
    __table_args__ = (ForeignKeyConstraint(["card_id", "account_id"], ["card.id", "card.account_id"]),)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), primary_key=True)
    card_id: Mapped[str] = mapped_column(Id)


class CardSetup(Model):
    """A visit to the gateway's card page, so that coming back twice saves one card. `quote_id`: where it began."""

    __tablename__ = "card_setup"
    reference: Mapped[str] = mapped_column(String(100), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    quote_id: Mapped[str | None] = mapped_column(ForeignKey("quote.id"))
    completed_at: Mapped[datetime | None] = mapped_column(Instant)


class Quote(Model):
    """What a purchase will charge, to the cent, for thirty minutes; Pay charges exactly it. Amounts in cents.

    `automatic`: made by the sweep, for the period that is due.
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
    net: Mapped[int]
    tax: Mapped[int]
    total: Mapped[int]
    tax_treatment: Mapped[str] = mapped_column(String(20))
    tax_rate: Mapped[int]
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
        """The attempt that is in flight or captured; the schema allows one."""
        return next((payment for payment in self.payments if payment.state in ("pending", "captured")), None)


class Payment(Model):
    """One attempt to charge a quote, written before the gateway is asked. `key` is its idempotency key.

    One unrefused attempt a quote, and one payment in flight a subscription: two partial unique indexes say so.
    """

    __tablename__ = "payment"
    __table_args__ = (
        one_of("state", "pending", "captured", "declined", "cancelled"),
        UniqueConstraint("quote_id", "attempt"),
        ForeignKeyConstraint(["quote_id", "subscription_id"], ["quote.id", "quote.subscription_id"]),
        CheckConstraint("(state = 'pending') = (settled_at IS NULL)", name="settled"),
        Index(
            "uq_payment_unrefused", "quote_id", unique=True,
            sqlite_where=text("state IN ('pending', 'captured')"),
            postgresql_where=text("state IN ('pending', 'captured')"),
        ),
        Index(
            "uq_payment_in_flight", "subscription_id", unique=True,
            sqlite_where=text("state = 'pending'"), postgresql_where=text("state = 'pending'"),
        ),
    )  # fmt: skip
    key: Mapped[str] = mapped_column(String(60), primary_key=True)
    quote_id: Mapped[str] = mapped_column(Id)
    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    attempt: Mapped[int]
    state: Mapped[str] = mapped_column(String(10))
    amount: Mapped[int]
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
        """Made by the sweep, which tries each of its quotes once; what follows is the owner's own try."""
        return self.quote.automatic and self.attempt == 1
