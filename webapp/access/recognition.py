"""Before each request: finds the signed-in owner, or sends a stranger to the sign-in page."""

from flask import Response, abort, current_app, flash, g, redirect, request, session, url_for
from flask_babel import gettext
from flask_wtf.csrf import validate_csrf
from sqlalchemy import bindparam, select
from wtforms.validators import ValidationError

from ..db import db
from ..domain.access import SESSION_LIFETIME
from ..models.access import OwnerSession
from ..models.accounts import Account, Owner
from ..ports import ports
from ..urls import whence, with_seats
from . import drafts, sessions
from .identity import SignedIn

_o, _s = Owner.__table__.c, OwnerSession.__table__.c  # columns, not attributes: this runs before every request
_who = (
    select(
        _o.id,
        _o.account_id,
        _o.name,
        _o.email,
        _o.locale,
        Account.__table__.c.legal_name,
        _s.id,
        _s.ended,
        _s.last_seen_at,
        _s.created_at,
    )
    .join_from(Owner.__table__, OwnerSession.__table__)
    .join(Account.__table__, Account.__table__.c.id == _o.account_id)
    .where(_s.token_hash == bindparam("token_hash"))
)


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
        flash(_keep_what_was_typed())
    elif token:
        ended = gettext("Your session has ended. Sign in to come back to where you were.")
        flash(gettext("Sign in to come back to where you were.") if why else ended)
    return redirect(url_for("sign_in.page", next=_page_to_come_back_to()), 303)  # type: ignore[return-value]


def _keep_what_was_typed() -> str:
    """Keeps the form that was sent, if its view says so. Returns what the owner is told."""
    if drafts.kept_of(request.endpoint) and g.lapsed_owner_id and _token_is_right():
        drafts.keep(str(request.endpoint), request.form)
        return gettext(
            "You were no longer signed in: nothing was sent or changed. What you typed comes back after you sign in."
        )
    return gettext("You were no longer signed in: nothing was sent or changed. Sign in, then do it again.")


def _token_is_right() -> bool:
    """Nobody is signed in, so the form's token was not checked yet."""
    if not current_app.config["WTF_CSRF_ENABLED"]:
        return True
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError:
        return False
    return True


def _page_to_come_back_to() -> str | None:
    if request.method == "GET":
        return request.full_path.rstrip("?")
    page = whence() or (request.path if drafts.kept_of(request.endpoint) else None)
    return with_seats(page, request.form["seats"]) if page and "seats" in request.form else page


def _recognise() -> str:
    """Sets `g.owner` and `g.session_left`, in seconds; or `g.lapsed_owner_id`, if the session ended by itself.

    Returns why the session is over, if it is.
    """
    g.owner, g.lapsed_owner_id, g.session_left = None, None, 0
    token, now = session.get("token"), ports().clock.system_now()
    if not token:
        return ""
    row = db.session.execute(_who, {"token_hash": sessions.hashed(token)}).one_or_none()
    if row is None:
        return ""
    *who, ended, last_seen_at, created_at = row
    why = sessions.why_ended(ended, last_seen_at, now)
    if why or now - created_at >= SESSION_LIFETIME:
        g.lapsed_owner_id = None if ended else who[0]
        return why
    g.owner = SignedIn(*who)
    view = current_app.view_functions.get(request.endpoint or "")
    if not getattr(view, "passive", False):
        last_seen_at = sessions.seen(g.owner.session_id, last_seen_at, now)
    g.session_left = sessions.seconds_left(last_seen_at, created_at, now)
    return ""
