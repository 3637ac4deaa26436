"""Before each request: find the signed-in owner by the session token, or redirect to the sign-in page."""

from flask import Response, abort, current_app, flash, g, redirect, request, session, url_for
from flask_babel import gettext
from sqlalchemy import bindparam, exists, select

from ..db import db
from ..domain import access
from ..models.access import OwnerSession
from ..models.accounts import Account, Owner
from ..models.restores import RestoreHold
from ..ports import ports
from ..urls import referring_page
from . import sessions
from .identity import SignedIn

# Columns of tables, not attributes of models: this query runs before every request and needs no objects.
_owner, _account, _session = Owner.__table__.c, Account.__table__.c, OwnerSession.__table__.c
_hold = RestoreHold.__table__.c
_signed_in_columns = (  # in the order of SignedIn
    _owner.id,
    _owner.account_id,
    _owner.name,
    _owner.email,
    _owner.locale,
    _account.legal_name,
    _session.id,
)
_session_of_token = (
    select(*_signed_in_columns, _session.ended, _session.last_seen_at, exists().where(_hold.id == 1))
    .join_from(Owner.__table__, OwnerSession.__table__)
    .join(Account.__table__, _account.id == _owner.account_id)
    .where(_session.token_hash == bindparam("token_hash"))
    .where(_session.created_at > bindparam("created_after"))
)


def require_sign_in() -> Response | None:
    """Sets `g.owner`. Returns None if the request may go on, else a redirect to the sign-in page.

    An htmx request is answered with 401, because htmx would put the redirect's page into a fragment.
    """
    token = session.get("token")
    g.owner, why_ended = _find_owner(token) if token else (None, "")
    if g.owner is not None or _is_open_to_all():
        return None
    if "HX-Request" in request.headers:
        abort(401)
    _explain_redirect(why_ended, had_session=bool(token))
    return_to = request.full_path.rstrip("?") if request.method == "GET" else referring_page()
    return redirect(url_for("sign_in.page", next=return_to), 303)  # type: ignore[return-value]


def _find_owner(token: str) -> tuple[SignedIn | None, str]:
    """The owner of a live session, or None and the reason why the session ended, if it is known."""
    now = ports().clock.system_now()
    parameters = {"token_hash": sessions.hash_token(token), "created_after": now - access.SESSION_LIFETIME}
    row = db.session.execute(_session_of_token, parameters).one_or_none()
    if row is None:
        return None, ""
    *signed_in, ended, last_seen_at, g.payments_held = row
    if why_ended := sessions.why_ended(ended, last_seen_at, now):
        return None, why_ended
    owner = SignedIn(*signed_in)
    sessions.record_use(owner.session_id, last_seen_at, now)
    return owner, ""


def _is_open_to_all() -> bool:
    """Static files, public views, and addresses without a view, which are answered with 404."""
    view = current_app.view_functions.get(request.endpoint or "")
    return view is None or request.endpoint == "static" or getattr(view, "public", False)


def _explain_redirect(why_ended: str, had_session: bool) -> None:
    """Flashes why the sign-in page is shown."""
    if why_ended:
        flash(why_ended)
    if request.method == "POST":
        flash(gettext("You were no longer signed in: nothing was sent or changed. Sign in, then do it again."))
    elif why_ended:
        flash(gettext("Sign in to come back to where you were."))
    elif had_session:
        flash(gettext("Your session has ended. Sign in to come back to where you were."))
