"""« Ce n’était pas moi »: the link in a security mail ends all access of a member, and undoes what was told since then.

A link also undoes what was told of after its mail: a factor that was added, an e-mail that was changed, a handover that
was proposed. Who signs in at a provider only since then does so no longer. Links of earlier mails stay good, so whoever
held the address before cannot be kept out by whoever took it over.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ..access import browsers, local_passwords, passwords, second_factor, sessions, tokens
from ..access import members as known
from ..accounts import activity
from ..db import db, transaction
from ..domain.access import ALARM_LIFETIME, RESET_LIFETIME
from ..domain.permissions import Role
from ..domain.refusals import AlarmOver, EmailTaken
from ..models.access import PasswordReset
from ..models.accounts import Account, Member
from ..models.alarms import AlarmLink, EmailChange
from ..models.second_factor import HeldForm
from ..ports import ports
from ..subscriptions import loading
from . import handover, members, own_email


class Opened(NamedTuple):
    """What the page of a link says. `restores`: the old e-mail that is put back; "" for none."""

    member_id: str
    email: str
    restores: str
    ends_at: datetime
    by_provider: bool


class Done(NamedTuple):
    """`reset`: the token of a link that sets a password, where it may be used at once. `mailed`: a mail with one was
    written. Neither where the member has no local password, or where `stuck`: the old e-mail is another's by now.
    """

    email: str
    reset: str = ""
    mailed: bool = False
    stuck: bool = False


def open_link(token: str) -> Opened:
    """Opening the link changes nothing, because programs that scan mails open links. Raises AlarmOver."""
    account = db.session.get(Account, tokens.account_named(token))
    link = _find(account, token) if account else None
    if account is None or link is None:
        raise AlarmOver()
    member = db.session.get_one(Member, (account.id, link.member_id))
    old = _old_email(_since(link), member)
    ends_at = account.local(link.created_at + ALARM_LIFETIME)
    return Opened(member.id, old or member.email, old, ends_at, not _has_password(member))


def disown(token: str) -> Done:
    """Ends all sessions of the member, forgets their browsers, withdraws what is half-way, and disables the password.

    A link that is not older than one that sets a password is as good a proof, so it leads there at once; an older mail
    may have been passed on, so a new one is sent. Raises AlarmOver.
    """
    account_id = tokens.account_named(token)
    with transaction() as session:
        if session.get(Account, account_id) is None:
            raise AlarmOver()
        loading.lock_all(account_id)
        locked = members.lock(session, account_id)
        link = _find(locked.account, token)
        if link is None:
            raise AlarmOver()
        undone, age = _since(link), locked.now - link.created_at
        member = known.lock_member(session, account_id, link.member_id)
        known.unbind(session, member, ports().clock.system_now() - age)
        is_local = _has_password(member)
        second_factor.disown(session, account_id, member.id, [one.factor for one in undone if one.factor])
        _end_access(session, member)
        stuck = not _restore_email(session, locked, member, _old_email(undone, member))
        if member.role == Role.OWNER:
            handover.cancel_since(session, locked, link.created_at)
        for one in undone:
            session.delete(one)
        activity.record(account_id, "disowned", locked.now, {}, {"member": member.email}, person_id=member.id)
        if stuck or not is_local:
            return Done(member.email, stuck=stuck)
        if age < RESET_LIFETIME:
            return Done(member.email, reset=passwords.add_link(session, member))
        passwords.mail_link(session, member)
        return Done(member.email, mailed=True)


def _has_password(member: Member) -> bool:
    """Whether the member signs in with a password here, or did until this was disowned."""
    return local_passwords.are_on() and not (member.password_hash == "" and passwords.is_bound(member))


def _end_access(session: Session, member: Member) -> None:
    sessions.end(session, member.account_id, member.id, "revoked")
    browsers.forget(session, member.account_id, member.id)
    for table in (EmailChange, PasswordReset, HeldForm):
        session.execute(delete(table).where(table.account_id == member.account_id, table.member_id == member.id))
    member.password_hash = ""
    session.flush()


def _restore_email(session: Session, locked: members.Locked, member: Member, email: str) -> bool:
    """False if somebody else signs in with it by now."""
    if not email:
        return True
    try:
        own_email.put_back(session, locked, member, email)
    except EmailTaken:
        return False
    return True


def _find(account: Account, token: str) -> AlarmLink | None:
    key = account.id, tokens.hash_token(token)
    link = db.session.get(AlarmLink, key, populate_existing=True)
    return link if link and ports().clock.now(account) < link.created_at + ALARM_LIFETIME else None


def _since(link: AlarmLink) -> Sequence[AlarmLink]:
    """This link and those of later mails to the same member, in the order of writing."""
    later = AlarmLink.member_id == link.member_id, AlarmLink.created_at >= link.created_at
    query = select(AlarmLink).where(AlarmLink.account_id == link.account_id, *later)
    return db.session.scalars(query.order_by(AlarmLink.created_at)).all()


def _old_email(undone: Sequence[AlarmLink], member: Member) -> str:
    """The address that the member had before; "" if it did not change since."""
    old = next((one.old_email for one in undone if one.old_email), "")
    return old if old != member.email else ""
