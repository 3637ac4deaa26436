"""Who is signed in. A view needs a signed-in owner unless it is marked `@public`."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from flask import g

View = TypeVar("View", bound=Callable[..., Any])


class SignedIn(NamedTuple):
    owner_id: str
    account_id: str
    name: str
    email: str
    locale: str | None
    account_name: str
    session_id: str


def public(view: View) -> View:
    """Marks a view that needs no sign-in."""
    view.public = True  # type: ignore[attr-defined]
    return view


def passive(view: View) -> View:
    """Marks a view whose requests are no use of the session: a script asks, not the owner."""
    view.passive = True  # type: ignore[attr-defined]
    return view


def me() -> SignedIn:
    """The signed-in owner. Only for views that are not public."""
    owner: SignedIn = g.owner
    return owner
