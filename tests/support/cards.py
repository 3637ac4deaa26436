"""What the gateway still knows of an account's cards, and what it is still to forget."""

from sqlalchemy import select

from webapp.db import db
from webapp.models.cards import CardDetachment
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCard


def attached(made: Made) -> list[str]:
    """The last digits of the cards that the gateway can still charge."""
    db.session.rollback()
    query = select(SandboxCard.last4).where(SandboxCard.customer == made.account, SandboxCard.behaviour != "detached")
    return sorted(db.session.scalars(query))


def attempts() -> list[int]:
    """How often each open detachment was tried."""
    db.session.rollback()
    return list(db.session.scalars(select(CardDetachment.attempts)))
