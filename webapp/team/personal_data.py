"""The personal data of a person: what is stored of them, and its erasure, which leaves the trail readable.

Invoices are never erased, and neither is what the owner wrote into the billing information.
"""

from collections.abc import Sequence
from datetime import date, datetime
from html import escape
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, or_, select, update
from sqlalchemy.orm import Session

from ..accounts import activity, people
from ..db import Across, across, db, transaction
from ..domain.refusals import OwnerStays
from ..models.access import MemberSession, ProviderIdentity
from ..models.accounts import Member
from ..models.activity import Activity
from ..models.mail import Message
from ..models.second_factor import Passkey, Totp
from ..models.team import Invitation
from ..models.trail import Person, SecurityEvent
from ..subscriptions import loading
from . import members


def accounts_of(email: str) -> list[str]:
    """The accounts in which somebody with this normalised e-mail is or was a member, was invited, or is named."""
    found: set[str] = set()
    for column in (Member.email, Invitation.email, Person.email, Message.recipient):
        table = column.class_
        query = select(table.account_id).where(func.lower(column) == email).distinct()
        found |= set(db.session.scalars(across(query, Across.SUPPORT)))
    return sorted(found)


def stored_of(account_id: str, member_id: str) -> dict[str, Any]:
    """What is stored of a member, present or former, without hashes and secrets."""
    known = people.of_account(account_id)
    member = db.session.get(Member, (account_id, member_id))
    person = known.get(member_id)
    return {
        "name": person.name if person else "",
        "email": person.email if person else "",
        "role": member.role if member else None,
        "language": member.locale if member else None,
        "unwanted_mails": member.unwanted_mails if member else [],
        "former_addresses": [
            one.email for one in _addresses(account_id, member_id) if person is None or one.email != person.email
        ],
        "sign_in": {
            "password": bool(member and member.password_hash),
            "identity_provider": _rows(account_id, member_id, ProviderIdentity, "issuer", "bound_at"),
            "authenticator_app": bool(_rows(account_id, member_id, Totp, "member_id")),
            "passkeys": _rows(account_id, member_id, Passkey, "name", "added_at"),
        },
        "sessions": _rows(
            account_id, member_id, MemberSession, "browser", "system", "created_at", "last_seen_at", "ended"
        ),
        "activity": [
            {
                **_told(row, "at", "what", "browser", "system"),
                "before": people.with_addresses(row.before, known, ""),
                "after": people.with_addresses(row.after, known, ""),
            }
            for row in _acts(account_id, member_id, Activity)
        ],
        "security_events": [
            _told(row, "at", "kind", "detail", "times", "browser", "system")
            for row in _acts(account_id, member_id, SecurityEvent)
        ],
        "mails": _mails(account_id, person.email) if person and person.email else [],
    }


def _addresses(account_id: str, member_id: str) -> Sequence[Person]:
    mine = Person.account_id == account_id, Person.member_id == member_id, Person.email != ""
    return db.session.scalars(select(Person).where(*mine).order_by(Person.email)).all()


def _rows(account_id: str, member_id: str, table: Any, *names: str) -> list[dict[str, Any]]:
    query = select(table).where(table.account_id == account_id, table.member_id == member_id)
    return [_told(row, *names) for row in db.session.scalars(query)]


def _acts(account_id: str, person_id: str, table: Any) -> Sequence[Any]:
    query: Select[Any] = select(table).where(table.account_id == account_id, table.person_id == person_id)
    return db.session.scalars(query.order_by(table.id)).all()


def _mails(account_id: str, email: str) -> list[dict[str, Any]]:
    """Their texts may have links that let somebody in, so only what they are about is told."""
    query = select(Message).where(Message.account_id == account_id, Message.recipient == email)
    return [_told(row, "sent_at", "subject") for row in db.session.scalars(query.order_by(Message.sent_at, Message.id))]


