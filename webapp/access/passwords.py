"""Local passwords: the rules for a new one, changing it, and setting it through a mailed link."""

from collections.abc import Iterable
from contextlib import suppress

from flask import session as cookie
from flask_babel import gettext
from sqlalchemy import ColumnElement, and_, delete, select, update
from sqlalchemy.orm import Session

from ..db import Across, NotFound, across, db, new_id, transaction
from ..domain import access
from ..mail import outbox, security_mails
from ..mail.messages import security as words
from ..models.access import MemberSession, PasswordReset, ProviderIdentity
from ..models.accounts import Account, Member
from ..models.alarms import AlarmLink, EmailChange, KnownBrowser
from ..models.second_factor import HeldForm, RecoveryCode
from ..models.team import Handover, Invitation
from ..ports import ports
from . import limits, members, security, sessions, sign_in, strength, tokens
from .identity import SignedIn

SHORTEST, LONGEST = 12, 128


def hint() -> str:
    return gettext("%(n)s characters or more, such as four words", n=SHORTEST)


def find_problem(password: str, email: str, names: Iterable[str] = ()) -> str:
    """The sentence for what is wrong with a new password; "" if nothing is.

    `names` are those of the member and of the organisation.
    """
    if len(password) < SHORTEST:
        return gettext("Enter %(n)s characters or more.", n=SHORTEST)
    if len(password) > LONGEST:
        return gettext("Enter %(n)s characters or fewer.", n=LONGEST)
    plain = _letters_and_digits(password)
    forbidden = (_letters_and_digits(email), _letters_and_digits(email.partition("@")[0]), "myqlik", "qlik")
    if plain.strip("0123456789") in forbidden or plain in forbidden:
        return gettext("Do not use your e-mail address or the name of the product.")
    if strength.is_weak(password, (email, *names)):
        return gettext(
            "This password is easy to guess, even with digits or symbols added. Choose another one, such as "
            "four unrelated words."
        )
    return ""


def names_of(email: str) -> tuple[str, ...]:
    """The names of this member and of the organisation, which a password must not be made of."""
    member = members.find_member(email)
    return (member.name, db.session.get_one(Account, member.account_id).legal_name) if member else ()


