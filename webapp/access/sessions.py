"""The sessions of owners. A session ends when it is idle, when it is too old, or when its owner ends it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from flask import current_app, g, request, session
from flask_babel import get_locale
from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from ..browsers import browser_and_system as browser_and_system
from ..db import Across, NotFound, across, db, new_id, transaction
from ..domain import access
from ..formats import ngettext
from ..models.access import MemberSession, PasswordReset, RateLimit
from ..models.accounts import Member
from ..models.drafts import Draft
from ..models.second_factor import HeldForm
from ..ports import ports
from ..words import gettext
from . import browsers, deactivation, drafts, factors, members, security, tokens

Begun = Literal["", "signed_in", "factor", "deactivated"]
USE_RECORDED_EVERY = timedelta(minutes=1)  # `last_seen_at` is exact to this


def forget_expired(session: Session, account_id: str, now: datetime) -> None:
    """Deletes the account's expired sessions, password links, drafts and held forms, and all expired rate limits, in
    the open transaction.

    Rows that another process is deleting are skipped. `prune` finds those of accounts where nobody signs in.
    """
    expired: tuple[tuple[type[MemberSession | PasswordReset | Draft | HeldForm], Any, ColumnElement[bool]], ...] = (
        (MemberSession, MemberSession.token_hash, MemberSession.created_at <= now - access.SESSION_LIFETIME),
        (PasswordReset, PasswordReset.token_hash, PasswordReset.created_at <= now - access.RESET_LIFETIME),
        (Draft, Draft.id, Draft.kept_at <= now - access.DRAFT_LIFETIME),
        (HeldForm, HeldForm.id, HeldForm.held_at <= now - access.HELD_LIFETIME),
    )
    for table, key, is_expired in expired:
        mine = table.account_id == account_id
        old = select(key).where(mine, is_expired).with_for_update(skip_locked=True)
        session.execute(delete(table).where(mine, key.in_(old)))
    over = select(RateLimit.key).where(RateLimit.ends_at <= now).with_for_update(skip_locked=True)
    session.execute(delete(RateLimit).where(RateLimit.key.in_(over)))


def account_of(token: str, table: type[MemberSession | PasswordReset]) -> str:
    """The account of a cookie or a link; "" for one that is not known. Those of versions up to 0.7 do not name it."""
    if account_id := tokens.account_named(token):
        return account_id
    query = select(table.account_id).where(table.token_hash == tokens.hash_token(token))
    return db.session.scalars(across(query, Across.SIGN_IN)).one_or_none() or ""


def browser_name() -> str:
    """The browser and system of this request, such as "Firefox, Windows"; "" if unknown."""
    return ", ".join(filter(None, browser_and_system(request.user_agent.string)))


def begin(
    account_id: str,
    member_id: str,
    id_token: str | None = None,
    password_hash: str | None = None,
    *,
    by_passkey: bool = False,
    proved_at: int | None = None,
) -> Begun:
    """Starts a session under a new token and ends the browser's previous one.

    `id_token` is the identity provider's token, if it signed the owner in. `password_hash` is the hash that was
    verified. Returns "" if the password has changed since then, or the member was removed, and "factor" if a second
    factor is owed: until it is given, nobody is signed in. The provider has factors of its own, and a passkey is two.
    `proved_at`: when the provider asked for them, in seconds since 1970. It may be hours ago, which proves nothing now.
    "deactivated": nobody signs in to this account.
    """
    owed, draft = session.get(browsers.OWED, []), session.get(drafts.KEY)
    end_current()
    if draft:
        session[drafts.KEY] = draft
    token, now = tokens.new_token(account_id), ports().clock.system_now()
    browser, system = browser_and_system(request.user_agent.string)
    with transaction() as database:
        if not _is_member_still(database, account_id, member_id, password_hash):
            return ""
        if deactivation.is_deactivated(database, account_id):
            return "deactivated"
        forget_expired(database, account_id, now)
        asks = id_token is None and not by_passkey and factors.has_any(database, account_id, member_id)
        session_id, name = new_id(), browser_name()
        database.add(
            MemberSession(
                account_id=account_id,
                id=session_id,
                token_hash=tokens.hash_token(token),
                member_id=member_id,
                created_at=now,
                last_seen_at=now,
                browser=browser,
                system=system,
                id_token=id_token,
                proved_at=now if proved_at is None else min(now, datetime.fromtimestamp(max(0, proved_at), UTC)),
                awaits_factor=asks,
            )
        )
        if asks:
            security.happened(account_id, member_id, "factor_awaited", "password")
        else:
            way = "provider" if id_token is not None else "passkey" if by_passkey else "password"
            security.happened(account_id, member_id, "signed_in", way)
        first = update(Member).where(Member.account_id == account_id, Member.id == member_id, Member.locale.is_(None))
        database.execute(first.values(locale=str(get_locale())))  # mails use the language of the first visit
        if asks:
            member = database.get_one(Member, (account_id, member_id), populate_existing=True)
            browsers.owe_factor(database, member, session_id, owed, name)
        else:
            browsers.settle(database, account_id, member_id, owed)
            browsers.met(database, account_id, member_id, name)
    session["token"] = token
    return "factor" if asks else "signed_in"


def _is_member_still(database: Session, account_id: str, member_id: str, password_hash: str | None) -> bool:
    """Whether the member was not removed, and has this password if one was verified. Their row is locked then."""
    if password_hash is not None:
        return password_is_unchanged(database, account_id, member_id, password_hash)
    try:
        members.lock_member(database, account_id, member_id)
    except NotFound:
        return False
    return True


def complete(database: Session, account_id: str, session_id: str, token_hash: str, way: str) -> str:
    """Makes a session that awaited its factor a sign-in, in the open transaction. Returns its new token.

    `way` names the factor. Raises NotFound if it was ended meanwhile, or completed by another request.
    """
    this = MemberSession.account_id == account_id, MemberSession.id == session_id
    open_still = MemberSession.awaits_factor, MemberSession.ended.is_(None), MemberSession.token_hash == token_hash
    now = ports().clock.system_now()
    completing = update(MemberSession).where(*this, *open_still)
    values = {"awaits_factor": False, "last_seen_at": now, "proved_at": now}
    member_id = database.scalars(completing.values(values).returning(MemberSession.member_id)).one_or_none()
    if member_id is None:
        raise NotFound(session_id)
    security.happened(account_id, member_id, "signed_in", way)
    browsers.settle(database, account_id, member_id, session.pop(browsers.OWED, []))
    browsers.met(database, account_id, member_id, browser_name())
    return change_token(database, account_id, session_id)


def password_is_unchanged(database: Session, account_id: str, member_id: str, password_hash: str) -> bool:
    """Whether the owner still has this hash, which the open transaction then locks.

    Verifying a password is slow, so another request may change it meanwhile.
    """
    this = Member.account_id == account_id, Member.id == member_id
    unchanged = select(Member.id).where(*this, Member.password_hash == password_hash)
    return database.scalars(unchanged.with_for_update(key_share=True)).one_or_none() is not None


def change_token(database: Session, account_id: str, session_id: str) -> str:
    """Gives the session a new token, in the open transaction, so that a copied cookie stops working."""
    token = tokens.new_token(account_id)
    this = MemberSession.account_id == account_id, MemberSession.id == session_id
    database.execute(update(MemberSession).where(*this).values(token_hash=tokens.hash_token(token)))
    return token


def end_current() -> str | None:
    """Ends this browser's session and deletes its row, so that a copied cookie stops working.

    Returns the identity provider's ID token, or None if no provider signed the owner in.
    """
    token = session.pop("token", None)
    session.clear()
    g.pop("csrf_token", None)  # it was the session's
    if not token:
        return None
    account_id = account_of(token, MemberSession)
    with transaction() as database:
        this = MemberSession.account_id == account_id, MemberSession.token_hash == tokens.hash_token(token)
        told = MemberSession.id_token, MemberSession.member_id, MemberSession.awaits_factor, MemberSession.ended
        row = database.execute(delete(MemberSession).where(*this).returning(*told)).one_or_none()
        if row and not row.awaits_factor and not row.ended:
            security.happened(account_id, row.member_id, "signed_out")
    return row.id_token if row else None


def why_ended(ended: str | None, last_seen_at: datetime, now: datetime) -> str:
    """The sentence for a session that ended early; "" while the session is live."""
    if ended == "password":
        return gettext("Your password was changed, which ended all other sessions.")
    if ended:
        return gettext("This session was ended from another of your sessions.")
    if now - last_seen_at < idle_limit():
        return ""
    minutes = current_app.config["SESSION_IDLE_MINUTES"]
    return ngettext(
        "Your session has ended after %(n)s minute of inactivity.",
        "Your session has ended after %(n)s minutes of inactivity.",
        minutes,
    )


def idle_limit() -> timedelta:
    return timedelta(minutes=current_app.config["SESSION_IDLE_MINUTES"])


def warning_time() -> timedelta:
    """How long before its end an idle session is warned of: half its time if it is short."""
    return min(access.SESSION_WARNING, idle_limit() / 2)


def seconds_left(last_seen_at: datetime, created_at: datetime, now: datetime) -> int:
    """The time until the session ends if it is not used any more."""
    return max(0, int((min(last_seen_at + idle_limit(), created_at + access.SESSION_LIFETIME) - now).total_seconds()))


def record_use(account_id: str, session_id: str, last_seen_at: datetime, now: datetime) -> datetime:
    """Stores that the session is in use, at most once a minute, so that few requests write. Returns what is stored."""
    if now - last_seen_at < USE_RECORDED_EVERY:
        return last_seen_at
    extend(account_id, session_id, now, now - USE_RECORDED_EVERY)
    return now


def extend(account_id: str, session_id: str, now: datetime, if_used_before: datetime | None = None) -> None:
    """Stores that the session is in use now."""
    this = MemberSession.account_id == account_id, MemberSession.id == session_id
    unused = MemberSession.last_seen_at <= (if_used_before or now)
    with transaction() as database:
        database.execute(update(MemberSession).where(*this, unused).values(last_seen_at=now))


def list_live(account_id: str, member_id: str) -> Sequence[MemberSession]:
    """The owner's live sessions, most recently used first."""
    now = ports().clock.system_now()
    return db.session.scalars(
        select(MemberSession)
        .where(
            MemberSession.account_id == account_id,
            MemberSession.member_id == member_id,
            MemberSession.ended.is_(None),
            ~MemberSession.awaits_factor,
            MemberSession.created_at > now - access.SESSION_LIFETIME,
            MemberSession.last_seen_at > now - idle_limit(),
        )
        .order_by(MemberSession.last_seen_at.desc(), MemberSession.id)
    ).all()


