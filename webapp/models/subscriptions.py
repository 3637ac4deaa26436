"""Subscriptions: price lists, paid periods and requested changes."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, exists
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from ..db import Instant, Model, new_id
from ..domain.money import CURRENCIES
from ..domain.pricing import Tier, parse_tiers
from ..domain.seats import MAX_SEATS
from ..domain.subscription import Change, ChangeKind, Facts, Plan
from .accounts import Account
from .columns import Currency, Id, index_where, one_of
from .restores import UnbookedCapture


class PriceList(Model):
    """Never changed once a period or a quote refers to it. A new price is a new row."""

    __tablename__ = "price_list"
    __table_args__ = (one_of("currency", *CURRENCIES),)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    currency: Mapped[str] = mapped_column(Currency)
    rows: Mapped[list[list[int | None]]] = mapped_column("tiers", JSON)

    @property
    def tiers(self) -> tuple[Tier, ...]:
        return parse_tiers(self.rows)


class Subscription(Model):
    """`price_list_id` is used by the next quote. Each period keeps the price list that it was bought at."""

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

    # A capture of it could not be booked, and no operator has released it yet.
    held: Mapped[bool] = column_property(
        exists().where(
            UnbookedCapture.account_id == account_id,
            UnbookedCapture.subscription_id == id,  # noqa: A003  the column above
            UnbookedCapture.released_at.is_(None),
        )
    )

    account: Mapped[Account] = relationship(lazy="raise_on_sql")
    price_list: Mapped[PriceList] = relationship(lazy="raise_on_sql")
    periods: Mapped[list["PeriodRow"]] = relationship(lazy="raise_on_sql", order_by="PeriodRow.ordinal")
    open_changes: Mapped[list["ChangeRow"]] = relationship(
        lazy="raise_on_sql",
        viewonly=True,
        primaryjoin="and_(Subscription.id == ChangeRow.subscription_id, ChangeRow.closed_at.is_(None))",
    )
    refusals: Mapped[list[Any]] = relationship(
        "Payment",
        lazy="raise_on_sql",
        viewonly=True,
        order_by="Payment.settled_at",
        primaryjoin="and_(Subscription.id == Payment.subscription_id, Payment.state == 'declined')",
    )
    pending_payments: Mapped[list[Any]] = relationship(
        "Payment",
        lazy="raise_on_sql",
        viewonly=True,
        primaryjoin="and_(Subscription.id == Payment.subscription_id, Payment.state == 'pending')",
    )

    def facts(self) -> Facts:
        """What the domain rules need to know."""
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
            refused_on=self.account.local(refused[-1]).date() if refused else None,
            payment_pending=bool(self.pending_payments),
            held=bool(self.held),
            challenge_open=any(row.challenged and row.automatic for row in self.pending_payments),
            active_users=self.active_users,
            active_users_as_of=self.active_users_as_of,
        )


class Quiet(Model):
    """A sweep has nothing to do for this subscription before the day `until`, in the account's zone.

    The sweep writes the row when nothing is due. Whoever locks the subscription to change it deletes the row. Missing
    rows are safe: the sweep just checks the subscription again.
    """

    __tablename__ = "quiet"
    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), primary_key=True)
    until: Mapped[date]


class PeriodRow(Model):
    """A paid period, or an external one that someone else bills. Its dates follow from the anchor and the ordinal."""

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
    """A requested change. It is open until withdrawn, applied or superseded; one of each kind can be open."""

    __tablename__ = "change"
    __table_args__ = (
        one_of("kind", *ChangeKind),
        one_of("closed_as", "withdrawn", "applied", "superseded"),
        CheckConstraint("(closed_at IS NULL) = (closed_as IS NULL)", name="closed"),
        CheckConstraint("(kind = 'reduction') = (seats IS NOT NULL)", name="seats"),
        CheckConstraint(f"seats BETWEEN 1 AND {MAX_SEATS}", name="seats_range"),
        index_where("closed_at IS NULL", "uq_change_open", "subscription_id", "kind", unique=True),
    )
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
