"""A member's own e-mail, with which they sign in. It changes only when its holder confirms from the new address."""

from datetime import datetime
from typing import NamedTuple

from flask import session as cookie
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ..access import limits, sessions, sign_in, tokens
from ..access import members as known
from ..access.identity import SignedIn
from ..accounts import activity
from ..db import db, transaction
from ..domain.access import EMAIL_CHANGE_LIFETIME
from ..domain.refusals import EmailChangeOver, EmailTaken, SameEmail
from ..mail import security_mails
from ..models.access import PasswordReset, SignInKey
from ..models.accounts import Account, Member
from ..models.alarms import EmailChange
from ..models.team import Invitation
from ..ports import ports
from ..subscriptions import loading
from . import members


class Pending(NamedTuple):
    """`ends_at` is by the account's clock, in its zone."""

    email: str
    ends_at: datetime


def request(me: SignedIn, email: str) -> None:
    """Mails the new address a link that confirms it; an earlier link stops working.

    Raises SameEmail, or EmailTaken if the address signs in already: it is not said where.
    """
    email = sign_in.normalize_email(email)
    with transaction() as session:
        locked = members.lock(session, me.account_id)
        member = locked.member(me.member_id)
        if email == member.email:
            raise SameEmail()
        _check_free(email)
        _withdraw(session, member)
        token = tokens.new_token(me.account_id)
        change = EmailChange(
            account_id=me.account_id,
            member_id=member.id,
            email=email,
            token_hash=tokens.hash_token(token),
            asked_at=locked.now,
        )
        session.add_all([change, security_mails.confirm_email(locked.account, member, change, token)])
        activity.record(me.account_id, "email_change_requested", locked.now, {"email": member.email}, {"email": email})


def pending(me: SignedIn) -> Pending | None:
    """The new address that waits for its confirmation."""
    account = db.session.get_one(Account, me.account_id)
    change = db.session.get(EmailChange, (me.account_id, me.member_id))
    return _opened(account, change) if change and _is_live(account, change) else None


def withdraw(me: SignedIn) -> None:
    """The link in the mail stops working. Doing it twice has one effect."""
    with transaction() as session:
        locked = members.lock(session, me.account_id)
        change = session.get(EmailChange, (me.account_id, me.member_id))
        if change is not None:
            activity.record(me.account_id, "email_change_withdrawn", locked.now, {"email": change.email})
            _withdraw(session, locked.member(me.member_id))


def open_link(me: SignedIn, token: str) -> Pending:
    """Opening the link changes nothing. Raises EmailChangeOver, also for the link of another member."""
    account = db.session.get_one(Account, me.account_id)
    return _opened(account, _find(account, me, token))


def confirm(me: SignedIn, token: str) -> str:
    """The member signs in with the new address from now on; their other sessions end. Returns the address.

    Raises EmailChangeOver, or EmailTaken if somebody else signs in with it by now.
    """
    with transaction() as session:
        loading.lock_all(me.account_id)
        locked = members.lock(session, me.account_id)
        change = _find(locked.account, me, token)
        email = change.email
        set_email(session, locked, locked.member(me.member_id), email)
        sessions.end(session, me.account_id, me.member_id, "revoked", kept_id=me.session_id)
        new_cookie = sessions.change_token(session, me.account_id, me.session_id)
    cookie["token"] = new_cookie
    limits.remember_device(email)
    return email


def set_email(session: Session, locked: members.Locked, member: Member, email: str) -> None:
    """Changes the e-mail of a member in the open transaction, which has locked the account and its subscriptions.

    The old address and the new one are told, links that were mailed to the old one stop working, and an invitation of
    the account to the new one ends. Raises EmailTaken.
    """
    before = _replace(session, member, email)
    activity.record(locked.account.id, "email_changed", locked.now, {"email": before}, {"email": email})
    session.add_all(security_mails.email_changed(member, before))


def put_back(session: Session, locked: members.Locked, member: Member, email: str) -> None:
    """The same for the holder of the old address, who disowns the change. Raises EmailTaken."""
    dropped = _replace(session, member, email)
    activity.record(
        locked.account.id, "email_put_back", locked.now, {"email": dropped}, {"email": email}, by=member.name
    )
    session.add(security_mails.email_put_back(member, dropped))


def _replace(session: Session, member: Member, email: str) -> str:
    """Returns the old address."""
    _check_free(email)
    before, member.email = member.email, email
    known.forget_key(known.email_key(before))
    session.add(SignInKey(key_hash=known.email_key(email), account_id=member.account_id))
    try:
        session.flush()
    except IntegrityError:  # somebody else was faster
        raise EmailTaken() from None
    _withdraw(session, member)
    links = PasswordReset.account_id == member.account_id, PasswordReset.member_id == member.id
    session.execute(delete(PasswordReset).where(*links))
    session.execute(delete(Invitation).where(Invitation.account_id == member.account_id, Invitation.email == email))
    return before


def _withdraw(session: Session, member: Member) -> None:
    this = EmailChange.account_id == member.account_id, EmailChange.member_id == member.id
    session.execute(delete(EmailChange).where(*this))


def _check_free(email: str) -> None:
    if known.account_of(known.email_key(email)) != known.NO_ACCOUNT:
        raise EmailTaken()


def _find(account: Account, me: SignedIn, token: str) -> EmailChange:
    mine = EmailChange.account_id == me.account_id, EmailChange.member_id == me.member_id
    query = select(EmailChange).where(*mine, EmailChange.token_hash == tokens.hash_token(token))
    change = db.session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if change is None or not _is_live(account, change):
        raise EmailChangeOver()
    return change


def _is_live(account: Account, change: EmailChange) -> bool:
    return ports().clock.now(account) < change.asked_at + EMAIL_CHANGE_LIFETIME


def _opened(account: Account, change: EmailChange) -> Pending:
    return Pending(change.email, account.local(change.asked_at + EMAIL_CHANGE_LIFETIME))
