"""Sign-in with a local password, or with an e-mail address that an identity provider has verified."""

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import g
from sqlalchemy import select, update

from ..db import db, transaction
from ..models.accounts import Owner
from . import limits, sessions

hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # OWASP's first choice of argon2id
# Verified for an unknown e-mail, so that it takes as long as a known one. It matches no password.
UNKNOWN_OWNER_HASH = hasher.hash(secrets.token_hex(16))
KELVIN_SIGN = "\u212a"


def sign_in(email: str, password: str) -> bool:
    """Starts a session. Returns False for an unknown e-mail or a wrong password, after the same time for both.

    Raises TooManyRequests after too many wrong passwords.
    """
    email = normalize_email(email)
    counted = limits.count_guess(email)
    owner = db.session.execute(select(Owner.id, Owner.password_hash).where(Owner.email == email)).one_or_none()
    db.session.rollback()
    if not verify_password(owner.password_hash if owner else UNKNOWN_OWNER_HASH, password) or owner is None:
        return False
    limits.uncount(counted)
    if not sessions.begin(owner.id, password_hash=owner.password_hash):
        return False
    limits.remember_device(email)
    return True


def sign_in_as(email: str, id_token: str) -> bool:
    """Starts a session for the owner of an e-mail that a provider has verified. Returns False if there is none."""
    owner_id = db.session.scalars(select(Owner.id).where(Owner.email == normalize_email(email))).one_or_none()
    db.session.rollback()
    if owner_id is None:
        return False
    sessions.begin(owner_id, id_token)
    limits.remember_device(normalize_email(email))
    return True


def normalize_email(email: str) -> str:
    """Trimmed and in lower case, as owners' e-mails are stored.

    The kelvin sign is kept: its lower case is the ASCII letter k, so it would become another owner's address.
    """
    return KELVIN_SIGN.join(part.lower() for part in email.strip().split(KELVIN_SIGN))


def verify_password(password_hash: str, password: str) -> bool:
    try:
        return hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):  # InvalidHashError: the owner never had a password
        return False


def remember_locale(locale: str) -> None:
    """Stores the signed-in owner's language, which other browsers and mails then use. Does nothing for a visitor."""
    if g.owner:
        with transaction() as database:
            database.execute(update(Owner).where(Owner.id == g.owner.owner_id).values(locale=locale))
