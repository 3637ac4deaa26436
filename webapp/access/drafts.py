"""Drafts: what a member typed into a form that was not sent, because the session had ended or the language changed.

A view names the form and the fields that are kept. Passwords and tokens never are.

Whose session was ended from elsewhere may be a thief, who must not put words into the owner's forms: such a draft comes
back only in the browser that sent it, which has its key in the signed cookie.
"""

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from flask import abort, current_app, g
from flask import session as cookie
from sqlalchemy import ColumnElement, delete, or_, select

from ..db import NotFound, db, transaction
from ..domain import access
from ..models.drafts import Draft
from ..ports import ports
from . import members
from .identity import SignedIn, me

KEY = "draft"  # its name in the cookie
View = TypeVar("View", bound=Callable[..., Any])


class Kept(NamedTuple):
    """`form`: the name of the form. `fields`: what is kept of it."""

    form: str
    fields: tuple[str, ...]


def keeps(form: str, *fields: str) -> Callable[[View], View]:
    """Marks a view whose form is kept when it cannot be sent."""

    def mark(view: View) -> View:
        view.kept = Kept(form, fields)  # type: ignore[attr-defined]
        return view

    return mark


def kept_of(endpoint: str | None) -> Kept | None:
    return getattr(current_app.view_functions.get(endpoint or ""), "kept", None)


def keep(endpoint: str, posted: Mapping[str, str]) -> None:
    """Keeps the form of this view for the member, also if the session ended a while ago. 400 if it keeps none."""
    kept = kept_of(endpoint) or abort(400)
    member: SignedIn | None = g.member or g.lapsed_member
    if member is None:
        return
    fields = {name: posted[name] for name in kept.fields if name in posted}
    with suppress(NotFound), transaction() as session:  # nobody comes back to the draft of a member who was removed
        key = member.account_id, member.member_id
        members.lock_member(session, *key)  # of two at once, the second replaces the first
        name, replaced = kept.form, Draft.form == kept.form
        if g.member is None and g.was_ended:
            cookie[KEY] = secrets.token_hex(8)
            name, replaced = _keyed(kept.form), Draft.form.startswith(_keyed(kept.form, ""))
        session.execute(delete(Draft).where(*_of(member), replaced))
        now = ports().clock.system_now()
        session.add(Draft(account_id=key[0], member_id=key[1], form=name, fields=fields, kept_at=now))


def find(form: str) -> dict[str, str] | None:
    """What the signed-in member had typed into this form, if it is kept still."""
    since = ports().clock.system_now() - access.DRAFT_LIFETIME
    mine = select(Draft.fields).where(*_of(me()), Draft.form.in_((form, _keyed(form))), Draft.kept_at > since)
    return db.session.scalars(mine.order_by(Draft.kept_at.desc()).limit(1)).one_or_none()


def forget(form: str) -> None:
    """The form was sent, or who typed it does not want it back."""
    with transaction() as session:
        every = or_(Draft.form == form, Draft.form.startswith(_keyed(form, "")))
        session.execute(delete(Draft).where(*_of(me()), every))


def _of(member: SignedIn) -> tuple[ColumnElement[bool], ...]:
    return Draft.account_id == member.account_id, Draft.member_id == member.member_id


def _keyed(form: str, key: str | None = None) -> str:
    """The name of a draft that only one browser gets back, by default this one."""
    return f"{form}~{cookie.get(KEY, '') if key is None else key}"
