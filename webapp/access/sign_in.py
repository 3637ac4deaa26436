"""Sign-in with a local password, or as the person that an identity provider vouches for."""

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import g
from sqlalchemy import select, update

from ..db import db, transaction
from ..models.accounts import Owner
from . import limits, sessions

hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # OWASP's first choice of argon2id
NOBODY = hasher.hash(secrets.token_hex(16))  # no password opens it: an unknown e-mail takes as long as a known one
KELVIN = "\u212a"


def sign_in(email: str, password: str) -> bool:
    """Starts a new session; False, after the same work, for an unknown e-mail, a wrong password or one that must be
    set anew. TooManyRequests after too many guesses."""
    email = folded(email)
    counted = limits.guess(email)
    found = db.session.execute(select(Owner.id, Owner.password_hash).where(Owner.email == email)).one_or_none()
    db.session.rollback()
    if not verified((found and found.password_hash) or NOBODY, password) or found is None:
        return False
    limits.forgive(counted)
    if not sessions.begin(found.id, password_hash=found.password_hash):
        return False
    limits.remember_device(email)
    return True


def sign_in_as(email: str, id_token: str) -> bool:
    """The owner of an e-mail that a provider vouches for; False if there is none."""
    owner_id = db.session.scalars(select(Owner.id).where(Owner.email == folded(email))).one_or_none()
    db.session.rollback()
    if owner_id is None:
        return False
    sessions.begin(owner_id, id_token)
    limits.remember_device(folded(email))
    return True


def folded(email: str) -> str:
    """As owners' e-mails are kept. The sign of the kelvin stays: it is small in ASCII, and in another's address."""
    return KELVIN.join(part.lower() for part in email.strip().split(KELVIN))


def verified(password_hash: str, password: str) -> bool:
    try:
        return hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):  # the second: an owner who never had a password
        return False


def remember_locale(locale: str) -> None:
    """With the owner who is signed in, so that other browsers and mails follow."""
    if g.owner:
        with transaction() as database:
            database.execute(update(Owner).where(Owner.id == g.owner.owner_id).values(locale=locale))
