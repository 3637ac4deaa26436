"""What happened on an account, and its cases."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Instant, Model


class Case(Model):
    """A message from an owner to the account manager."""

    __tablename__ = "contact_case"
    number: Mapped[str] = mapped_column(String(20), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    subscription_id: Mapped[str | None] = mapped_column(ForeignKey("subscription.id"))
    subject: Mapped[str] = mapped_column(String(20))
    message: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(Instant)


class Activity(Model):
    """A record of a change, written in the same transaction. `by` is None if the portal itself made the change."""

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
