"""Before each request: finds the signed-in owner, or sends a stranger to the sign-in page."""

from flask import Response, abort, current_app, flash, g, redirect, request, session, url_for
from flask_babel import gettext
from sqlalchemy import bindparam, exists, select

from ..db import db
from ..domain.access import SESSION_LIFETIME
from ..models.access import OwnerSession
from ..models.accounts import Account, Owner
from ..models.restores import RestoreHold
from ..ports import ports
from ..urls import whence
from . import sessions
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
        exists().where(RestoreHold.__table__.c.id == 1),
    )
    .join_from(Owner.__table__, OwnerSession.__table__)
    .join(Account.__table__, Account.__table__.c.id == _o.account_id)
    .where(_s.token_hash == bindparam("token_hash"))
    .where(_s.created_at > bindparam("since"))
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
    *who, ended, last_seen_at, g.payments_held = row
    if not (why := sessions.why_ended(ended, last_seen_at, now)):
        g.owner = SignedIn(*who)
        sessions.seen(g.owner.session_id, last_seen_at, now)
    return why
