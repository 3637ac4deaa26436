"""`make bench`: how many subscriptions a second are rolled over on PostgreSQL, and with how much memory.

A bare loop of SQL writes the same rows and commits as often, for comparison. ROLL_OVER_SIZES ("200 2000"): how many
subscriptions are rolled over.
"""

import os
import re
import subprocess
import sys
import tempfile
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest.mock import patch

import psycopg
from flask_migrate import upgrade
from psycopg.rows import dict_row
from psycopg.types.json import Json
from sqlalchemy import Table, insert, select

from e2e.portal import ROOT, environment
from tests.bench.sizes import numbers
from tests.support.databases import database_name, new_postgresql
from webapp import create_app
from webapp.db import Base, db, transaction
from webapp.sandbox import scenarios
from webapp.sandbox.tables import SandboxAccount

SIZES = numbers("ROLL_OVER_SIZES", 200, 2_000)
COPIED = (
    "account",
    "member",
    "sandbox_account",
    "card",
    "sandbox_card",
    "default_card",
    "subscription",
    "period",
    "sandbox_headcount",
)
WRITTEN = ("quote", "payment", "sandbox_charge", "period", "invoice", "message", "activity")
NAME = re.compile(r"[0-9a-f]{32}|sao-.*|business-.*")


def populate(url: str, size: int, folder: Path) -> None:
    """Makes `size` accounts of one issuer, each with one subscription whose renewal is due."""
    with patch.dict(os.environ, environment(folder, DATABASE_URL=url), clear=True):
        app = create_app()
    with app.app_context():
        upgrade()
        made = scenarios.make("business")
        with transaction() as session:
            session.get_one(SandboxAccount, made.account).set_to = made.now + timedelta(days=31)
        rows = {name: _rows(Base.metadata.tables[name]) for name in COPIED}
        shared = {rows["account"][0]["issuer_id"], rows["subscription"][0]["price_list_id"]}
        for first in range(1, size, 500):
            with transaction() as session:
                for name in COPIED:
                    numbers = range(first, min(first + 500, size))
                    copies = [_copy(row, number, shared) for number in numbers for row in rows[name]]
                    session.execute(insert(Base.metadata.tables[name]), copies)
        db.engine.dispose()


def _rows(table: Table) -> list[dict[str, Any]]:
    return [dict(row) for row in db.session.execute(select(table)).mappings()]


def _copy(row: dict[str, Any], number: int, shared: set[str]) -> dict[str, Any]:
    """The row for another account: other identifiers, spread as random ones are."""
    copy = {name: value for name, value in row.items() if name != "id" or isinstance(value, str)}
    for name, value in copy.items():
        if isinstance(value, str) and value not in shared and NAME.fullmatch(value):
            copy[name] = blake2b(f"{number} {value}".encode(), digest_size=16).hexdigest()
    return copy


def roll_over(url: str, folder: Path, size: int, processes: int) -> tuple[float, float]:
    """Subscriptions a second as the command reports, and the peak memory of its largest process in MB."""
    command = [sys.executable, "-m", "flask", "--app", "webapp", "roll-over", "--processes", str(processes)]
    with (folder / "output").open("w+") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment(folder, DATABASE_URL=url), stdout=output)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = status
        output.seek(0)
        summary = re.fullmatch(
            r"([\d,]+) subscriptions in ([\d,.]+) s: ([\d,]+) renewed(?:, [\d,]+ waiting)?\.\n", output.read()
        )
    assert status == 0
    assert summary, "renewals, and nothing else"
    _seen, seconds, renewed = (float(part.replace(",", "")) for part in summary.groups())
    assert renewed == size
    return renewed / seconds, used.ru_maxrss / 1024


def bare_loop(url: str, like: str) -> float:
    """Subscriptions a second of a loop that locks, inserts and commits as the sweep does, and computes nothing."""
    with psycopg.connect(like, row_factory=dict_row) as connection:
        payment = connection.execute("SELECT * FROM payment LIMIT 1").fetchone()
        assert payment
        rows = {table: _written_with(connection, table, payment) for table in WRITTEN}
    with psycopg.connect(url) as portal, psycopg.connect(url) as gateway:
        ids = portal.execute("SELECT id, account_id FROM subscription").fetchall()
        start = perf_counter()
        for number, (subscription, account) in enumerate(ids):
            _roll_over_one(portal, gateway, rows, {"subscription_id": subscription, "account_id": account}, number)
        return len(ids) / (perf_counter() - start)


