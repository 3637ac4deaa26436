"""`count-users`: asks each tenant how many users are active, so that each day has a count.

The sweep asks a tenant only when a renewal is due, and pages when an owner changes the number of seats. Without this
command most days have no count, and fewer seats are hardly ever suggested.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from threading import Event

import click
from flask.cli import with_appcontext
from sqlalchemy import select, tuple_

from ..db import Across, across, db, new_id, transaction
from ..domain.refusals import ActiveUsersUnknown
from ..models.subscriptions import SubscriptionRow
from ..ports import ports
from ..subscriptions.active_users import current_count, store_count
from ..subscriptions.loading import load
from . import jobs, logs
from .cli import repeat, stop_event

log = logging.getLogger(__name__)
PAGE = 200  # subscriptions that are looked up at once
FRESH = timedelta(hours=20)  # a count that is no older is not repeated, so one run a day may come somewhat earlier
SILENCES = 20  # unanswered requests in a row, after which the tenants are taken to be down


def count_users(stop: Event) -> Counter[str]:
    """How many tenants were "counted" and how many were "silent"."""
    done, silences = Counter[str](), 0
    for account_id, subscription_id in _not_counted_lately():
        try:
            _count(account_id, subscription_id)
            done["counted"], silences = done["counted"] + 1, 0
        except ActiveUsersUnknown:
            done["silent"], silences = done["silent"] + 1, silences + 1
        except Exception:
            log.exception("the active users of subscription %s were not counted", subscription_id)
            db.session.rollback()
            done["failed"] += 1
        if stop.is_set() or silences == SILENCES:
            break
    return done


def _count(account_id: str, subscription_id: str) -> None:
    """Raises ActiveUsersUnknown if the tenant does not answer."""
    subscription = load(account_id, subscription_id)
    counted = current_count(subscription)
    with transaction():
        store_count(subscription, counted)


def _not_counted_lately() -> Iterator[tuple[str, str]]:
    """Begins anywhere and wraps around, so tenants that never answer do not keep the same others from being asked."""
    key = tuple_(SubscriptionRow.account_id, SubscriptionRow.id)
    old = SubscriptionRow.active_users_as_of <= ports().clock.system_now() - FRESH
    query = select(*key.clauses).where(SubscriptionRow.ended_on.is_(None), old).order_by(*key.clauses).limit(PAGE)
    start = (new_id(), "")
    for bounds, last in ((key > start, start), (key <= start, ("", ""))):
        while rows := db.session.execute(across(query.where(bounds, key > last), Across.COUNT)).all():
            db.session.rollback()
            for row in rows:
                yield row[0], row[1]
            last = (rows[-1][0], rows[-1][1])


@click.command(jobs.COUNT)
@click.option("--every", type=click.IntRange(1), help="Again after so many seconds, for as long as the caller lives.")
@with_appcontext
def count_users_command(every: int | None) -> None:
    """Ask every tenant for its active users, once a day at most."""
    with stop_event() as stop:
        repeat(partial(_count_with_summary, stop, every), every, stop)


def _count_with_summary(stop: Event, every: int | None) -> int:
    started_at = ports().clock.system_now()
    done = count_users(stop)
    jobs.finished(jobs.COUNT, every, started_at, done)
    counts = (f"{done[name]:,} {name}" for name in ("counted", "silent", "failed") if done[name])
    logs.say(", ".join(counts) or "all are fresh", outcomes=done)
    return done["failed"]
