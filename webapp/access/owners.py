"""Owners, and how they are found when they sign in: a table of everyone's names the account, which is searched then."""

import hashlib

from sqlalchemy import delete, select

from ..db import db
from ..models.access import SignInKey
from ..models.accounts import Owner

NO_ACCOUNT = ""  # searched for an unknown key, so that it takes as long as a known one


def email_key(email: str) -> str:
    return _hash("email", email)


def subject_key(issuer: str, subject: str) -> str:
    """The key of a person at an identity provider."""
    return _hash("subject", issuer, subject)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def account_of(key_hash: str) -> str:
    """The account in which this key signs in; NO_ACCOUNT if there is none."""
    query = select(SignInKey.account_id).where(SignInKey.key_hash == key_hash)
    return db.session.scalars(query).one_or_none() or NO_ACCOUNT


def find_owner(email: str, *, lock: bool = False) -> Owner | None:
    """The owner with this normalised e-mail."""
    query = select(Owner).where(Owner.account_id == account_of(email_key(email)), Owner.email == email)
    return db.session.scalars(query.with_for_update() if lock else query).one_or_none()


def add_owner(owner: Owner) -> None:
    """Adds an owner to the open transaction. IntegrityError if the e-mail belongs to another owner of any account."""
    db.session.add(SignInKey(key_hash=email_key(owner.email), account_id=owner.account_id))
    db.session.add(owner)
    db.session.flush()


def forget_key(key_hash: str) -> None:
    db.session.execute(delete(SignInKey).where(SignInKey.key_hash == key_hash))
