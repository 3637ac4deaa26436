"""Which browsers a member has signed in with: a sign-in from another one is told by mail.

A browser is known by the identifier in its signed cookie (`limits.remember_device`), of which a hash is stored. Nothing
else is looked at: a browser that drops its cookies is a new one.
"""

import hashlib

from flask import session as cookie
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from ..db import LOCK
from ..mail import security_mails
from ..mail.messages import security as words
from ..models.accounts import Account, Member
from ..models.alarms import KnownBrowser
from ..models.mail import Message
from ..ports import ports
from . import limits

OWED = "owed"  # key in the browser's session: its attempts that lacked the second factor
MOST_OWED = 5


def met(database: Session, account_id: str, member_id: str, name: str) -> None:
    """A member signs in with this browser, in the open transaction: told, unless it is known or the first one.

    `name`: such as "Firefox, Windows".
    """
    member = database.get_one(Member, (account_id, member_id), with_for_update=LOCK)
    now, key = ports().clock.system_now(), _hash(limits.remember_device(member.email))
    known = database.get(KnownBrowser, (account_id, member_id, key))
    this_member = KnownBrowser.account_id == account_id, KnownBrowser.member_id == member_id
    is_first = database.scalars(select(KnownBrowser.seen_at).where(*this_member).limit(1)).first() is None
    is_new = known is None or known.forgotten
    if known is None:
        database.add(KnownBrowser(account_id=account_id, member_id=member_id, browser_hash=key, seen_at=now))
    else:
        known.seen_at, known.forgotten = now, False
    if is_new and not is_first:
        account = database.get_one(Account, account_id)
        at = account.local(ports().clock.now(account))
        database.add_all(security_mails.tell(member, "new_browser", lambda: words.new_browser(name, at)))


def forget(database: Session, account_id: str, member_id: str) -> None:
    """Each browser of the member counts as new again, in the open transaction."""
    this = KnownBrowser.account_id == account_id, KnownBrowser.member_id == member_id
    database.execute(update(KnownBrowser).where(*this).values(forgotten=True))


def owe_factor(database: Session, member: Member, session_id: str, owed: list[str], name: str) -> None:
    """The right password was given in this browser and the factor was not, yet. `owed`: its earlier attempts.

    The mail that tells of it waits until the attempt lapses.
    """
    database.add_all(security_mails.factor_missing(member, session_id, name))
    cookie[OWED] = [*owed, session_id][-MOST_OWED:]


def settle(database: Session, account_id: str, member_id: str, owed: list[str]) -> None:
    """The member is in: what this browser owed of theirs is not told, in the open transaction. What it owed of others
    is: a colleague may have tried their password here.
    """
    if owed:
        abouts = [security_mails.unfinished(session_id) for session_id in owed]
        email = select(Member.email).where(Member.account_id == account_id, Member.id == member_id)
        theirs = Message.account_id == account_id, Message.recipient == email.scalar_subquery()
        database.execute(delete(Message).where(*theirs, Message.about.in_(abouts), Message.attempts == 0))


def _hash(device: str) -> str:
    return hashlib.sha256(device.encode()).hexdigest()
