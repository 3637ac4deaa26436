"""Before each request: find the signed-in owner by the session token, or redirect to the sign-in page."""

from flask import Response, abort, current_app, flash, g, redirect, request, session, url_for
from flask_wtf.csrf import validate_csrf
from sqlalchemy import and_, bindparam, exists, not_, select
from wtforms.validators import ValidationError

from ..db import db
from ..domain import access
from ..models.access import MemberSession
from ..models.accounts import Account, Member
from ..models.restores import RestoreHold
from ..ports import ports
from ..urls import referring_page, with_seats
from ..words import gettext
from . import deactivation, drafts, factors, sessions, tokens
from .identity import SignedIn

# Columns of tables, not attributes of models: this query runs before every request and needs no objects.
_member, _account, _session = Member.__table__.c, Account.__table__.c, MemberSession.__table__.c
_hold = RestoreHold.__table__.c
_signed_in_columns = (  # in the order of SignedIn
    _member.id,
    _member.account_id,
    _member.name,
    _member.email,
    _member.locale,
    _account.legal_name,
    _session.id,
    _member.role,
    _session.proved_at,
    _session.id_token.is_not(None),
    and_(_account.requires_factor, _session.id_token.is_(None), not_(factors.is_set_up(_member))),
    _account.spending_limit,
)
_session_of_token = (
    select(
        *_signed_in_columns,
        _session.ended,
        _session.last_seen_at,
        _session.created_at,
        _session.awaits_factor,
        _account.deactivated_at,
        exists().where(_hold.id == 1),
    )
    .select_from(MemberSession.__table__)
    .join(Member.__table__, and_(_member.account_id == _session.account_id, _member.id == _session.member_id))
    .join(Account.__table__, _account.id == _session.account_id)
    .where(_session.account_id == bindparam("account_id"), _session.token_hash == bindparam("token_hash"))
)


def require_sign_in() -> Response | None:
    """Sets `g.member`. Returns None if the request may go on, else a redirect to the sign-in page.

    Sets `g.session_left` too, in seconds; `g.lapsed_member`, whose session ended; and `g.halfway`,
    who gave a password and owes a second factor: that is no sign-in.

    An htmx request is answered with 401, because htmx would put the redirect's page into a fragment.
    """
    g.session_left, g.lapsed_member, g.was_ended, g.halfway = 0, None, False, None
    token = session.get("token")
    g.member, why_ended = _find_owner(token) if token else (None, "")
    if g.member is not None and g.member.must_set_up and not _is_open_without_factor():
        return _lead_to(url_for("second_factor.page"))
    if g.member is not None or _is_open_to_all():
        return None
    if g.halfway is not None and "HX-Request" not in request.headers:
        return _lead_to(url_for("sign_in_factor.page", next=_page_to_come_back_to()))
    if "HX-Request" in request.headers:
        abort(401)
    _explain_redirect(why_ended, had_session=bool(token))
    return _lead_to(url_for("sign_in.page", next=_page_to_come_back_to()))


def _lead_to(address: str) -> Response:
    if "HX-Request" in request.headers:
        return Response(headers={"HX-Redirect": address})
    return redirect(address, 303)  # type: ignore[return-value]


def _find_owner(token: str) -> tuple[SignedIn | None, str]:
    """The owner of a live session, or None and the reason why the session ended, if it is known."""
    now = ports().clock.system_now()
    this = {"account_id": sessions.account_of(token, MemberSession), "token_hash": tokens.hash_token(token)}
    row = db.session.execute(_session_of_token, this).one_or_none()
    if row is None:
        return None, ""
    *signed_in, ended, last_seen_at, created_at, awaits_factor, deactivated_at, g.payments_held = row
    if deactivated_at is not None:
        return None, "" if awaits_factor else deactivation.sentence(this["account_id"])
    if awaits_factor:
        is_open = not ended and now - created_at < access.HALFWAY_LIFETIME
        g.halfway = SignedIn(*signed_in) if is_open else None
        return None, ""
    why_ended = sessions.why_ended(ended, last_seen_at, now)
    if why_ended or now - created_at >= access.SESSION_LIFETIME:
        g.lapsed_member, g.was_ended = SignedIn(*signed_in), bool(ended)
        return None, why_ended
    owner = SignedIn(*signed_in)
    if not getattr(current_app.view_functions.get(request.endpoint or ""), "passive", False):
        last_seen_at = sessions.record_use(owner.account_id, owner.session_id, last_seen_at, now)
    g.session_left = sessions.seconds_left(last_seen_at, created_at, now)
    return owner, ""


def _is_open_to_all() -> bool:
    """Static files, public views, and addresses without a view, which are answered with 404."""
    view = current_app.view_functions.get(request.endpoint or "")
    return view is None or request.endpoint == "static" or getattr(view, "public", False)


def _is_open_without_factor() -> bool:
    """What a member may open who must set up a second factor first."""
    return _is_open_to_all() or request.blueprint in ("second_factor", "step_up", "passkeys")


def _explain_redirect(why_ended: str, had_session: bool) -> None:
    """Flashes why the sign-in page is shown."""
    if why_ended:
        flash(why_ended)
    if request.method == "POST":
        flash(_keep_what_was_typed())
    elif why_ended:
        flash(gettext("Sign in to pick up where you left off."))
    elif had_session:
        flash(gettext("Your session has ended. Sign in to pick up where you left off."))


def _keep_what_was_typed() -> str:
    """Keeps the form that was sent, if its view says so. Returns what the owner is told."""
    if drafts.kept_of(request.endpoint) and g.lapsed_member and _token_is_right():
        drafts.keep(str(request.endpoint), request.form)
        return gettext(
            "Your session had ended: nothing was sent or changed. You will find what you typed once you sign in."
        )
    return gettext("Your session had ended: nothing was sent or changed. Sign in and try again.")


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
    page = referring_page() or (request.path if drafts.kept_of(request.endpoint) else None)
    return with_seats(page, request.form["seats"]) if page and "seats" in request.form else page
