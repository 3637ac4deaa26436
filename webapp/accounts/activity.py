"""The activity of an account: what happened, who did it, and the values before and after.

Each record is written in the transaction of its change.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any

from flask import g, has_request_context
from sqlalchemy import select

from ..db import db, insert_rows
from ..models.activity import Activity
from ..models.subscriptions import Subscription
from ..ports import ports

LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
_written = count()  # tells apart two records of one process within a microsecond


def record(
    account_id: str,
    what: str,
    at: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    subscription: Subscription | None = None,
    by: str | None = None,
) -> None:
    """Writes a row, in the open transaction. `what` is a key of `ACTIVITIES` in `sentences/labels.py`.

    `by` is the name of who did it, where that is not the signed-in member.
    """
    member = g.get("member") if has_request_context() else None
    insert_rows(
        Activity(
            account_id=account_id,
            id=_ordered_id(),
            subscription_id=subscription.id if subscription else None,
            at=at,
            by=by or (member.name if member else None),
            what=what,
            before=dict(before or {}),
            after=dict(after or {}),
        )
    )


def _ordered_id() -> str:
    """It grows with time, so that records are listed in the order of writing, and no counter is shared."""
    microseconds = int(ports().clock.system_now().timestamp() * 1_000_000)
    return f"{microseconds:014x}{next(_written) & 0xFF:02x}{secrets.token_hex(4)}".translate(LETTERS)


def newest(
    account_id: str, before_id: str | None = None, limit: int = 50, kinds: Sequence[str] | None = None
) -> Sequence[Activity]:
    """A page of the account's activity, newest first, of all kinds or of some. `before_id` is the id at the end of the
    previous page."""
    query = select(Activity).where(Activity.account_id == account_id).order_by(Activity.id.desc()).limit(limit)
    if kinds is not None:
        query = query.where(Activity.what.in_(kinds))
    return db.session.scalars(query if before_id is None else query.where(Activity.id < before_id)).all()


def last_changes(account_id: str, what: str, names: Collection[str]) -> dict[str, Activity]:
    """For each name, the newest record of this kind that changed its value."""
    query = select(Activity).where(Activity.account_id == account_id, Activity.what == what).order_by(Activity.id)
    return {name: row for row in db.session.scalars(query) for name in names if name in row.after}
