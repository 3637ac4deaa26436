"""Between the password and the second factor: who gave the right password is nobody until a factor follows."""

from collections.abc import Callable

from flask import g
from flask import session as cookie
from sqlalchemy.orm import Session

from ..db import NotFound, transaction
from . import limits, members, passkeys, recovery_codes, second_factor, security, sessions, tokens, totp
from .identity import SignedIn


def by_app(member: SignedIn, code: str) -> bool:
    """Signs in with a code of the authenticator app. Raises TooManyRequests after too many wrong ones."""
    counted = limits.count_code(member.email)
    if not _complete(member, "app", lambda session: totp.accept(session, member, code)):
        return False
    limits.uncount(counted)
    return True


def by_recovery_code(member: SignedIn, code: str) -> bool:
    """Signs in with a recovery code, which is used up then. Raises TooManyRequests after too many wrong ones."""
    counted, code_hash = limits.count_recovery(member.email), recovery_codes.hash_of(member, code)

    def accept(session: Session) -> bool:
        if not recovery_codes.accept(session, member, code_hash):
            return False
        second_factor.recovery_code_used(session, member)
        return True

    if not _complete(member, "recovery", accept):
        return False
    limits.uncount(counted)
    return True


def by_passkey(member: SignedIn, credential: str) -> bool:
    """Signs in with a passkey of the member."""
    try:
        passkeys.verify(credential, "factor")
    except passkeys.Refused:
        security.refused(member.account_id, member.member_id, "factor_refused", "passkey")
        return False
    return _complete(member, "passkey", lambda _session: True)


def _complete(member: SignedIn, way: str, accept: Callable[[Session], bool]) -> bool:
    """Accepts the factor and makes the session a sign-in, in one transaction: a factor is used up only with it.

    The member is locked first, as by whatever changes their access: neither waits for what the other holds.
    """
    token_hash = tokens.hash_token(cookie["token"])
    try:
        with transaction() as session:
            members.lock_member(session, member.account_id, member.member_id)
            accepted = accept(session)
            if accepted:
                token = sessions.complete(session, member.account_id, member.session_id, token_hash, way)
    except NotFound:
        return False
    if not accepted:
        security.refused(member.account_id, member.member_id, "factor_refused", way)
        return False
    cookie["token"] = token
    g.halfway = None
    return True
