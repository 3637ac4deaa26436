"""Who is signed in. A view needs a signed-in member unless it is `@public`, and says with `needs` what it is for."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from flask import g

from ..domain import permissions
from ..domain.permissions import Procedure, Role

View = TypeVar("View", bound=Callable[..., Any])
Marked = TypeVar("Marked")
NEVER = datetime.min.replace(tzinfo=UTC)


class SignedIn(NamedTuple):
    member_id: str
    account_id: str
    name: str
    email: str
    locale: str | None
    account_name: str
    session_id: str
    role: Role
    proved_at: datetime = NEVER  # when this session last gave a password or factor
    by_provider: bool = False  # signed in there, where factors are the provider's
    must_set_up: bool = False  # the account requires a second factor, and there is none
    spending_limit: int | None = None  # of the account, in cents

    def may(self, procedure: Procedure) -> bool:
        return permissions.may(self.role, procedure)

    @property
    def initials(self) -> str:
        """Of the first and the last part of the name, at most two letters."""
        parts = self.name.split()
        return "".join(part[0] for part in dict.fromkeys((parts[0], parts[-1]))).upper() if parts else ""


def public(view: View) -> View:
    """Marks a view that needs no sign-in."""
    view.public = True  # type: ignore[attr-defined]
    return view


def needs(procedure: Procedure) -> Callable[[Marked], Marked]:
    """Marks what a view, or each view of a blueprint that is not marked itself, is for: who may use it follows."""

    def mark(marked: Marked) -> Marked:
        marked.procedure = procedure  # type: ignore[attr-defined]
        return marked

    return mark


def needs_proof(marked: Marked) -> Marked:
    """Marks a view, or the views of a blueprint, whose forms are carried out only soon after a password or factor."""
    marked.needs_proof = True  # type: ignore[attr-defined]
    return marked


def passive(view: View) -> View:
    """Marks a view whose requests are no use of the session: a script asks, not the owner."""
    view.passive = True  # type: ignore[attr-defined]
    return view


def me() -> SignedIn:
    """The signed-in member. Only for views that are not public."""
    member: SignedIn = g.member
    return member
