"""Seals of the trail, and `verify-trail`: whether a record or a security event was changed, removed or inserted later.

Writing costs nothing. A job beside the sweep seals, account by account, what was written since the last seal: a digest
of the rows, and a MAC of it and of the seal before, with a key that follows from SECRET_KEY. The rows have no names and
addresses (see Person), so erasing them breaks no seal. `prune` removes whole sealed ranges, and the seals stay.
"""

import hashlib
import hmac
import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.exc import IntegrityError

from ..access import limits
from ..accounts import activity
from ..config import COMMAND, signing_keys
from ..db import Across, across, db, transaction
from ..models.accounts import Account
from ..models.activity import Activity
from ..models.trail import SecurityEvent, TrailSeal
from ..ports import ports
from . import health

log = logging.getLogger(__name__)
TRAILS: dict[str, Any] = {"activity": Activity, "security_event": SecurityEvent}
HOURLY = "1 per hour"
SETTLED = timedelta(minutes=5)  # longer than the transaction of a record lasts, so none comes into a sealed range
LATE = timedelta(days=1)  # rows that are older and not sealed are at fault
BATCH = 1000


def once_an_hour(stop: Event) -> None:
    """Beside the sweep, in one of the processes that sweep."""
    if limits.is_first(HOURLY, "seal"):
        log.info("sealed: %s rows of the trail", seal(stop).total())


def seal(stop: Event | None = None) -> Counter[str]:
    """Seals what is settled. Returns how many rows of each table."""
    done = Counter[str]()
    for trail, table in TRAILS.items():
        limit = activity.ordered_id(ports().clock.system_now() - SETTLED)
        for account_id in _unsealed(trail, table, limit):
            if stop and stop.is_set():
                return done
            try:
                done[trail] += _seal(account_id, trail, table, limit)
            except IntegrityError:  # another process sealed the same
                log.info("%s of account %s was sealed by another process", trail, account_id)
    return done


def _unsealed(trail: str, table: Any, limit: str) -> list[str]:
    """The accounts with settled rows that are not sealed."""
    seals = select(TrailSeal.account_id, func.max(TrailSeal.last_id).label("last_id")).where(TrailSeal.trail == trail)
    last = seals.group_by(TrailSeal.account_id).subquery()
    later = table.id > func.coalesce(last.c.last_id, ""), table.id < limit
    waits = select(table.id).where(table.account_id == Account.id, *later).correlate(Account, last).exists()
    query = select(Account.id).outerjoin(last, last.c.account_id == Account.id).where(waits).order_by(Account.id)
    found = list(db.session.scalars(across(query, Across.SEAL)))
    db.session.rollback()
    return found


def _seal(account_id: str, trail: str, table: Any, limit: str) -> int:
    with transaction() as session:
        mine = TrailSeal.account_id == account_id, TrailSeal.trail == trail
        query = select(TrailSeal).where(*mine).order_by(TrailSeal.number.desc()).limit(1)
        before = session.scalars(query).one_or_none()
        digest = Digest()
        for row in _rows(account_id, table, before.last_id if before else "", limit):
            digest.add(row)
        if not digest.rows:
            return 0
        made = TrailSeal(
            account_id=account_id,
            trail=trail,
            number=before.number + 1 if before else 1,
            last_id=digest.last_id,
            last_at=digest.last_at,
            rows=digest.rows,
            digest=digest.hexdigest(),
            mac="",
        )
        made.mac = _macs(made, before.mac if before else "")[-1]
        session.add(made)
        return digest.rows


class Digest:
    """Of the rows of a table, in order."""

    def __init__(self) -> None:
        self.hash, self.rows, self.last_id = hashlib.sha256(), 0, ""
        self.last_at: datetime | None = None

    def add(self, row: Any) -> None:
        """Empty values do not count, so that a later version can add a column."""
        told = {name: value for name, value in row.items() if value not in (None, "")}
        values = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in told.items()}
        self.hash.update(json.dumps(values, sort_keys=True, separators=(",", ":")).encode() + b"\n")
        self.rows, self.last_id = self.rows + 1, row["id"]
        self.last_at = max(filter(None, (self.last_at, row["at"])))

    def hexdigest(self) -> str:
        return self.hash.hexdigest()


def _rows(account_id: str, table: Any, after: str, until: str, last: bool = False) -> Iterator[Any]:
    """The rows whose id is greater than `after`, and less than `until` or, if `last`, no greater."""
    columns = table.__table__.c
    end = columns.id <= until if last else columns.id < until
    while True:
        query: Select[Any] = select(*columns).where(columns.account_id == account_id, columns.id > after, end)
        rows = db.session.execute(query.order_by(columns.id).limit(BATCH)).mappings().all()
        yield from rows
        if len(rows) < BATCH:
            return
        after = rows[-1]["id"]


def _macs(seal: TrailSeal, before: str) -> list[str]:
    """By each key of SECRET_KEY_FALLBACKS, and last by SECRET_KEY."""
    columns = ("account_id", "trail", "number", "last_id", "rows", "digest")
    told = json.dumps([before, seal.last_at.isoformat(), *(getattr(seal, name) for name in columns)]).encode()
    keys = (hmac.digest(key.encode(), b"trail", hashlib.sha256) for key in signing_keys(current_app.config))
    return [hmac.new(key, told, hashlib.sha256).hexdigest() for key in keys]


