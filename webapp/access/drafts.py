"""Drafts: what a member typed into a form that was not sent, because the session had ended or the language changed.

A view names the form and the fields that are kept. Passwords and tokens never are.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from flask import abort, current_app, g
from sqlalchemy import ColumnElement, delete, select

from ..db import NotFound, db, transaction
from ..domain import access
from ..models.drafts import Draft
from ..ports import ports
from . import members
from .identity import SignedIn, me

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
        session.execute(delete(Draft).where(*_mine(member, kept.form)))
        now = ports().clock.system_now()
        session.add(Draft(account_id=key[0], member_id=key[1], form=kept.form, fields=fields, kept_at=now))


def find(form: str) -> dict[str, str] | None:
    """What the signed-in member had typed into this form, if it is kept still."""
    since = ports().clock.system_now() - access.DRAFT_LIFETIME
    return db.session.scalars(select(Draft.fields).where(*_mine(me(), form), Draft.kept_at > since)).one_or_none()


def forget(form: str) -> None:
    """The form was sent, or who typed it does not want it back."""
    with transaction() as session:
        session.execute(delete(Draft).where(*_mine(me(), form)))


def _mine(member: SignedIn, form: str) -> tuple[ColumnElement[bool], ...]:
    return Draft.account_id == member.account_id, Draft.member_id == member.member_id, Draft.form == form
