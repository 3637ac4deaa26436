"""Between the password and the second factor: who gave the right password is nobody until a factor follows."""

from collections.abc import Callable

from flask import g
from flask import session as cookie
from sqlalchemy.orm import Session

from ..db import NotFound, transaction
from . import limits, passkeys, recovery_codes, second_factor, sessions, totp
from .identity import SignedIn


def by_app(owner: SignedIn, code: str) -> bool:
    """Signs in with a code of the authenticator app. Raises TooManyRequests after too many wrong ones."""
    counted = limits.count_code(owner.email)
    if not _complete(owner, lambda session: totp.accept(session, owner, code)):
        return False
    limits.uncount(counted)
    return True


def by_recovery_code(owner: SignedIn, code: str) -> bool:
    """Signs in with a recovery code, which is used up then. Raises TooManyRequests after too many wrong ones."""
    counted, code_hash = limits.count_recovery(owner.email), recovery_codes.hash_of(owner, code)

    def accept(session: Session) -> bool:
        if not recovery_codes.accept(session, owner, code_hash):
            return False
        second_factor.recovery_code_used(session, owner)
        return True

    if not _complete(owner, accept):
        return False
    limits.uncount(counted)
    return True


def by_passkey(owner: SignedIn, credential: str) -> bool:
    """Signs in with a passkey of the member."""
    try:
        passkeys.verify(credential, "factor")
    except passkeys.Refused:
        return False
    return _complete(owner, lambda _session: True)


def _complete(owner: SignedIn, accept: Callable[[Session], bool]) -> bool:
    """Accepts the factor and makes the session a sign-in, in one transaction: a factor is used up only with it."""
    try:
        with transaction() as session:
            if not accept(session):
                return False
            token = sessions.complete(session, owner.account_id, owner.session_id, sessions.hash_token(cookie["token"]))
    except NotFound:
        return False
    cookie["token"] = token
    g.halfway = None
    limits.remember_device(owner.email)
    return True
