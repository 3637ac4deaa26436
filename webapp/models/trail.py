"""The people whom the trail refers to, security events, and the seals that show whether the trail was changed."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, func, select
from sqlalchemy.orm import Mapped, column_property, mapped_column

from ..db import Instant, Model
from .accounts import Member
from .columns import Id, account_key, account_part, one_of, sorted_text


class Person(Model):
    """Somebody whom the trail refers to by `id`, apart from present members: a former member (with the same id), a
    supporter, or an e-mail address that a record has among its values. Names and addresses are here alone, so they can
    be erased while the trail stays as it was written. An erased person has neither.

    `member_id` is whose address it is, where that is known.
    """

    __tablename__ = "person"
    __table_args__ = (one_of("kind", "member", "support", "address"),)
    account_id: Mapped[str] = account_key()
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(254))
    member_id: Mapped[str | None] = mapped_column(Id)


def name_of(account_id: Any, person_id: Any) -> ColumnElement[str | None]:
    """The name of a person in a row of the trail; "" of an erased one."""
    member = select(Member.name).where(Member.account_id == account_id, Member.id == person_id)
    person = select(Person.name).where(Person.account_id == account_id, Person.id == person_id)
    return func.coalesce(
        member.correlate_except(Member).scalar_subquery(), person.correlate_except(Person).scalar_subquery()
    )


class SecurityEvent(Model):
    """What concerns the access of a person, `at` the machine's time: `kind` is a key of SECURITY_EVENTS in
    `sentences/labels.py`. `detail` says how, or for what. `times`: how many there were within an hour, of those that
    are not written each.

    A later event has a greater `id`. No IP address is stored. Nothing refers to the account, so that an attempt for an
    unknown e-mail can take as long as one for a known one (see `access/security.py`).
    """

    __tablename__ = "security_event"
    account_id: Mapped[str] = account_part()
    id: Mapped[str] = mapped_column(sorted_text(40), primary_key=True)
    person_id: Mapped[str] = mapped_column(Id)
    at: Mapped[datetime] = mapped_column(Instant)
    kind: Mapped[str] = mapped_column(String(40))
    detail: Mapped[str] = mapped_column(String(40))
    times: Mapped[int]
    browser: Mapped[str] = mapped_column(String(30))
    system: Mapped[str] = mapped_column(String(30))
    by: Mapped[str | None] = column_property(name_of(account_id, person_id))


class TrailSeal(Model):
    """Shows that rows of the trail are as they were when it was made: those of one account after the previous seal, up
    to `last_id`. `last_at` is the latest instant of them.

    `digest` is of the rows, `mac` of this seal and the one before, with a key that is not in the database.
    """

    __tablename__ = "trail_seal"
    __table_args__ = (one_of("trail", "activity", "security_event"),)
    account_id: Mapped[str] = account_key()
    trail: Mapped[str] = mapped_column(String(20), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    last_id: Mapped[str] = mapped_column(sorted_text(40))
    last_at: Mapped[datetime] = mapped_column(Instant)
    rows: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    mac: Mapped[str] = mapped_column(String(64))
