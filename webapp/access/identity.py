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

    @property
    def initials(self) -> str:
        """Of the first and the last part of the name, at most two letters."""
        parts = self.name.split()
        return "".join(part[0] for part in dict.fromkeys((parts[0], parts[-1]))).upper() if parts else ""


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
