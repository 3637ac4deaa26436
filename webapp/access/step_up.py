"""A stolen session is not enough: some forms are carried out only soon after a password or factor was given in it.

Otherwise the form is held, on the server and for this session alone, while its sender gives one. Which forms: those of
views or blueprints marked `needs_proof`, of a procedure in `PROVEN`, and payments above the account's limit.
"""

from typing import NamedTuple
from urllib.parse import quote

from flask import Flask, Response, current_app, g, redirect, request, url_for
from flask import session as cookie
from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from ..db import NotFound, db, transaction
from ..domain.access import HELD_LIFETIME, PROOF_LIFETIME
from ..domain.permissions import PROVEN
from ..models.access import MemberSession, ProviderIdentity
from ..models.purchases import Quote
from ..models.second_factor import HeldForm
from ..ports import ports
from ..urls import referring_page
from . import limits, local_passwords, members, passkeys, permission, security, sessions, totp
from . import sign_in as passwords
from .identity import SignedIn, me
from .provider import VerifiedIdentity

PAY = "purchase.pay"
MOST_HELD = 5  # of one session: other tabs


class Held(NamedTuple):
    """A form as it was sent: its address, its fields, and the page that it was on."""

    path: str
    fields: list[list[str]]
    page: str | None


def init(app: Flask) -> None:
    """After the member is recognised and permitted, the form's token is checked and the form is counted."""
    app.before_request(_hold_if_unproven)


def is_proven(member: SignedIn) -> bool:
    return ports().clock.system_now() - member.proved_at < PROOF_LIFETIME


def _hold_if_unproven() -> Response | None:
    if request.method != "POST" or g.member is None or is_proven(g.member) or not _needs_proof():
        return None
    address = url_for("step_up.page", held_id=_hold())
    if "HX-Request" in request.headers:
        return Response(headers={"HX-Redirect": address})
    return redirect(address, 303)  # type: ignore[return-value]


def _needs_proof() -> bool:
    endpoint = request.endpoint or ""
    return asks(endpoint) or (endpoint == PAY and _is_above_limit())


def asks(endpoint: str) -> bool:
    """Whether the forms of this view always need a proof."""
    view = current_app.view_functions.get(endpoint)
    marked = view, current_app.blueprints.get(endpoint.rpartition(".")[0])
    if getattr(view, "public", False):
        return False
    return any(getattr(one, "needs_proof", False) for one in marked) or permission.procedure_of(endpoint) in PROVEN


def _is_above_limit() -> bool:
    """Whether the quote to be paid is above the limit that the account's owner has set."""
    limit, quote_id = me().spending_limit, (request.view_args or {}).get("quote_id")
    if limit is None:
        return False
    query = select(Quote.total).where(Quote.account_id == me().account_id, Quote.id == quote_id)
    total = db.session.scalars(query).one_or_none()
    return total is not None and total > limit


def _hold() -> str:
    """Keeps the form that was sent. The oldest of too many is dropped. Raises NotFound if its sender was removed."""
    now = ports().clock.system_now()
    fields = [[name, text] for name, text in request.form.items(multi=True) if name != "csrf_token"]
    with transaction() as session:
        members.lock_member(session, me().account_id, me().member_id)
        mine = HeldForm.account_id == me().account_id, HeldForm.session_id == me().session_id
        older = session.scalars(select(HeldForm.id).where(*mine).order_by(HeldForm.held_at.desc())).all()
        session.execute(delete(HeldForm).where(*mine, HeldForm.id.in_(older[MOST_HELD - 1 :])))
        held = HeldForm(
            account_id=me().account_id,
            member_id=me().member_id,
            session_id=me().session_id,
            path=_address(),
            page=referring_page(),
            fields=fields,
            held_at=now,
        )
        session.add(held)
        session.flush()
        return held.id


def _address() -> str:
    """As it was asked for: a decoded "?" within the path would begin the query."""
    query = request.query_string.decode("latin-1")
    return quote(request.path) + (f"?{query}" if query else "")


def find(member: SignedIn, held_id: str) -> Held:
    """The form that this session sent. Raises NotFound if it waited too long, was carried out, or is another's."""
    columns = HeldForm.path, HeldForm.fields, HeldForm.page
    row = db.session.execute(select(*columns).where(*_waiting(member, held_id))).one_or_none()
    if row is None:
        raise NotFound(held_id)
    return Held(*row)


def take(member: SignedIn, held_id: str) -> Held:
    """The same, and it is taken: a form is carried out once."""
    with transaction() as session:
        taking = delete(HeldForm).where(*_waiting(member, held_id))
        row = session.execute(taking.returning(HeldForm.path, HeldForm.fields, HeldForm.page)).one_or_none()
    if row is None:
        raise NotFound(held_id)
    return Held(*row)


def _waiting(member: SignedIn, held_id: str) -> tuple[ColumnElement[bool], ...]:
    since = ports().clock.system_now() - HELD_LIFETIME
    mine = HeldForm.account_id == member.account_id, HeldForm.session_id == member.session_id
    return *mine, HeldForm.id == held_id, HeldForm.held_at > since


def by_password(member: SignedIn, password: str) -> bool:
    """Raises TooManyRequests after too many wrong ones, as each of these."""
    if not local_passwords.are_on():
        return False
    counted = limits.count_guess(member.email)
    known_hash = members.password_hash_of(member.account_id, member.member_id)
    if not passwords.verify_password(known_hash, password):
        return _refused(member, "password")
    limits.uncount(counted)
    with transaction() as session:
        if not sessions.password_is_unchanged(session, member.account_id, member.member_id, known_hash):
            return False
        token = _prove(session, member)
    cookie["token"] = token
    return True


def by_app(member: SignedIn, code: str) -> bool:
    counted = limits.count_code(member.email)
    with transaction() as session:
        accepted = totp.accept(session, member, code)
        token = _prove(session, member) if accepted else ""
    if not accepted:
        return _refused(member, "app")
    cookie["token"] = token
    limits.uncount(counted)
    return True


def by_passkey(member: SignedIn, credential: str) -> bool:
    try:
        passkeys.verify(credential, "proof")
    except passkeys.Refused:
        return _refused(member, "passkey")
    with transaction() as session:
        token = _prove(session, member)
    cookie["token"] = token
    return True


def _refused(member: SignedIn, way: str) -> bool:
    security.refused(member.account_id, member.member_id, "proof_refused", way)
    return False


def by_provider(member: SignedIn, identity: VerifiedIdentity) -> bool:
    """Whether the provider has just signed in the same person, who is bound to this member."""
    bound = ProviderIdentity.account_id == member.account_id, ProviderIdentity.member_id == member.member_id
    person = ProviderIdentity.issuer == identity.issuer, ProviderIdentity.subject == identity.subject
    with transaction() as session:
        if session.scalars(select(ProviderIdentity.subject).where(*bound, *person)).one_or_none() is None:
            return False
        token = _prove(session, member)
    cookie["token"] = token
    return True


def _prove(session: Session, member: SignedIn) -> str:
    """Stores the proof, in the open transaction. The session gets a new token, so a copied cookie gains nothing."""
    this = MemberSession.account_id == member.account_id, MemberSession.id == member.session_id
    session.execute(update(MemberSession).where(*this).values(proved_at=ports().clock.system_now()))
    return sessions.change_token(session, member.account_id, member.session_id)