def _written_with(
    connection: psycopg.Connection[dict[str, Any]], table: str, payment: dict[str, Any]
) -> list[dict[str, Any]]:
    """The rows of a table that one roll-over wrote: one each, and a mail to each reader."""
    where = {
        "quote": "id = %(quote_id)s",
        "payment": "key = %(key)s",
        "sandbox_charge": "key = %(key)s",
        "invoice": "payment_key = %(key)s",
        "period": "subscription_id = %(subscription_id)s AND ordinal = (SELECT max(ordinal) FROM period)",
        "activity": "subscription_id = %(subscription_id)s",
        "message": "account_id = (SELECT account_id FROM subscription WHERE id = %(subscription_id)s)",
    }[table]
    rows = connection.execute(f"SELECT * FROM {table} WHERE {where}".encode(), payment).fetchall()
    assert len(rows) == 1 or (table == "message" and rows)
    return [
        {name: Json(value) if isinstance(value, dict | list) else value for name, value in row.items()} for row in rows
    ]


def _roll_over_one(
    portal: psycopg.Connection[Any],
    gateway: psycopg.Connection[Any],
    rows: dict[str, list[dict[str, Any]]],
    whose: dict[str, Any],
    number: int,
) -> None:
    quote, key = f"{number:020d}", f"{number:020d}.1"
    lock = (
        b"SELECT * FROM subscription WHERE account_id = %(account_id)s AND id = %(subscription_id)s FOR NO KEY UPDATE"
    )
    portal.execute(lock, whose)
    _insert(portal, "quote", rows["quote"][0] | whose | {"id": quote, "card_id": None})
    pending = {"state": "pending", "settled_at": None}
    _insert(portal, "payment", rows["payment"][0] | whose | {"key": key, "quote_id": quote} | pending)
    portal.commit()
    _insert(gateway, "sandbox_charge", rows["sandbox_charge"][0] | {"key": key})
    gateway.commit()
    portal.execute(lock, whose)
    this = {**whose, "key": key}
    captured = b"UPDATE payment SET state = 'captured', settled_at = created_at"
    portal.execute(captured + b" WHERE account_id = %(account_id)s AND key = %(key)s", this)
    _insert(portal, "period", rows["period"][0] | whose)
    portal.execute("UPDATE invoice_counter SET last_number = last_number + 1")
    named = {"id": quote, "number": f"MQ-2027-1{number:06d}", "payment_key": key}
    _insert(portal, "invoice", rows["invoice"][0] | whose | named)
    for index, message in enumerate(rows["message"]):
        name = f"{number:018d}.{index}"
        _insert(
            portal,
            "message",
            message | whose | {"id": name, "about": name, "attached_id": message["attached_id"] and quote},
        )
    _insert(portal, "activity", rows["activity"][0] | whose | {"id": f"{number:024d}"})
    portal.commit()


def _insert(connection: psycopg.Connection[Any], table: str, row: dict[str, Any]) -> None:
    given = {name: value for name, value in row.items() if (table, name) != ("message", "subscription_id")}
    columns, values = ", ".join(given), ", ".join(f"%({name})s" for name in given)
    connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({values})".encode(), given)


def main() -> None:
    print(
        "Roll-over on PostgreSQL, in so many processes, and a bare loop of SQL in one: subscriptions a second, ratio, "
    )
    print("peak memory of a process", flush=True)
    peaks = []
    for size, processes in [(size, processes) for size in SIZES for processes in (1, 2)]:
        with tempfile.TemporaryDirectory() as name:
            folder, url = Path(name), new_postgresql()
            populate(url, size, folder)
            copy = new_postgresql(database_name(url))
            rate, peak = roll_over(url, folder, size, processes)
            bare = bare_loop(copy, url)
            peaks.append(peak)
            line = f"{rate:,.0f}/s  {bare:,.0f}/s  {rate / bare:.2f} (aim ≥ 0.5)  {peak:.0f} MB"
            print(f"  {size:>6,} in {processes}: {line}", flush=True)
    print(f"  memory of the larger to the smaller: {peaks[-1] / peaks[1]:.2f} (aim ≤ 1.1)", flush=True)


if __name__ == "__main__":
    main()
