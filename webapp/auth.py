"""Who is signed in. Deny by default: a view is open to strangers only if it says so with `@public`."""

import secrets
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import Response, abort, current_app, flash, g, redirect, request, session, url_for
from flask_babel import gettext
from sqlalchemy import bindparam, select, update

from . import sessions, throttle
from .access import SESSION_LIFETIME
from .db import db, transaction
from .models import Account, Owner, OwnerSession
from .ports import ports

hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # OWASP's first choice of argon2id
NOBODY = hasher.hash(secrets.token_hex(16))  # no password opens it: an unknown e-mail takes as long as a known one
KELVIN = "\u212a"
View = TypeVar("View", bound=Callable[..., Any])


class SignedIn(NamedTuple):
    owner_id: str
    account_id: str
    name: str
    email: str
    locale: str | None
    account_name: str
    session_id: str


_o, _s = Owner.__table__.c, OwnerSession.__table__.c  # columns, not attributes: this runs before every request
_who = (
    select(
        _o.id, _o.account_id, _o.name, _o.email, _o.locale, Account.__table__.c.legal_name, _s.id,
        _s.ended, _s.last_seen_at,
    )
    .join_from(Owner.__table__, OwnerSession.__table__)
    .join(Account.__table__, Account.__table__.c.id == _o.account_id)
    .where(_s.token_hash == bindparam("token_hash"))
    .where(_s.created_at > bindparam("since"))
)  # fmt: skip


def public(view: View) -> View:
    view.public = True  # type: ignore[attr-defined]
    return view


def me() -> SignedIn:
    """The owner whose request this is; only views that are not public may ask."""
    owner: SignedIn = g.owner
    return owner


def identify() -> Response | None:
    """Before each request: finds the owner by the session's token, or sends a stranger to sign in."""
    token, why = session.get("token"), _recognise()
    view = current_app.view_functions.get(request.endpoint or "")
    if g.owner is not None or view is None or request.endpoint == "static" or getattr(view, "public", False):
        return None
    if "HX-Request" in request.headers:  # a redirect would be swapped into the page, or into a dialog
        abort(401)
    if why:
        flash(why)
    if request.method == "POST":
        flash(gettext("You were no longer signed in: nothing was sent or changed. Sign in, then do it again."))
    elif token:
        ended = gettext("Your session has ended. Sign in to come back to where you were.")
        flash(gettext("Sign in to come back to where you were.") if why else ended)
    back = request.full_path.rstrip("?") if request.method == "GET" else whence()
    return redirect(url_for("sign_in.page", next=back), 303)  # type: ignore[return-value]


def _recognise() -> str:
    """Sets `g.owner`; why the session is over, if it is."""
    g.owner, token, now = None, session.get("token"), ports().clock.system_now()
    if not token:
        return ""
    found = {"token_hash": sessions.hashed(token), "since": now - SESSION_LIFETIME}
    row = db.session.execute(_who, found).one_or_none()
    if row is None:
        return ""
    *who, ended, last_seen_at = row
    if not (why := sessions.why_ended(ended, last_seen_at, now)):
        g.owner = SignedIn(*who)
        sessions.seen(g.owner.session_id, last_seen_at, now)
    return why


def sign_in(email: str, password: str) -> bool:
    """Starts a new session; False, after the same work, for an unknown e-mail or a wrong password. TooManyRequests
    after too many guesses."""
    email = folded(email)
    counted = throttle.guess(email)
    found = db.session.execute(select(Owner.id, Owner.password_hash).where(Owner.email == email)).one_or_none()
    db.session.rollback()
    if not verified(found.password_hash if found else NOBODY, password) or found is None:
        return False
    throttle.forgive(counted)
    if not sessions.begin(found.id, password_hash=found.password_hash):
        return False
    throttle.remember_device(email)
    return True


def sign_in_as(email: str, id_token: str) -> bool:
    """The owner of an e-mail that a provider vouches for; False if there is none."""
    owner_id = db.session.scalars(select(Owner.id).where(Owner.email == folded(email))).one_or_none()
    db.session.rollback()
    if owner_id is None:
        return False
    sessions.begin(owner_id, id_token)
    throttle.remember_device(folded(email))
    return True


def folded(email: str) -> str:
    """As owners' e-mails are kept. The sign of the kelvin stays: it is small in ASCII, and in another's address."""
    return KELVIN.join(part.lower() for part in email.strip().split(KELVIN))


def verified(password_hash: str, password: str) -> bool:
    try:
        return hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):  # the second: an owner who never had a password
        return False


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
