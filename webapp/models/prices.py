"""Price lists: those of each subscription, and those that are published for all from a day on."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import NamedTuple

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Instant, Model, new_id
from ..domain.money import CURRENCIES
from ..domain.pricing import Tier, monthly_cost, parse_tiers
from .columns import Currency, Id, account_part, index_where, one_of, reference


class PriceList(Model):
    """Never changed once a period or a quote refers to it. A new price is a new row."""

    __tablename__ = "price_list"
    __table_args__ = (
        one_of("currency", *CURRENCIES),
        # The tiers are numbers and null, so a minus sign is one of a negative number.
        CheckConstraint("replace(CAST(tiers AS TEXT), '-', '') = CAST(tiers AS TEXT)", name="not_negative"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    currency: Mapped[str] = mapped_column(Currency)
    rows: Mapped[list[list[int | None]]] = mapped_column("tiers", JSON)

    @property
    def tiers(self) -> tuple[Tier, ...]:
        return parse_tiers(self.rows)


class Publication(Model):
    """A price list for all who have bought `product` in its currency, from a day on; or for one account of them only.

    `told_at`: when every one of them had been told. It is withdrawn before that day, or never.
    """

    __tablename__ = "publication"
    __table_args__ = (
        CheckConstraint("(withdrawn_at IS NULL) = (withdrawn_by IS NULL)", name="withdrawn"),
        index_where(
            "withdrawn_at IS NULL",
            "uq_publication_valid",
            *("only_account", "product", "currency", "valid_from"),
            unique=True,
        ),
    )
    price_list_id: Mapped[str] = mapped_column(ForeignKey("price_list.id"), primary_key=True)
    only_account: Mapped[str] = mapped_column(Id, default="")
    product: Mapped[str] = mapped_column(String(100))
    currency: Mapped[str] = mapped_column(Currency)
    valid_from: Mapped[date]
    published_by: Mapped[str] = mapped_column(String(120))
    published_at: Mapped[datetime] = mapped_column(Instant)
    told_at: Mapped[datetime | None] = mapped_column(Instant)
    withdrawn_by: Mapped[str | None] = mapped_column(String(120))
    withdrawn_at: Mapped[datetime | None] = mapped_column(Instant)


class LaterPrices(Model):
    """The periods of this subscription that start on `valid_from` or later are sold at this price list.

    The row is written together with the mails that tell of it, so nobody pays prices that they were not told of. Two
    price lists cannot begin on one day.
    """

    __tablename__ = "later_prices"
    __table_args__ = (
        CheckConstraint("told_on < valid_from", name="told"),
        UniqueConstraint("account_id", "subscription_id", "price_list_id"),
        reference("subscription", subscription_id="id"),
    )
    account_id: Mapped[str] = account_part()
    subscription_id: Mapped[str] = mapped_column(Id, primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    price_list_id: Mapped[str] = mapped_column(ForeignKey("price_list.id"))
    told_on: Mapped[date]


@dataclass(frozen=True)
class Prices:
    """A price list, as it was read. To undo a change, its tiers are not even looked at."""

    id: str
    currency: str
    rows: list[list[int | None]]

    @cached_property
    def tiers(self) -> tuple[Tier, ...]:
        return parse_tiers(self.rows)


class Monthly(NamedTuple):
    """Cents a month before tax, at the prices until now and at the new ones."""

    before: int
    after: int


class NewPrices(NamedTuple):
    """Prices that were told and that no period has yet. `first_day`: of the first period that will have them."""

    first_day: date
    before: Prices
    after: Prices

    def monthly(self, seats: int) -> Monthly:
        return Monthly(monthly_cost(self.before.tiers, seats), monthly_cost(self.after.tiers, seats))
