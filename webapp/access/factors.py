"""Whether a member has a second factor."""

from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from ..db import table_of
from ..models.accounts import Member
from ..models.second_factor import Passkey, Totp

_totp, _passkey = table_of(Totp).c, table_of(Passkey).c


def is_set_up(member: Any = Member.__table__.c) -> ColumnElement[bool]:
    """For a statement that reads the table of members."""
    app = and_(_totp.account_id == member.account_id, _totp.member_id == member.id, _totp.secret.is_not(None))
    key = and_(_passkey.account_id == member.account_id, _passkey.member_id == member.id)
    return or_(exists().where(app), exists().where(key))


def has_any(database: Session, account_id: str, member_id: str) -> bool:
    this = Member.account_id == account_id, Member.id == member_id
    return database.scalars(select(Member.id).where(*this, is_set_up())).one_or_none() is not None
