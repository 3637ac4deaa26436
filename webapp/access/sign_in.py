"""Sign-in with a local password, or as the person that an identity provider vouches for."""

import logging
import secrets
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import g
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ..db import db, transaction
from ..models.access import ProviderIdentity
from ..models.accounts import Owner
from ..ports import ports
from . import limits, sessions
from .provider import Vouched

hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # OWASP's first choice of argon2id
NOBODY = hasher.hash(secrets.token_hex(16))  # no password opens it: an unknown e-mail takes as long as a known one
KELVIN = "\u212a"
log = logging.getLogger(__name__)


def sign_in(email: str, password: str) -> bool:
    """Starts a new session; False, after the same work, for an unknown e-mail or a wrong password. TooManyRequests
    after too many guesses."""
    email = folded(email)
    counted = limits.guess(email)
    found = db.session.execute(select(Owner.id, Owner.password_hash).where(Owner.email == email)).one_or_none()
    db.session.rollback()
    if not verified(found.password_hash if found else NOBODY, password) or found is None:
        return False
    limits.forgive(counted)
    limits.count("sign_in", email)
    if not sessions.begin(found.id, password_hash=found.password_hash):
        return False
    limits.remember_device(email)
    return True


def sign_in_as(vouched: Vouched) -> Literal["signed_in", "unknown", "another"]:
    """The owner who is bound to the provider's person, or at the first sign-in the owner of the e-mail.

    "unknown": there is no such owner. "another": the owner of the e-mail is bound to another person there.
    """
    with transaction() as session:
        owner = _bound(session, vouched)
        if owner is None:  # locked, so that of two first sign-ins at once one waits
            by_email = select(Owner).where(Owner.email == folded(vouched.email)).with_for_update()
            owner = session.scalars(by_email).one_or_none()
            if owner is None:
                return "unknown"
            if _is_another(session, owner, vouched):
                return "another"
            _bind(session, owner, vouched)
        owner_id, email = owner.id, owner.email
    sessions.begin(owner_id, vouched.id_token)
    limits.remember_device(email)
    return "signed_in"


def _bound(session: Session, vouched: Vouched) -> Owner | None:
    return session.scalars(
        select(Owner)
        .join(ProviderIdentity, ProviderIdentity.owner_id == Owner.id)
        .where(ProviderIdentity.issuer == vouched.issuer, ProviderIdentity.subject == vouched.subject)
    ).one_or_none()


def _is_another(session: Session, owner: Owner, vouched: Vouched) -> bool:
    """Whether the owner of this e-mail is bound to another person at this provider."""
    here = ProviderIdentity.owner_id == owner.id, ProviderIdentity.issuer == vouched.issuer
    subject = session.scalars(select(ProviderIdentity.subject).where(*here)).one_or_none()
    if subject in (None, vouched.subject):
        return False
    log.warning(
        "sign-in by the provider: another subject came with the e-mail of an owner who is bound",
        extra={"told": {"account": owner.account_id, "owner": owner.id}},
    )
    return True


def _bind(session: Session, owner: Owner, vouched: Vouched) -> None:
    now = ports().clock.system_now()
    session.merge(ProviderIdentity(issuer=vouched.issuer, subject=vouched.subject, owner_id=owner.id, bound_at=now))


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
