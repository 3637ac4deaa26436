"""The activity of an account: what happened, who did it, and the values before and after.

Each record is written in the transaction of its change.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any, NamedTuple, TypeVar

from flask import has_request_context, request
from sqlalchemy import select

from ..browsers import browser_and_system
from ..db import db, insert_rows
from ..models.activity import Activity
from ..models.subscriptions import Subscription
from ..models.trail import SecurityEvent
from ..ports import ports
from . import people

LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
supporter = people.supporter
Row = TypeVar("Row", Activity, SecurityEvent)
_written = count()  # tells apart two records of one process within a microsecond


class Narrowing(NamedTuple):
    """What a list of the trail is narrowed to; None: to nothing. `until` is the first instant that is too late."""

    kinds: Sequence[str] | None = None
    person_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = Narrowing()


def record(
    account_id: str,
    what: str,
    at: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    subscription: Subscription | None = None,
    by: str | None = None,
    person_id: str | None = None,
) -> None:
    """Writes a row, in the open transaction. `what` is a key of `ACTIVITIES` in `sentences/labels.py`.

    `by` is the name of who did it, or `person_id` their id, where that is not the signed-in member.
    """
    old, new = people.without_addresses(account_id, before or {}, after or {})
    browser, system = browser_here()
    insert_rows(
        Activity(
            account_id=account_id,
            id=ordered_id(),
            subscription_id=subscription.id if subscription else None,
            at=at,
            person_id=person_id or people.acting(account_id, by),
            what=what,
            before=old,
            after=new,
            browser=browser,
            system=system,
        )
    )


def browser_here() -> tuple[str, str]:
    """The browser and system of this request; "" for what is not known."""
    return browser_and_system(request.user_agent.string) if has_request_context() else ("", "")


def ordered_id(at: datetime | None = None) -> str:
    """It grows with time, so that records are listed in the order of writing, and no counter is shared.

    With `at`, by the machine's time: an id between those that were written before and after.
    """
    microseconds = int((at or ports().clock.system_now()).timestamp() * 1_000_000)
    rest = "" if at else f"{next(_written) & 0xFF:02x}{secrets.token_hex(4)}"
    return f"{microseconds:014x}{rest}".translate(LETTERS)


def newest(
    account_id: str,
    before_id: str | None = None,
    limit: int = 50,
    narrowed: Narrowing = EVERYTHING,
    table: type[Row] = Activity,  # type: ignore[assignment]
) -> Sequence[Row]:
    """A page of the account's activity or security events, newest first. `before_id` is the id at the end of the
    previous page."""
    kind = Activity.what if table is Activity else SecurityEvent.kind
    query = select(table).where(table.account_id == account_id).order_by(table.id.desc()).limit(limit)
    if narrowed.kinds is not None:
        query = query.where(kind.in_(narrowed.kinds))
    if narrowed.person_id:
        query = query.where(table.person_id == narrowed.person_id)
    if narrowed.since:
        query = query.where(table.at >= narrowed.since)
    if narrowed.until:
        query = query.where(table.at < narrowed.until)
    return db.session.scalars(query if before_id is None else query.where(table.id < before_id)).all()


def last_changes(account_id: str, what: str, names: Collection[str]) -> dict[str, Activity]:
    """For each name, the newest record of this kind that changed its value."""
    query = select(Activity).where(Activity.account_id == account_id, Activity.what == what).order_by(Activity.id)
    return {name: row for row in db.session.scalars(query) for name in names if name in row.after}
