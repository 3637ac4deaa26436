"""An owner's sessions: each is a row that ends when it is idle, after half a day, or when its owner says so."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import current_app, request, session
from flask_babel import get_locale, gettext
from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from ..db import Model, NotFound, db, transaction
from ..domain.access import DRAFT_LIFETIME, RESET_LIFETIME, SESSION_LIFETIME, SESSION_WARNING
from ..formats import ngettext
from ..models.access import OwnerSession, PasswordReset, RateLimit
from ..models.accounts import Owner
from ..models.drafts import Draft
from ..ports import ports

SEEN_EVERY = timedelta(minutes=1)  # how exactly it is kept when a session was last used
# The first mark in a User-Agent tells the browser, or the system. No version: what is kept tells few apart.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def forget_expired(session: Session, now: datetime) -> None:
    """Deletes in the open transaction what means nothing any more; what another process deletes is left to it."""
    expired: tuple[tuple[type[Model], Any, ColumnElement[bool]], ...] = (
        (OwnerSession, OwnerSession.token_hash, OwnerSession.created_at <= now - SESSION_LIFETIME),
        (PasswordReset, PasswordReset.token_hash, PasswordReset.created_at <= now - RESET_LIFETIME),
        (Draft, Draft.id, Draft.kept_at <= now - DRAFT_LIFETIME),
        (RateLimit, RateLimit.key, RateLimit.ends_at <= now),
    )
    for table, key, over in expired:
        session.execute(delete(table).where(key.in_(select(key).where(over).with_for_update(skip_locked=True))))


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def browser_and_system(user_agent: str) -> tuple[str, str]:
    """Their names, such as ("Firefox", "Windows"); "" for what is not known."""
    browser = next((name for mark, name in BROWSERS if mark in user_agent), "")
    return browser, next((name for mark, name in SYSTEMS if mark in user_agent), "")


def begin(owner_id: str, id_token: str | None = None, password_hash: str | None = None) -> bool:
    """A new session under a new token, in place of the browser's last; `id_token` is what a provider signed in by.
    False if the password that was looked at, `password_hash`, is the owner's no more."""
    end_own()
    token, now = secrets.token_urlsafe(32), ports().clock.system_now()
    browser, system = browser_and_system(request.user_agent.string)
    with transaction() as database:
        if password_hash is not None and not still(database, owner_id, password_hash):
            return False
        forget_expired(database, now)
        database.add(
            OwnerSession(
                token_hash=hashed(token),
                owner_id=owner_id,
                created_at=now,
                last_seen_at=now,
                browser=browser,
                system=system,
                id_token=id_token,
            )
        )
        database.execute(
            update(Owner).where(Owner.id == owner_id, Owner.locale.is_(None)).values(locale=str(get_locale()))
        )  # what the first visit was read in is what mails are written in
    session["token"] = token
    return True


def still(database: Session, owner_id: str, password_hash: str) -> bool:
    """In the open transaction, until its end: the password takes a while to look at, and may be changed meanwhile."""
    same = select(Owner.id).where(Owner.id == owner_id, Owner.password_hash == password_hash)
    return database.scalars(same.with_for_update(key_share=True)).one_or_none() is not None


def renew(database: Session, session_id: str) -> str:
    """In the open transaction: the session goes on under this token, and a copy of the cookie opens nothing."""
    token = secrets.token_urlsafe(32)
    database.execute(update(OwnerSession).where(OwnerSession.id == session_id).values(token_hash=hashed(token)))
    return token


def end_own() -> str | None:
    """Ends the browser's own on the server too, so that a copied cookie dies with it; what a provider signed in by."""
    token = session.pop("token", None)
    session.clear()
    if not token:
        return None
    with transaction() as database:
        ended = delete(OwnerSession).where(OwnerSession.token_hash == hashed(token)).returning(OwnerSession.id_token)
        id_token: str | None = database.scalars(ended).one_or_none()
    return id_token


def why_ended(ended: str | None, last_seen_at: datetime, now: datetime) -> str:
    """What to tell of a session that is over before its time; "" while it lives."""
    if ended == "password":
        return gettext("Your password was changed, which ended every other session.")
    if ended:
        return gettext("This session was ended from another one of yours.")
    if now - last_seen_at < idle():
        return ""
    minutes = current_app.config["SESSION_IDLE_MINUTES"]
    return ngettext(
        "Your session has ended: it was not used for %(n)s minute.",
        "Your session has ended: it was not used for %(n)s minutes.",
        minutes,
    )


def idle() -> timedelta:
    return timedelta(minutes=current_app.config["SESSION_IDLE_MINUTES"])


def warning() -> timedelta:
    """How long before its end an idle session is warned of; at half its time if it is short."""
    return min(SESSION_WARNING, idle() / 2)


def seconds_left(last_seen_at: datetime, created_at: datetime, now: datetime) -> int:
    """Until the session ends, if it is not used meanwhile."""
    return max(0, int((min(last_seen_at + idle(), created_at + SESSION_LIFETIME) - now).total_seconds()))


def seen(session_id: str, last_seen_at: datetime, now: datetime) -> datetime:
    """Notes that it is used, once in a minute at most: other requests write nothing. Returns what is noted."""
    if now - last_seen_at < SEEN_EVERY:
        return last_seen_at
    stay(session_id, now - SEEN_EVERY)
    return now


def stay(session_id: str, seen_before: datetime | None = None) -> None:
    """Notes that it is used now; with `seen_before`, only if it was last used before that."""
    now = ports().clock.system_now()
    used = update(OwnerSession).where(OwnerSession.id == session_id, OwnerSession.last_seen_at <= (seen_before or now))
    with transaction() as database:
        database.execute(used.values(last_seen_at=now))


def of(owner_id: str) -> Sequence[OwnerSession]:
    """Those that live, the last used first."""
    now = ports().clock.system_now()
    return db.session.scalars(
        select(OwnerSession)
        .where(
            OwnerSession.owner_id == owner_id,
            OwnerSession.ended.is_(None),
            OwnerSession.created_at > now - SESSION_LIFETIME,
            OwnerSession.last_seen_at > now - idle(),
        )
        .order_by(OwnerSession.last_seen_at.desc(), OwnerSession.id)
    ).all()


def revoke(owner_id: str, session_id: str) -> None:
    """Ends one of the owner's sessions; NotFound for another's. Asked again, it changes nothing."""
    with transaction() as database:
        found = database.scalars(
            select(OwnerSession.id).where(OwnerSession.owner_id == owner_id, OwnerSession.id == session_id)
        ).one_or_none()
        if found is None:
            raise NotFound(session_id)
        end(database, owner_id, "revoked", only=session_id)


def revoke_others(owner_id: str, kept: str) -> None:
    with transaction() as database:
        end(database, owner_id, "revoked", but=kept)


def end(database: Session, owner_id: str, why: str, *, only: str | None = None, but: str | None = None) -> None:
    """In the open transaction: all of the owner's sessions, one, or all but one. The rows stay, to tell why."""
    these = update(OwnerSession).where(OwnerSession.owner_id == owner_id, OwnerSession.ended.is_(None))
    if only:
        these = these.where(OwnerSession.id == only)
    if but:
        these = these.where(OwnerSession.id != but)
    database.execute(these.values(ended=why, id_token=None))
