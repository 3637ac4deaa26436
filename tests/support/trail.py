"""What records say, with the addresses that they refer to."""

from typing import Any

from sqlalchemy import select

from webapp.accounts import people
from webapp.db import db
from webapp.models.activity import Activity
from webapp.models.trail import SecurityEvent
from webapp.sandbox.scenarios import Made


def before(row: Activity) -> dict[str, Any]:
    return people.with_addresses(row.before, people.of_account(row.account_id), "erased")


def after(row: Activity) -> dict[str, Any]:
    return people.with_addresses(row.after, people.of_account(row.account_id), "erased")


def events(made: Made) -> list[tuple[str, str, str | None, int]]:
    """The account's security events, oldest first: kind, detail, whose, times."""
    db.session.rollback()
    query = select(SecurityEvent).where(SecurityEvent.account_id == made.account).order_by(SecurityEvent.id)
    return [(row.kind, row.detail, row.by, row.times) for row in db.session.scalars(query)]