def revoke(account_id: str, member_id: str, session_id: str) -> None:
    """Ends one of the owner's sessions. Calling it again changes nothing.

    Raises NotFound if the session is not this owner's.
    """
    with transaction() as database:
        this = MemberSession.account_id == account_id, MemberSession.id == session_id
        own = select(MemberSession.id).where(*this, MemberSession.member_id == member_id)
        own_session_id = database.scalars(own).one_or_none()
        if own_session_id is None:
            raise NotFound(session_id)
        end(database, account_id, member_id, "revoked", only_id=session_id)


def revoke_others(account_id: str, member_id: str, kept_id: str) -> None:
    with transaction() as database:
        end(database, account_id, member_id, "revoked", kept_id=kept_id)


def end(
    database: Session,
    account_id: str,
    member_id: str,
    reason: str,
    *,
    only_id: str | None = None,
    kept_id: str | None = None,
) -> None:
    """Ends the owner's sessions in the open transaction: all, only one, or all but one.

    The rows stay, so that the browsers can be told why their session ended.
    """
    sessions = update(MemberSession).where(MemberSession.account_id == account_id, MemberSession.member_id == member_id)
    sessions = sessions.where(MemberSession.ended.is_(None))
    if only_id:
        sessions = sessions.where(MemberSession.id == only_id)
    if kept_id:
        sessions = sessions.where(MemberSession.id != kept_id)
    ended = database.scalars(sessions.values(ended=reason, id_token=None).returning(MemberSession.id)).all()
    if ended:
        security.happened(account_id, member_id, "sessions_ended", times=len(ended))
