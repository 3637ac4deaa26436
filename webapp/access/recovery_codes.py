"""Recovery codes: each replaces a factor once. Only hashes are stored, so they are shown once, when they are made."""

import re
import secrets

from argon2.low_level import Type, hash_secret_raw
from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from ..db import db
from ..domain.access import RECOVERY_CODES
from ..models.second_factor import RecoveryCode
from .identity import SignedIn

LETTERS, GROUPS, GROUP = "abcdefghjkmnpqrstuvwxyz23456789", 3, 4  # no letter that is taken for another


def make(session: Session, member: SignedIn) -> list[str]:
    """A new set, in the open transaction. It replaces the old one."""
    codes = [_random() for _ in range(RECOVERY_CODES)]
    salt = secrets.token_hex(16)  # of the whole set, so that a code is hashed once to be looked up
    session.execute(delete(RecoveryCode).where(*_of(member)))
    for code in codes:
        hashed = _hash(code, salt)
        session.add(RecoveryCode(account_id=member.account_id, member_id=member.member_id, code_hash=hashed, salt=salt))
    return codes


def hash_of(member: SignedIn, code: str) -> str:
    """For `accept`: hashing takes its time, so it is done before the transaction. "" if the member has no codes."""
    salt = db.session.scalars(select(RecoveryCode.salt).where(*_of(member)).limit(1)).one_or_none()
    db.session.rollback()
    return _hash(code, salt) if salt else ""


def accept(session: Session, member: SignedIn, code_hash: str) -> bool:
    """Whether it is one of the member's codes. It is used up then, in the open transaction."""
    this = *_of(member), RecoveryCode.code_hash == code_hash
    used = session.execute(delete(RecoveryCode).where(*this).returning(RecoveryCode.code_hash))
    return used.one_or_none() is not None


def left(member: SignedIn) -> int:
    return db.session.scalars(select(func.count()).select_from(RecoveryCode).where(*_of(member))).one()


def _random() -> str:
    groups = ("".join(secrets.choice(LETTERS) for _ in range(GROUP)) for _ in range(GROUPS))
    return "-".join(groups)


def _hash(code: str, salt: str) -> str:
    """Argon2id, as for passwords. Hyphens, spaces and capitals do not matter."""
    letters = re.sub(r"[^a-z0-9]", "", code.lower())
    return hash_secret_raw(letters.encode(), bytes.fromhex(salt), 2, 19 * 1024, 1, 32, Type.ID).hex()


def _of(member: SignedIn) -> tuple[ColumnElement[bool], ...]:
    return RecoveryCode.account_id == member.account_id, RecoveryCode.member_id == member.member_id
