"""What happened on an account, and its cases."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, column_property, mapped_column

from ..db import Instant, Model
from .columns import Id, account_key, reference, sorted_text
from .trail import name_of


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
    """A record of a change, written in the same transaction. `person_id` is the member or Person who did it, from which
    browser; None if the portal itself made the change. `by` is their name, with the word support where they acted by a
    command of support, and "" if they were erased. An e-mail address among the values is {"person": id}.

    A later record has a greater `id`. It has no digits: none can be taken for the number of a card.
    """

    __tablename__ = "activity"
    __table_args__ = (reference("subscription", subscription_id="id"),)
    account_id: Mapped[str] = account_key()
    id: Mapped[str] = mapped_column(sorted_text(40), primary_key=True)
    subscription_id: Mapped[str | None] = mapped_column(Id)
    at: Mapped[datetime] = mapped_column(Instant)
    person_id: Mapped[str | None] = mapped_column(Id)
    what: Mapped[str] = mapped_column(String(40))
    before: Mapped[dict[str, Any]] = mapped_column(JSON)
    after: Mapped[dict[str, Any]] = mapped_column(JSON)
    browser: Mapped[str] = mapped_column(String(30), default="", server_default="")
    system: Mapped[str] = mapped_column(String(30), default="", server_default="")
    by: Mapped[str | None] = column_property(name_of(account_id, person_id))
