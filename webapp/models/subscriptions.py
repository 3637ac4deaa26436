"""Subscriptions: paid periods and requested changes.

`Subscription` is what is read of one, in one statement (see `subscriptions/loading.py`). The other classes are tables.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import NamedTuple

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Instant, Model, new_id
from ..domain.periods import TERMS, first_from
from ..domain.permissions import Role
from ..domain.pricing import in_force
from ..domain.seats import MAX_SEATS
from ..domain.subscription import Change, ChangeKind, Facts, Plan
from .accounts import Account
from .cards import Card
from .columns import Id, account_key, account_part, index_where, one_of, reference
from .prices import NewPrices, Prices


class SubscriptionRow(Model):
    """`price_list_id` is used where no LaterPrices are. Each period keeps the price list that it was bought at.

    `suggestion_hidden` is the ordinal of the period for which the owner hid the suggestion of fewer seats.
    """

    __tablename__ = "subscription"
    __table_args__ = (one_of("plan", *Plan), CheckConstraint(f"term_months IN {TERMS}", name="term"))
    account_id: Mapped[str] = account_key()
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
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
    suggestion_hidden: Mapped[int | None]


class Quiet(Model):
    """A sweep has nothing to do for this subscription before the day `until`, in the account's zone.

    The sweep writes the row when nothing is due. Whoever locks the subscription to change it deletes the row. Missing
    rows are safe: the sweep just checks the subscription again.
    """

    __tablename__ = "quiet"
    __table_args__ = (reference("subscription", subscription_id="id"),)
    account_id: Mapped[str] = account_part()
    subscription_id: Mapped[str] = mapped_column(Id, primary_key=True)
    until: Mapped[date]


class ActiveUsersOfDay(Model):
    """The most active users that were counted on a day, in the account's zone. A day without a count has no row."""

    __tablename__ = "active_users_by_day"
    __table_args__ = (CheckConstraint("active >= 0", name="active"), reference("subscription", subscription_id="id"))
    account_id: Mapped[str] = account_part()
    subscription_id: Mapped[str] = mapped_column(Id, primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True, index=True)
    active: Mapped[int]


class PeriodRow(Model):
    """A paid period, or an external one that someone else bills. Its dates follow from the anchor and the ordinal."""

    __tablename__ = "period"
    __table_args__ = (
        one_of("source", "paid", "external"),
        CheckConstraint(f"seats BETWEEN 1 AND {MAX_SEATS}", name="seats"),
        CheckConstraint("ordinal >= 0", name="ordinal"),
        reference("subscription", subscription_id="id"),
    )
    account_id: Mapped[str] = account_part()
    subscription_id: Mapped[str] = mapped_column(Id, primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    seats: Mapped[int]
    price_list_id: Mapped[str] = mapped_column(ForeignKey("price_list.id"))
    source: Mapped[str] = mapped_column(String(10))


class ChangeRow(Model):
    """A requested change. It is open until withdrawn, applied or superseded; one of each kind can be open."""

    __tablename__ = "change"
    __table_args__ = (
        one_of("kind", *ChangeKind),
        one_of("closed_as", "withdrawn", "applied", "superseded"),
        CheckConstraint("(closed_at IS NULL) = (closed_as IS NULL)", name="closed"),
        CheckConstraint("(kind = 'reduction') = (seats IS NOT NULL)", name="seats"),
        CheckConstraint(f"seats BETWEEN 1 AND {MAX_SEATS}", name="seats_range"),
        index_where("closed_at IS NULL", "uq_change_open", "account_id", "subscription_id", "kind", unique=True),
        reference("subscription", subscription_id="id"),
        Index("ix_change_subscription", "account_id", "subscription_id"),
    )
    account_id: Mapped[str] = account_part()
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    subscription_id: Mapped[str] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(12))
    seats: Mapped[int | None]
    effective_ordinal: Mapped[int]
    requested_at: Mapped[datetime] = mapped_column(Instant)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)
    closed_as: Mapped[str | None] = mapped_column(String(10))


class BilledPeriod(NamedTuple):
    """A PeriodRow, as it was read."""

    ordinal: int
    seats: int
    source: str
    price_list: Prices


class OpenChange(NamedTuple):
    """An open ChangeRow, as it was read."""

    id: str
    subscription_id: str
    kind: ChangeKind
    seats: int | None
    effective_ordinal: int
    requested_at: datetime


class Reader(NamedTuple):
    """A member, as someone to whom mails are written. `locale` is None until a language was chosen.

    `unwanted`: the kinds of mails that the member does not want.
    """

    id: str
    name: str
    email: str
    locale: str | None
    role: str
    unwanted: list[str]


class Offer(NamedTuple):
    """The account is offered to this member, who may answer for some days."""

    member_id: str
    proposed_at: datetime


class QuoteRead(NamedTuple):
    """Of the quote of a payment: what pages and rules ask."""

    id: str
    subscription_id: str
    kind: str
    ordinal: int
    automatic: bool
    tax_rate: int
    expires_at: datetime


