"""What happened on an account, and its cases."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Instant, Model
from .columns import Id, account_key, reference, sorted_text


class Case(Model):
    """A message from an owner to the account manager."""

    __tablename__ = "contact_case"
    __table_args__ = (reference("subscription", subscription_id="id"),)
    account_id: Mapped[str] = account_key()
    number: Mapped[str] = mapped_column(String(20), primary_key=True)
    subscription_id: Mapped[str | None] = mapped_column(Id)
    subject: Mapped[str] = mapped_column(String(20))
    message: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(Instant)


class Activity(Model):
    """A record of a change, written in the same transaction. `by` is None if the portal itself made the change.
    Whoever acts by a command of support is named there, with the word support.

    A later record has a greater `id`. It has no digits: none can be taken for the number of a card.
    """

    __tablename__ = "activity"
    __table_args__ = (reference("subscription", subscription_id="id"),)
    account_id: Mapped[str] = account_key()
    id: Mapped[str] = mapped_column(sorted_text(40), primary_key=True)
    subscription_id: Mapped[str | None] = mapped_column(Id)
    at: Mapped[datetime] = mapped_column(Instant)
    by: Mapped[str | None] = mapped_column(String(200))
    what: Mapped[str] = mapped_column(String(40))
    before: Mapped[dict[str, Any]] = mapped_column(JSON)
    after: Mapped[dict[str, Any]] = mapped_column(JSON)