def _told(row: Any, *names: str) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in names}
    return {name: value.isoformat() if isinstance(value, date | datetime) else value for name, value in values.items()}


def erase(account_id: str, email: str) -> None:
    """Erases what this account stores of whoever has or had this normalised e-mail. A present member is removed.

    Raises OwnerStays for the owner of the account: nothing is changed then.
    """
    with transaction() as session:
        loading.lock_all(account_id)  # mails that are being written are erased, too
        locked = members.lock(session, account_id)
        ids, addresses = _person(session, account_id, email)
        if locked.owner.id in ids:
            raise OwnerStays
        names = _names(session, account_id, ids)
        for member in locked.members:
            if member.id in ids:
                members.go(session, locked, member.id, "member_removed")
        activity.record(account_id, "member_erased", locked.now, {}, {"member": email})
        _erase_mails(session, account_id, addresses, names)
        invited = delete(Invitation).where(Invitation.account_id == account_id)
        session.execute(invited.where(Invitation.email.in_(addresses)))
        for name in names:
            by_them = Invitation.account_id == account_id, Invitation.invited_by == name
            session.execute(update(Invitation).where(*by_them).values(invited_by=locked.owner.name))
        this = or_(Person.id.in_(ids), Person.member_id.in_(ids), func.lower(Person.email).in_(addresses))
        session.execute(update(Person).where(Person.account_id == account_id, this).values(name="", email=""))


def ids_of(account_id: str, email: str) -> list[str]:
    """Of the members, present and former, who have or had this normalised e-mail."""
    return _person(db.session(), account_id, email)[0]


def _person(session: Session, account_id: str, email: str) -> tuple[list[str], list[str]]:
    """The ids of whoever has or had this e-mail, and all of their e-mails."""
    mine = Person.account_id == account_id, Person.kind != "support"
    ids = {*session.scalars(select(Member.id).where(Member.account_id == account_id, Member.email == email))}
    for row in session.scalars(select(Person).where(*mine, func.lower(Person.email) == email)):
        ids.add(row.member_id or row.id)
    whose = or_(Person.id.in_(ids), Person.member_id.in_(ids))
    addresses = {email, *session.scalars(select(func.lower(Person.email)).where(*mine, whose))}
    present = select(Member.email).where(Member.account_id == account_id, Member.id.in_(ids))
    return sorted(ids), sorted({*addresses, *session.scalars(present)} - {""})


def _names(session: Session, account_id: str, ids: Sequence[str]) -> list[str]:
    present = select(Member.name).where(Member.account_id == account_id, Member.id.in_(ids))
    former = select(Person.name).where(Person.account_id == account_id, Person.id.in_(ids))
    return sorted({*session.scalars(present), *session.scalars(former)} - {""})


def _erase_mails(session: Session, account_id: str, addresses: Sequence[str], names: Sequence[str]) -> None:
    """Mails to the person lose all they say. A row stays: it says that something was told, so that it is told once.
    Sent mails to others that name the person lose their texts."""
    mine = Message.account_id == account_id
    theirs = mine, func.lower(Message.recipient).in_(addresses)
    unsent = update(Message).where(*theirs, Message.delivery == "unsent")
    session.execute(unsent.values(delivery="given_up", due_at=None))
    empty = {"recipient": "", "subject": "", "body": "", "html": "", "reply_to": None}
    session.execute(update(Message).where(*theirs, Message.delivery != "unsent").values(**empty, fault=None))
    answered = update(Message).where(mine, func.lower(Message.reply_to).in_(addresses))
    session.execute(answered.values(reply_to=None))
    named: list[ColumnElement[bool]] = []
    for text in (*addresses, *names):
        named += [column.contains(text, autoescape=True) for column in (Message.subject, Message.body)]
        named.append(Message.html.contains(escape(text), autoescape=True))
    told = update(Message).where(mine, Message.delivery != "unsent", or_(*named))
    session.execute(told.values(subject="", body="", html=""))
