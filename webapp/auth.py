"""Who is signed in. Deny by default: a view is open to strangers only if it says so with `@public`."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from flask import Response, abort, current_app, flash, g, redirect, request, session, url_for
from flask_babel import get_locale, gettext
from sqlalchemy import bindparam, delete, select, update

from .db import db, transaction
from .models import Account, Owner, OwnerSession
from .ports import ports

hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # OWASP's first choice of argon2id
NOBODY = hasher.hash(secrets.token_hex(16))  # no password opens it: an unknown e-mail takes as long as a known one
SESSION_LIFETIME = timedelta(hours=12)
View = TypeVar("View", bound=Callable[..., Any])


class SignedIn(NamedTuple):
    owner_id: str
    account_id: str
    name: str
    email: str
    locale: str | None
    account_name: str


_o = Owner.__table__.c  # columns, not attributes: this runs before every request
_who = (
    select(_o.id, _o.account_id, _o.name, _o.email, _o.locale, Account.__table__.c.legal_name)
    .join_from(Owner.__table__, OwnerSession.__table__)
    .join(Account.__table__, Account.__table__.c.id == _o.account_id)
    .where(OwnerSession.__table__.c.token_hash == bindparam("token_hash"))
    .where(OwnerSession.__table__.c.created_at > bindparam("since"))
)


def public(view: View) -> View:
    view.public = True  # type: ignore[attr-defined]
    return view


def me() -> SignedIn:
    """The owner whose request this is; only views that are not public may ask."""
    owner: SignedIn = g.owner
    return owner


def identify() -> Response | None:
    """Before each request: finds the owner by the session's token, or sends a stranger to sign in."""
    token = session.get("token")
    since = ports().clock.system_now() - SESSION_LIFETIME
    row = db.session.execute(_who, {"token_hash": _hash(token), "since": since}).one_or_none() if token else None
    g.owner = SignedIn(*row) if row else None
    view = current_app.view_functions.get(request.endpoint or "")
    if g.owner is not None or view is None or request.endpoint == "static" or getattr(view, "public", False):
        return None
    if "HX-Request" in request.headers:  # a redirect would be swapped into the page, or into a dialog
        abort(401)
    if request.method == "POST":
        flash(gettext("You were no longer signed in: nothing was sent or changed. Sign in, then do it again."))
    elif token:
        flash(gettext("Your session has ended. Sign in to come back to where you were."))
    back = request.full_path.rstrip("?") if request.method == "GET" else whence()
    return redirect(url_for("sign_in.page", next=back), 303)  # type: ignore[return-value]


def sign_in(email: str, password: str) -> bool:
    """Starts a new session under a new token; False, after the same work, for an unknown e-mail or a wrong password."""
    found = db.session.execute(
        select(Owner.id, Owner.password_hash).where(Owner.email == email.strip().lower())
    ).one_or_none()
    db.session.rollback()
    try:
        hasher.verify(found.password_hash if found else NOBODY, password)
    except VerificationError:
        return False
    if found is None:
        return False
    sign_out()
    token = secrets.token_urlsafe(32)
    with transaction() as database:
        database.add(OwnerSession(token_hash=_hash(token), owner_id=found.id, created_at=ports().clock.system_now()))
        database.execute(
            update(Owner).where(Owner.id == found.id, Owner.locale.is_(None)).values(locale=str(get_locale()))
        )  # what the first visit was read in is what mails are written in
    session["token"] = token
    return True


def sign_out() -> None:
    """Ends the session on the server too, so that a copied cookie dies with it."""
    token = session.pop("token", None)
    session.clear()
    if token:
        with transaction() as database:
            database.execute(delete(OwnerSession).where(OwnerSession.token_hash == _hash(token)))


def remember_locale(locale: str) -> None:
    """With the owner who is signed in, so that other browsers and mails follow."""
    if g.owner:
        with transaction() as database:
            database.execute(update(Owner).where(Owner.id == g.owner.owner_id).values(locale=locale))


def safe_next(target: str | None) -> str:
    """The page to come back to, if it is one of ours; else the home."""
    if (
        target
        and target.startswith("/")
        and not target.startswith(("//", "/\\"))
        and target.isprintable()
        and "\\" not in target
    ):
        return target
    return url_for("subscriptions.index")


def whence() -> str | None:
    """The page of ours that the request was sent from; None where the browser does not tell."""
    told = urlsplit(request.headers.get("HX-Current-URL") or request.referrer or "")
    path = f"{told.path}?{told.query}" if told.query else told.path
    return path if told.netloc == request.host and safe_next(path) == path else None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
