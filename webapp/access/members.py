"""Members, and how they are found when they sign in: a table of everyone names the account, which is searched then."""

import hashlib
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ..db import LOCK, NotFound, db
from ..domain.permissions import Role
from ..models.access import ProviderIdentity, SignInKey
from ..models.accounts import Member

NO_ACCOUNT = ""  # searched for an unknown key, so that it takes as long as a known one


def email_key(email: str) -> str:
    return _hash("email", email)


def subject_key(issuer: str, subject: str) -> str:
    """The key of a person at an identity provider."""
    return _hash("subject", issuer, subject)


def passkey_key(credential_id: str) -> str:
    return _hash("passkey", credential_id)


def handle(account_id: str, member_id: str) -> str:
    """What a member is called in passkeys."""
    return _hash("member", account_id, member_id)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def account_of(key_hash: str) -> str:
    """The account in which this key signs in; NO_ACCOUNT if there is none."""
    query = select(SignInKey.account_id).where(SignInKey.key_hash == key_hash)
    return db.session.scalars(query).one_or_none() or NO_ACCOUNT


def find_member(email: str, *, lock: bool = False) -> Member | None:
    """The member with this normalised e-mail. `lock`: as `lock_member`."""
    query = select(Member).where(Member.account_id == account_of(email_key(email)), Member.email == email)
    return db.session.scalars(query.with_for_update(key_share=True) if lock else query).one_or_none()


def lock_member(session: Session, account_id: str, member_id: str) -> Member:
    """Locks a member before rows are written that refer to it, so that nobody removes the member meanwhile.

    Raises NotFound if the member was removed since the request began.
    """
    key = account_id, member_id
    member = session.get(Member, key, with_for_update=LOCK, populate_existing=True)
    if member is None:
        raise NotFound(member_id)
    return member


def password_hash_of(account_id: str, member_id: str) -> str:
    """ "" for a member without a password, or who was removed since the request began. It ends the open transaction."""
    query = select(Member.password_hash).where(Member.account_id == account_id, Member.id == member_id)
    found = db.session.scalars(query).one_or_none() or ""
    db.session.rollback()
    return found


def add_member(member: Member) -> None:
    """Adds a member to the open transaction. IntegrityError if the e-mail belongs to another member of any account."""
    db.session.add(SignInKey(key_hash=email_key(member.email), account_id=member.account_id))
    db.session.add(member)
    db.session.flush()


def name_of_owner(account_id: str) -> str:
    """Of the service account owner."""
    query = select(Member.name).where(Member.account_id == account_id, Member.role == Role.OWNER)
    return db.session.scalars(query).one()


def unbind(session: Session, member: Member, since: datetime | None = None) -> None:
    """Forgets who at a provider signs in as this member, in the open transaction: all, or who was bound `since` then,
    by the machine's clock."""
    mine = ProviderIdentity.account_id == member.account_id, ProviderIdentity.member_id == member.id
    query = select(ProviderIdentity).where(*mine)
    for identity in session.scalars(query.where(ProviderIdentity.bound_at >= since) if since else query):
        forget_key(subject_key(identity.issuer, identity.subject))
        session.delete(identity)
    session.flush()


def forget_key(key_hash: str) -> None:
    db.session.execute(delete(SignInKey).where(SignInKey.key_hash == key_hash))
