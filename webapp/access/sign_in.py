"""Sign-in with a local password, or as the person that an identity provider has signed in."""

import logging
import secrets
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import g
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from werkzeug.exceptions import TooManyRequests

from .. import metrics
from ..db import db, transaction
from ..models.access import ProviderIdentity, SignInKey
from ..models.accounts import Member
from ..ports import ports
from . import deactivation, limits, members, passkeys, security, sessions
from .provider import VerifiedIdentity

hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # OWASP's first choice of argon2id
# Verified for an unknown e-mail, so that it takes as long as a known one. It matches no password.
UNKNOWN_OWNER_HASH = hasher.hash(secrets.token_hex(16))
KELVIN_SIGN = "\u212a"
log = logging.getLogger(__name__)


def sign_in(email: str, password: str) -> sessions.Begun:
    """Starts a session. Returns "" for an unknown e-mail or a wrong password, after the same time for both; "factor" if
    a second factor is owed; "deactivated" if nobody signs in to the account: then `g.deactivated` says whom to contact.

    Raises TooManyRequests after too many wrong passwords.
    """
    email = normalize_email(email)
    try:
        counted = limits.count_guess(email)
    except TooManyRequests:
        log_refused("limit")
        raise
    owner = members.find_member(email)
    account_id, member_id, known_hash = (owner.account_id, owner.id, owner.password_hash) if owner else ("", "", "")
    db.session.rollback()
    # The hash is "" also if the owner must set a new password.
    if not verify_password(known_hash or UNKNOWN_OWNER_HASH, password) or owner is None:
        log_refused("password")
        security.sign_in_refused(email, (account_id, member_id) if owner else None, "password")
        return ""
    limits.uncount(counted)
    limits.count(("sign_in", email))
    return _logged(sessions.begin(account_id, member_id, password_hash=known_hash), account_id)


def by_passkey(credential: str) -> sessions.Begun:
    """Starts a session for the member whose passkey this is, which counts as a password and a factor. Returns "" if
    nobody's is, and what `sign_in` returns.

    Not for a member without a password: none was set yet, or a backup was restored, which may know a passkey again that
    had been removed. They set a password by mail first.
    """
    try:
        member = passkeys.verify(credential, "sign-in")
    except passkeys.Refused:
        return ""
    if not member.password_hash:
        return ""
    account_id, email = member.account_id, member.email
    limits.count(("sign_in", email))
    begun = sessions.begin(account_id, member.id, password_hash=member.password_hash, by_passkey=True)
    return _logged(begun, account_id)


def _logged(begun: sessions.Begun, account_id: str) -> sessions.Begun:
    if begun == "deactivated":
        g.deactivated = deactivation.sentence(account_id)
        log_refused("deactivated")
    return begun


def log_refused(reason: str) -> None:
    """A line in the log, without the e-mail, and a count for /metrics."""
    log.warning("sign-in refused", extra={"details": {"reason": reason, "client": limits.client_hash()}})
    metrics.count_refused_sign_in(reason)


def sign_in_as(identity: VerifiedIdentity) -> Literal["signed_in", "unknown", "another", "deactivated"]:
    """Starts a session for the owner who is bound to the provider's subject. At the first sign-in, the owner of the
    verified e-mail is bound.

    "unknown": there is no such owner. "another": the owner of the e-mail is bound to another subject.
    """
    with transaction() as session:
        owner = _bound_owner(session, identity)
        if owner is None:  # the row is locked, so that of two first sign-ins at once one waits
            owner = members.find_member(normalize_email(identity.email), lock=True)
            if owner is None:
                return "unknown"
            if _is_bound_to_another(session, owner, identity):
                return "another"
            _bind(session, owner, identity)
        account_id, member_id = owner.account_id, owner.id
    begun = sessions.begin(account_id, member_id, identity.id_token, proved_at=identity.auth_time)
    if begun == "deactivated":
        g.deactivated = deactivation.sentence(account_id)
        return "deactivated"
    if not begun:
        return "unknown"  # removed at the same moment
    return "signed_in"


def _bound_owner(session: Session, identity: VerifiedIdentity) -> Member | None:
    account_id = members.account_of(members.subject_key(identity.issuer, identity.subject))
    bound = session.get(ProviderIdentity, (account_id, identity.issuer, identity.subject))
    return session.get(Member, (account_id, bound.member_id)) if bound else None


def _is_bound_to_another(session: Session, owner: Member, identity: VerifiedIdentity) -> bool:
    """Whether the owner is bound to another subject of this provider. It is logged, without the e-mail."""
    mine = ProviderIdentity.account_id == owner.account_id, ProviderIdentity.member_id == owner.id
    here = *mine, ProviderIdentity.issuer == identity.issuer
    subject = session.scalars(select(ProviderIdentity.subject).where(*here)).one_or_none()
    if subject in (None, identity.subject):
        return False
    log.warning(
        "sign-in by the provider: another subject came with the e-mail of an owner who is bound",
        extra={"details": {"account": owner.account_id, "owner": owner.id}},
    )
    return True


def _bind(session: Session, owner: Member, identity: VerifiedIdentity) -> None:
    now = ports().clock.system_now()
    key = members.subject_key(identity.issuer, identity.subject)
    session.add(SignInKey(key_hash=key, account_id=owner.account_id))
    session.add(
        ProviderIdentity(
            account_id=owner.account_id,
            issuer=identity.issuer,
            subject=identity.subject,
            member_id=owner.id,
            bound_at=now,
        )
    )


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
    if g.member:
        with transaction() as database:
            this = Member.account_id == g.member.account_id, Member.id == g.member.member_id
            database.execute(update(Member).where(*this).values(locale=locale))
