"""The cards of an account, and visits to the gateway's card page."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Instant, Model, new_id
from ..domain.periods import boundary
from .columns import Id, account_key, account_part, reference


class Card(Model):
    """What the gateway tells about a card. The portal never sees the card number."""

    __tablename__ = "card"
    __table_args__ = (UniqueConstraint("account_id", "token"), CheckConstraint("length(last4) = 4", name="last4"))
    account_id: Mapped[str] = account_key()
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    token: Mapped[str] = mapped_column(String(100))
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
    """The default card of an account, and the backup card if the owner chose one: it is charged if an automatic charge
    of the default is refused.

    The foreign keys refuse to delete these cards while they have these roles.
    """

    __tablename__ = "default_card"
    __table_args__ = (
        reference("card", card_id="id"),
        reference("card", backup_id="id"),
        CheckConstraint("backup_id <> card_id", name="backup"),
    )
    account_id: Mapped[str] = account_part()
    card_id: Mapped[str] = mapped_column(Id)
    backup_id: Mapped[str | None] = mapped_column(Id)


class CardDetachment(Model):
    """A card that was dropped here, and that the gateway is still to forget. The row is deleted when it has."""

    __tablename__ = "card_detachment"
    account_id: Mapped[str] = account_key()
    token: Mapped[str] = mapped_column(String(100), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    attempts: Mapped[int]
    next_try_at: Mapped[datetime] = mapped_column(Instant)


class CardSetup(Model):
    """A visit to the gateway's card page. Returning twice saves one card. `quote_id`: the purchase it began in."""

    __tablename__ = "card_setup"
    __table_args__ = (reference("quote", quote_id="id"), Index("ix_card_setup_quote", "account_id", "quote_id"))
    account_id: Mapped[str] = account_key()
    reference: Mapped[str] = mapped_column(String(100), primary_key=True)
    quote_id: Mapped[str | None] = mapped_column(Id)
    begun_at: Mapped[datetime] = mapped_column(Instant, index=True)  # the machine's time
    completed_at: Mapped[datetime | None] = mapped_column(Instant)