def _letters_and_digits(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def change(member: SignedIn, current: str, new: str) -> bool:
    """Changes the password of the signed-in member, ends the other sessions and mails the member.

    This session gets a new token, so that a copied cookie stops working. Returns False if `current` is wrong.
    Raises TooManyRequests after too many wrong passwords.
    """
    counted = limits.count_guess(member.email)
    old_hash = members.password_hash_of(member.account_id, member.member_id)
    if not sign_in.verify_password(old_hash, current):
        security.refused(member.account_id, member.member_id, "proof_refused", "password")
        return False
    limits.uncount(counted)
    new_hash = sign_in.hasher.hash(new)
    with transaction() as session:
        if not sessions.password_is_unchanged(session, member.account_id, member.member_id, old_hash):
            return False
        _store(session, member.account_id, member.member_id, new_hash, kept_session_id=member.session_id)
        token = sessions.change_token(session, member.account_id, member.session_id)
    cookie["token"] = token
    return True


def request_reset(email: str) -> None:
    """Mails a link to the member with this e-mail.

    For an unknown e-mail the same work is done, but no mail is stored, so neither the answer nor its time shows
    whether the e-mail is known. Raises TooManyRequests after too many links.
    """
    email = sign_in.normalize_email(email)
    limits.count(("reset_address", limits.client_address()), ("reset", email))
    with transaction() as session:
        member = members.find_member(email, lock=True)  # so that nobody removes them meanwhile
        token = add_link(session, member)
        mail = outbox.password_reset(member, email, token, sessions.browser_name())
        if mail is not None:
            session.add(mail)


def add_link(session: Session, member: Member | None) -> str:
    """Adds a link that sets a password to the open transaction. Returns its token."""
    account_id, member_id = (member.account_id, member.id) if member else (new_id(), None)
    token, now = tokens.new_token(account_id), ports().clock.system_now()
    link = PasswordReset(
        account_id=account_id, token_hash=tokens.hash_token(token), member_id=member_id, created_at=now
    )
    session.add(link)
    session.flush()
    return token


def mail_link(session: Session, member: Member) -> None:
    """Mails a link to a member who disowned an act with an older mail, in the open transaction."""
    token = add_link(session, member)
    session.add_all(filter(None, [outbox.password_reset(member, member.email, token, sessions.browser_name())]))


def is_bound(member: Member) -> bool:
    """Whether the member is known at an identity provider."""
    bound = ProviderIdentity.account_id == member.account_id, ProviderIdentity.member_id == member.id
    return db.session.scalars(select(ProviderIdentity.subject).where(*bound).limit(1)).first() is not None


def email_of_link(token: str) -> str | None:
    """The e-mail of the member whose password this link may set; None if the link was used or is too old."""
    of_member = and_(Member.account_id == PasswordReset.account_id, Member.id == PasswordReset.member_id)
    return db.session.scalars(
        select(Member.email).join(PasswordReset, of_member).where(*_is_live_link(token))
    ).one_or_none()


def reset(token: str, new: str) -> bool:
    """Sets the password through a link, ends every session and mails the member.

    Returns False if the link was used or is too old, or the member was removed.
    """
    new_hash = sign_in.hasher.hash(new)
    with suppress(NotFound), transaction() as session:
        found = session.scalars(select(PasswordReset.member_id).where(*_is_live_link(token))).one_or_none()
        member = members.lock_member(session, sessions.account_of(token, PasswordReset), found or "")
        used = session.execute(delete(PasswordReset).where(*_is_live_link(token)).returning(PasswordReset.token_hash))
        if used.one_or_none() is None:
            return False
        email = _store(session, member.account_id, member.id, new_hash)
        limits.remember_device(email)  # has a rate limit of its own, so an attacker elsewhere cannot lock it out
        return True
    return False


def _is_live_link(token: str) -> tuple[ColumnElement[bool], ...]:
    since = ports().clock.system_now() - access.RESET_LIFETIME
    this = PasswordReset.account_id == sessions.account_of(token, PasswordReset)
    return this, PasswordReset.token_hash == tokens.hash_token(token), PasswordReset.created_at > since


def _store(
    session: Session, account_id: str, member_id: str, password_hash: str, kept_session_id: str | None = None
) -> str:
    """Stores the password, ends other sessions and links, and writes the mail, in the open transaction.

    Returns the member's e-mail.
    """
    member = session.get_one(Member, (account_id, member_id))
    member.password_hash = password_hash
    links = delete(PasswordReset).where(PasswordReset.account_id == account_id, PasswordReset.member_id == member_id)
    session.execute(links)
    sessions.end(session, account_id, member_id, "password", kept_id=kept_session_id)
    security.happened(account_id, member_id, "password_changed", "session" if kept_session_id else "link")
    browser = sessions.browser_name()
    session.add_all(security_mails.tell(member, "password_changed", lambda: words.password_changed(browser)))
    return member.email


def end_all_access(session: Session) -> None:
    """Ends every session, link, invitation and handover, and removes every local password and recovery code, in the
    open transaction.

    After a restore, ended sessions, withdrawn invitations, changed passwords and used codes would be good again.
    Members set a new password by mail. Apps and passkeys stay, as second factors: without a password, no passkey
    signs in.
    """
    ended = HeldForm, MemberSession, PasswordReset, RecoveryCode, Invitation, Handover, EmailChange, AlarmLink
    for table in (*ended, KnownBrowser):
        session.execute(across(delete(table), Across.RESTORE))
    session.execute(across(update(Member).values(password_hash=""), Across.RESTORE))