def faults(account_id: str) -> Iterator[str]:
    """A sentence for each fault in the trail of an account."""
    for trail, table in TRAILS.items():
        mine = TrailSeal.account_id == account_id, TrailSeal.trail == trail
        seals = db.session.scalars(select(TrailSeal).where(*mine).order_by(TrailSeal.number)).all()
        yield from (f"{trail} of account {account_id}: {fault}" for fault in _faults(account_id, trail, table, seals))


def _faults(account_id: str, trail: str, table: Any, seals: Sequence[TrailSeal]) -> Iterator[str]:
    number, mac, after = 0, "", ""
    for one in seals:
        if one.number != number + 1:
            yield f"the seals {number + 1} to {one.number - 1} were removed."
        elif one.mac not in _macs(one, mac):
            yield f"the seal {one.number} was changed, or made with another SECRET_KEY."
        digest = Digest()
        for row in _rows(account_id, table, after, one.last_id, last=True):
            digest.add(row)
        pruned = digest.rows < one.rows and _may_be_pruned(account_id, trail, one)
        if digest.hexdigest() != one.digest and not pruned:
            yield _difference(one, digest, after, account_id, table)
        number, mac, after = one.number, one.mac, one.last_id
    late = _first(account_id, table, after, activity.ordered_id(ports().clock.system_now() - LATE))
    if late is not None:
        yield f"the rows from {late:%Y-%m-%d %H:%M} on are not sealed. Does the sweep run?"


def _may_be_pruned(account_id: str, trail: str, seal: TrailSeal) -> bool:
    """The activity grows old by the account's clock, which the sandbox sets, security events by the machine's."""
    config, now = current_app.config, ports().clock.system_now()
    if trail == "activity" and config["SANDBOX"]:
        now = ports().clock.now(db.session.get_one(Account, account_id))
    years = config["KEEP_ACTIVITY_YEARS" if trail == "activity" else "KEEP_SECURITY_YEARS"]
    return seal.last_at <= years_before(now, years)


def years_before(now: datetime, years: int) -> datetime:
    return now - timedelta(days=366 * years)


def is_sealed_before(table: Any, since: datetime) -> ColumnElement[bool]:
    """A row is in a sealed range whose rows are all of `since` or earlier, or before such a range."""
    mine = TrailSeal.account_id == table.account_id, TrailSeal.trail == table.__tablename__
    ranges = select(TrailSeal.number).where(*mine, TrailSeal.last_at <= since, TrailSeal.last_id >= table.id)
    return ranges.correlate(table).exists()


def _difference(seal: TrailSeal, digest: Digest, after: str, account_id: str, table: Any) -> str:
    since = _first(account_id, table, after, seal.last_id + "~")
    where = f"up to {seal.last_at:%Y-%m-%d %H:%M}" + (f", from {since:%Y-%m-%d %H:%M} on" if since else "")
    if digest.rows < seal.rows:
        return f"of the {seal.rows:,} rows {where} (seal {seal.number}), {seal.rows - digest.rows:,} were removed."
    if digest.rows > seal.rows:
        return f"{digest.rows - seal.rows:,} rows {where} (seal {seal.number}) were inserted afterwards."
    return f"rows {where} (seal {seal.number}) were changed."


def _first(account_id: str, table: Any, after: str, until: str) -> datetime | None:
    mine = table.account_id == account_id, table.id > after, table.id < until
    at: datetime | None = db.session.scalars(select(table.at).where(*mine).order_by(table.id).limit(1)).one_or_none()
    return at


def renew() -> Iterator[str]:
    """Makes the MACs of all seals anew, with the present key. Yields the faults; the seals of an account that has one
    stay as they are."""
    for account_id in _accounts():
        found = list(faults(account_id))
        yield from found
        if found:
            continue
        with transaction() as session:
            query = select(TrailSeal).where(TrailSeal.account_id == account_id)
            before: dict[str, str] = {}
            for one in session.scalars(query.order_by(TrailSeal.trail, TrailSeal.number)):
                one.mac = before[one.trail] = _macs(one, before.get(one.trail, ""))[-1]


def _accounts() -> list[str]:
    found = list(db.session.scalars(across(select(Account.id).order_by(Account.id), Across.SEAL)))
    db.session.rollback()
    return found


@click.command("verify-trail")
@click.option("--renew", "renews", is_flag=True, help="Seal anew with the present SECRET_KEY, before an old key goes.")
@with_appcontext
def verify_trail(renews: bool) -> None:
    """Check that no record of the activity and no security event was changed, removed or inserted afterwards."""
    health.check_database()
    accounts = _accounts()
    found = 0
    for fault in renew() if renews else (fault for account_id in accounts for fault in faults(account_id)):
        found += 1
        click.echo(fault)
    sealed = db.session.scalars(across(select(func.coalesce(func.sum(TrailSeal.rows), 0)), Across.SEAL)).one()
    db.session.rollback()
    if found:
        raise click.ClickException(f"{found:,} faults. A backup (see `{COMMAND} backup`) shows what was there before.")
    click.echo(f"Sealed rows: {sealed:,}, accounts: {len(accounts):,}. All are as they were written.")
