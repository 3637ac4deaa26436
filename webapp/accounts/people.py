"""Whom the trail refers to: members, and the rows of Person. Records keep ids; names and addresses are read with them,
so what was erased is in no record.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

from flask import g, has_request_context
from sqlalchemy import literal, select, union_all, update

from ..db import db, insert_rows, new_id
from ..models.accounts import Member
from ..models.trail import Person

EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
supporter: ContextVar[str | None] = ContextVar("supporter", default=None)  # who acts by a command of support


class Known(NamedTuple):
    """`kind`: present, or that of a Person."""

    id: str
    kind: str
    name: str
    email: str

    @property
    def erased(self) -> bool:
        return not self.name and not self.email


def of_account(account_id: str) -> dict[str, Known]:
    """The members of an account and all others whom its trail refers to, by id, in the order of their names."""
    members = select(Member.id, literal("present"), Member.name, Member.email).where(Member.account_id == account_id)
    others = select(Person.id, Person.kind, Person.name, Person.email).where(Person.account_id == account_id)
    found = [Known(*row) for row in db.session.execute(union_all(members, others))]
    return {known.id: known for known in sorted(found, key=lambda one: (one.name.casefold(), one.email))}


def acting(account_id: str, by: str | None) -> str | None:
    """The id of who does something now: the signed-in member, or whoever is named. None for the portal itself."""
    member = _in_this_request(account_id)
    if by is None:
        by = None if member else supporter.get()
        if by is None:
            return member.member_id if member else None
    elif member and by == member.name:
        return str(member.member_id)
    elif has_request_context():
        named = select(Member.id).where(Member.account_id == account_id, Member.name == by).limit(2)
        if len(found := db.session.scalars(named).all()) == 1:
            return found[0]
    this = Person.account_id == account_id, Person.kind == "support", Person.name == by
    return db.session.scalars(select(Person.id).where(*this).limit(1)).first() or _add(account_id, "support", by)


def _in_this_request(account_id: str) -> Any:
    """The member of this account who is signed in, or who gave a password and owes a factor."""
    if not has_request_context():
        return None
    member = g.get("member") or g.get("halfway")
    return member if member and member.account_id == account_id else None


def without_addresses(
    account_id: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values of a record, with {"person": id} instead of each e-mail address. New ones are added, in the open
    transaction."""
    addresses = sorted({*_addresses(before.values()), *_addresses(after.values())})
    if not addresses:
        return dict(before), dict(after)
    mine = select(Member.email, Member.id).where(Member.account_id == account_id, Member.email.in_(addresses))
    owners: dict[str, str | None] = {row.email: row.id for row in db.session.execute(mine)}
    if (old := before.get("email")) and (new := after.get("email")):  # both are of the member whose address changed
        owners |= dict.fromkeys((old, new), owners.get(new) or owners.get(old))
    ids = _ids_of(account_id, addresses, owners)

    def replaced(value: Any) -> Any:
        if isinstance(value, list):
            return [replaced(one) for one in value]
        return {"person": ids[value]} if isinstance(value, str) and value in ids else value

    return (
        {name: replaced(value) for name, value in before.items()},
        {name: replaced(value) for name, value in after.items()},
    )


def _addresses(values: Any) -> Iterator[str]:
    for value in values:
        if isinstance(value, list):
            yield from _addresses(value)
        elif isinstance(value, str) and EMAIL.fullmatch(value):
            yield value


def _ids_of(account_id: str, addresses: Sequence[str], owners: Mapping[str, str | None]) -> dict[str, str]:
    rows = select(Person.email, Person.id, Person.member_id).where(
        Person.account_id == account_id, Person.kind == "address", Person.email.in_(addresses)
    )
    ids = {}
    for email, person_id, member_id in db.session.execute(rows).all():
        ids[email], owner = person_id, owners.get(email)
        if owner and owner != member_id:
            this = Person.account_id == account_id, Person.id == person_id
            db.session.execute(update(Person).where(*this).values(member_id=owner))
    for email in addresses:
        if email not in ids:
            ids[email] = _add(account_id, "address", email=email, member_id=owners.get(email))
    return ids


def _add(account_id: str, kind: str, name: str = "", email: str = "", member_id: str | None = None) -> str:
    person = Person(account_id=account_id, id=new_id(), kind=kind, name=name, email=email, member_id=member_id)
    insert_rows(person)
    return person.id


def keep(member: Member) -> None:
    """Keeps the name of a member who goes, in the open transaction: what they did is read with it."""
    names = {"name": member.name, "email": member.email, "member_id": None}
    insert_rows(Person(account_id=member.account_id, id=member.id, kind="member", **names))


def with_addresses(values: Mapping[str, Any], people: Mapping[str, Known], erased: str) -> dict[str, Any]:
    """The values of a record as they were given to it; `erased` stands for an address that was erased."""

    def read(value: Any) -> Any:
        if isinstance(value, list):
            return [read(one) for one in value]
        if not isinstance(value, dict) or "person" not in value:
            return value
        person = people.get(value["person"])
        return erased if person is None or person.erased else person.email

    return {name: read(value) for name, value in values.items()}
