"""Local passwords: what one must be, to change one's own, and to set a new one by a link that is mailed."""

import secrets
from functools import cache

from flask import request
from flask import session as cookie
from flask_babel import gettext
from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from ..config import PACKAGE
from ..db import db, transaction
from ..domain.access import RESET_LIFETIME
from ..mail import outbox
from ..models.access import OwnerSession, PasswordReset
from ..models.accounts import Owner
from ..ports import ports
from . import limits, sessions, sign_in
from .identity import SignedIn

SHORTEST, LONGEST, FEWEST_LETTERS = 12, 128, 5


@cache
def _common() -> frozenset[str]:
    """The commonest that are long enough, of 30,000 that leaked (from zxcvbn, by its licence beside)."""
    return frozenset((PACKAGE / "common_passwords.txt").read_text(encoding="utf-8").split())


def fault(password: str, email: str) -> str:
    """What is wrong with it, in a sentence; "" if nothing is."""
    if len(password) < SHORTEST:
        return gettext("Enter %(n)s characters or more.", n=SHORTEST)
    if len(password) > LONGEST:
        return gettext("Enter %(n)s characters or fewer.", n=LONGEST)
    bare = _bare(password)
    named = (_bare(email), _bare(email.partition("@")[0]), "myqlik", "qlik")
    if bare.strip("0123456789") in named or bare in named:
        return gettext("Do not use your e-mail address or the name of the product.")
    if password.casefold() in _common() or len(set(bare)) < FEWEST_LETTERS:
        return gettext("This password is among the first that are guessed. Choose another one, such as four words.")
    return ""


def _bare(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def change(owner: SignedIn, current: str, new: str) -> bool:
    """Sets the owner's own; every other session and every copy of this one ends, and a mail tells of it. False if
    `current` is wrong; TooManyRequests after too many guesses."""
    counted = limits.guess(owner.email)
    before = db.session.scalars(select(Owner.password_hash).where(Owner.id == owner.owner_id)).one()
    db.session.rollback()
    if not sign_in.verified(before, current):
        return False
    limits.forgive(counted)
    after = sign_in.hasher.hash(new)
    with transaction() as session:
        if not sessions.still(session, owner.owner_id, before):
            return False
        _set(session, owner.owner_id, after, kept=owner.session_id)
        token = sessions.renew(session, owner.session_id)
    cookie["token"] = token
    return True


def request_reset(email: str) -> None:
    """Mails a link to the owner of this e-mail. For nobody's the same is done, but the mail is not kept: neither the
    answer nor the time that it takes tells the two apart. TooManyRequests after too many."""
    email, now = sign_in.folded(email), ports().clock.system_now()
    limits.count("reset_address", limits.address())
    limits.count("reset", email)
    token = secrets.token_urlsafe(32)
    with transaction() as session:
        owner = session.scalars(select(Owner).where(Owner.email == email)).one_or_none()
        session.add(
            PasswordReset(token_hash=sessions.hashed(token), owner_id=owner.id if owner else None, created_at=now)
        )
        session.flush()
        mail = outbox.password_reset(owner, email, token, _browser())
        if mail is not None:
            session.add(mail)


def owner_of(token: str) -> str | None:
    """The e-mail of the owner whose password this link may set; None once it was used, or is too old."""
    return db.session.scalars(
        select(Owner.email).join(PasswordReset, PasswordReset.owner_id == Owner.id).where(*_live(token))
    ).one_or_none()


def reset(token: str, new: str) -> bool:
    """Sets the password by a link, once; every session ends, and a mail tells of it. False if the link is over."""
    after = sign_in.hasher.hash(new)
    with transaction() as session:
        used = delete(PasswordReset).where(*_live(token)).returning(PasswordReset.owner_id)
        owner_id = session.scalars(used).one_or_none()
        if owner_id is None:
            return False
        email = _set(session, owner_id, after)
    limits.remember_device(email)  # whoever reads the owner's mail is not kept out by others' guesses
    return True


def _live(token: str) -> tuple[ColumnElement[bool], ...]:
    since = ports().clock.system_now() - RESET_LIFETIME
    return PasswordReset.token_hash == sessions.hashed(token), PasswordReset.created_at > since


def _set(session: Session, owner_id: str, password_hash: str, kept: str | None = None) -> str:
    """In the open transaction: the password, the end of other sessions and links, and the mail; the owner's e-mail."""
    session.execute(update(Owner).where(Owner.id == owner_id).values(password_hash=password_hash))
    session.execute(delete(PasswordReset).where(PasswordReset.owner_id == owner_id))
    sessions.end(session, owner_id, "password", but=kept)
    owner = session.get_one(Owner, owner_id)
    session.add(outbox.password_changed(owner, _browser()))
    return owner.email


def end_all_access(session: Session) -> None:
    """In the open transaction: every session and link ends, and no local password opens anything until its owner has
    set a new one by mail. After a restore, because ended sessions and changed passwords would be good again."""
    for table in (OwnerSession, PasswordReset):
        session.execute(delete(table))
    session.execute(update(Owner).values(password_hash=""))


def _browser() -> str:
    """Such as "Firefox, Windows"; "" if it is not known."""
    return ", ".join(filter(None, sessions.browser_and_system(request.user_agent.string)))