class PaymentRead(NamedTuple):
    """A pending, declined or cancelled payment, as it was read. Amounts in cents."""

    key: str
    quote: QuoteRead
    attempt: int
    state: str
    amount: int
    currency: str
    card_token: str
    action_url: str | None
    created_at: datetime
    settled_at: datetime | None
    backup_due: bool
    backup_of: str | None

    @property
    def automatic(self) -> bool:
        """Made by the sweep (see Payment)."""
        return self.quote.automatic and self.attempt == 1

    @property
    def challenged(self) -> bool:
        """The bank waits for the owner's confirmation (3-D Secure)."""
        return self.state == "pending" and self.action_url is not None


@dataclass(frozen=True)
class Subscription:
    """A subscription and all that its rules, pages and mails need, as it was when it was read.

    `paused`: payments of all accounts are, while a restored copy is checked. `held`: a capture of this one could not be
    booked, and no operator has released it yet. `unbooked_keys`: of all its captures that were not booked. `quiet`: the
    sweep skips it for now. `unpaid`: its payments that are pending, declined or cancelled. `later_prices`: by the day
    of the start of a period from which on they apply, in order; until then, `first_prices` do.
    """

    id: str
    account: Account
    default_card: Card | None
    backup_card: Card | None
    plan: str
    product: str
    tenant: str
    reseller: str | None
    anchor: date
    term_months: int
    first_prices: Prices
    later_prices: list[tuple[date, Prices]]
    ended_on: date | None
    active_users: int
    active_users_as_of: datetime
    suggestion_hidden: int | None
    paused: bool
    held: bool
    unbooked_keys: frozenset[str]
    quiet: bool
    members: list[Reader]
    offer: Offer | None
    periods: list[BilledPeriod]
    open_changes: list[OpenChange]
    unpaid: list[PaymentRead]

    @property
    def account_id(self) -> str:
        return self.account.id

    @property
    def owner_name(self) -> str:
        """Of the service account owner, who can do everything."""
        return next((member.name for member in self.members if member.role == Role.OWNER), "")

    @property
    def currency(self) -> str:
        return self.first_prices.currency

    def prices_on(self, first_day: date) -> Prices:
        """Those at which a period that starts on this day is sold."""
        return in_force(self.first_prices, self.later_prices, first_day)

    @property
    def price_list(self) -> Prices:
        """Of the first period that is not paid."""
        return self.prices_on(self.facts.paid_until)

    @property
    def new_prices(self) -> NewPrices | None:
        """The next prices that no period has yet, if any were told."""
        if self.ended_on is not None:
            return None
        coming = (self.new_prices_of(prices) for _, prices in self.later_prices)
        paid = {row.price_list.id for row in self.periods}
        return next((new for new in coming if new.after.id not in paid and self._has_a_period(new)), None)

    def new_prices_of(self, told: Prices) -> NewPrices:
        """Of prices that are among the later ones."""
        facts = self.facts
        starts = next(day for day, prices in self.later_prices if prices.id == told.id)
        first_day = facts.boundary(max(first_from(facts.anchor, facts.months, starts), facts.next_unpaid))
        return NewPrices(first_day, self.periods[-1].price_list, told)

    def _has_a_period(self, new: NewPrices) -> bool:
        """Not where still newer ones apply by then."""
        return self.prices_on(new.first_day).id == new.after.id

    def with_later_prices(self, later: list[tuple[date, Prices]]) -> "Subscription":
        return replace(self, later_prices=later)

    @property
    def pending_payments(self) -> list[PaymentRead]:
        return [payment for payment in self.unpaid if payment.state == "pending"]

    @property
    def refusals(self) -> list[PaymentRead]:
        """The declined payments, oldest first."""
        declined = [payment for payment in self.unpaid if payment.state == "declined"]
        return sorted(declined, key=lambda payment: (payment.settled_at, payment.key))

    @property
    def _refused_attempts(self) -> list[PaymentRead]:
        """The declined automatic payments for the first unpaid period, oldest first."""
        owed = self.periods[-1].ordinal + 1
        return [row for row in self.refusals if row.automatic and row.quote.ordinal == owed]

    @property
    def backup_due(self) -> PaymentRead | None:
        """The refused automatic payment after which the backup card is still to be charged."""
        return next((row for row in self._refused_attempts if row.backup_due), None)

    @cached_property
    def facts(self) -> Facts:
        """What the domain rules need to know. An attempt is refused once its backup card, if any, was refused too."""
        refused = [row for row in self._refused_attempts if not row.backup_due]
        refused_at = refused[-1].settled_at if refused else None
        return Facts(
            plan=Plan(self.plan),
            anchor=self.anchor,
            months=self.term_months,
            seats={row.ordinal: row.seats for row in self.periods},
            reseller=self.reseller,
            changes=tuple(Change(row.kind, row.seats, row.effective_ordinal) for row in self.open_changes),
            ended_on=self.ended_on,
            refused=sum(row.backup_of is None for row in refused),
            refused_on=self.account.local(refused_at).date() if refused_at else None,
            payment_pending=bool(self.pending_payments),
            held=self.held,
            challenge_open=any(row.challenged and row.automatic for row in self.pending_payments),
            active_users=self.active_users,
            active_users_as_of=self.active_users_as_of,
        )
