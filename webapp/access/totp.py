"""Authenticator apps: time-based codes (RFC 6238). A code is accepted once, within a step of its own."""

import hmac
import re

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from ..db import LOCK, db, transaction
from ..domain.access import TOTP_LEEWAY, TOTP_STEP
from ..models.second_factor import Totp
from ..ports import ports
from . import members, sealing
from .identity import SignedIn

ISSUER = "My Qlik"


def begin(member: SignedIn) -> None:
    """Makes a secret to be set up. An app that is set up goes on working until the new one is confirmed.

    Raises NotFound if the member was removed meanwhile.
    """
    import pyotp

    secret = sealing.seal(pyotp.random_base32())
    with transaction() as session:
        key = member.account_id, member.member_id
        members.lock_member(session, *key)  # of two at once, the second replaces the first
        row = session.get(Totp, key)
        if row is None:
            session.add(Totp(account_id=key[0], member_id=key[1], pending_secret=secret, last_step=0))
        else:
            row.pending_secret = secret


def pending_secret(member: SignedIn) -> str | None:
    sealed = db.session.scalars(select(Totp.pending_secret).where(*_of(member))).one_or_none()
    return sealing.unseal(sealed) if sealed else None


def address(member: SignedIn, secret: str) -> str:
    """What the QR code says."""
    import pyotp

    return pyotp.TOTP(secret).provisioning_uri(name=member.email, issuer_name=ISSUER)


def is_set_up(member: SignedIn) -> bool:
    query = select(Totp.member_id).where(*_of(member), Totp.secret.is_not(None))
    return db.session.scalars(query).one_or_none() is not None


def confirm(session: Session, member: SignedIn, code: str) -> bool:
    """The app with the pending secret becomes the member's, in the open transaction, if it gave this code."""
    row = session.get(Totp, (member.account_id, member.member_id), with_for_update=LOCK, populate_existing=True)
    secret = sealing.unseal(row.pending_secret) if row and row.pending_secret else None
    step = _step_of(secret, code) if secret else None
    if row is None or step is None:
        return False
    row.secret, row.pending_secret, row.last_step = row.pending_secret, None, step
    return True


def accept(session: Session, member: SignedIn, code: str) -> bool:
    """Whether the member's app gave this code, and it was not used yet; it is used then, in the open transaction."""
    sealed = session.scalars(select(Totp.secret).where(*_of(member))).one_or_none()
    secret = sealing.unseal(sealed) if sealed else None
    step = _step_of(secret, code) if secret else None
    if sealed is None or step is None:
        return False
    later = update(Totp).where(*_of(member), Totp.secret == sealed, Totp.last_step < step)
    using = later.values(last_step=step, secret=sealing.renewed(sealed)).returning(Totp.member_id)
    return session.execute(using).one_or_none() is not None


def _step_of(secret: str, code: str) -> int | None:
    """The time step whose code this is; None if it is none of those around now."""
    import pyotp

    digits, app = re.sub(r"\s", "", code), pyotp.TOTP(secret)
    if not re.fullmatch(r"[0-9]{6}", digits, re.ASCII):
        return None
    now = int(ports().clock.system_now().timestamp() // TOTP_STEP.total_seconds())
    steps = range(now - TOTP_LEEWAY, now + TOTP_LEEWAY + 1)
    return next((step for step in steps if hmac.compare_digest(app.generate_otp(step), digits)), None)


def _of(member: SignedIn) -> tuple[ColumnElement[bool], ...]:
    return Totp.account_id == member.account_id, Totp.member_id == member.member_id
