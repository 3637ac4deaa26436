"""`make bench`: the portal under load on PostgreSQL, with two server processes: undisturbed, while the server is
restarted, and while PostgreSQL is restarted; then the roll-over by as many processes. Numbers beside their aims.

LOAD_SUBSCRIPTIONS, LOAD_INVOICES (in all), LOAD_DUE (to be rolled over; 0: leave that out), LOAD_OWNERS (signed in),
LOAD_SECONDS (each measurement), LOAD_PROCESSES ("2", or "1 2 4"), LOAD_CLIENTS (processes that send requests).
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from secrets import token_hex
from signal import SIGHUP
from statistics import median, quantiles
from threading import Event, Thread
from time import perf_counter
from typing import Any

import psycopg
from flask import Flask

from e2e.portal import ROOT, environment, running_portal
from tests.bench.load_clients import Owner, counted, load, owners
from tests.bench.load_data import Size, opened, populate
from tests.support import invariants
from tests.support.databases import database_name, drop_postgresql, new_postgresql, postgresql_stopped
from webapp.db import db
from webapp.sandbox.scenarios import Made

TOKEN = token_hex()
LAPSE = 5.0  # seconds between restarts


@contextmanager
def every(lapse: float, act: Any) -> Iterator[list[int]]:
    """Repeats `act` every `lapse` seconds until the block ends; yields how often."""
    over, done = Event(), [0]

    def again() -> None:
        while not over.wait(lapse):
            act()
            done[0] += 1

    thread = Thread(target=again)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join()


def restart_database() -> None:
    with postgresql_stopped():
        pass


def check(app: Flask, mine: list[Owner], receipts: list[str]) -> int:
    """The number of acknowledged payments that the database lacks. AssertionError: an account is inconsistent."""
    with (
        app.app_context(),
        psycopg.connect(app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")) as connection,
    ):
        rows = connection.execute(
            "SELECT payment.quote_id FROM payment JOIN invoice ON payment_key = key JOIN sandbox_charge USING (key) "
            "WHERE payment.state = 'captured' AND sandbox_charge.state = 'captured'"
        ).fetchall()
        for owner in mine:
            sound(owner.account)
        db.session.remove()
        db.engine.dispose()
    return len(set(receipts) - {row[0] for row in rows})


def sound(account: str) -> None:
    """Each capture has one invoice of the same amount. Invoice numbers are not checked: all accounts share them."""
    rows = invariants.read(account)
    captured = {row.key: row.amount for row in rows.paid if row.state == "captured"}
    waiting = {row.key for row in rows.paid if row.state == "pending"}
    assert {row.payment_key: row.total for row in rows.invoices if row.payment_key} == captured
    charged = {row.key: row.amount for row in rows.charges if row.state == "captured"}
    assert {key: amount for key, amount in charged.items() if key not in waiting} == captured


def row(what: str, value: str, aim: str = "") -> None:
    print(f"  {what:<62}{value:>34}   {aim}".rstrip(), flush=True)


def p99(times: Sequence[float]) -> float:
    return quantiles(times, n=100)[98] if len(times) > 1 else 0.0


def measure(url: str, made: Made, size: Size, folder: Path) -> list[str]:
    """Prints the measurements; returns what was wrong: lost payments, and faults that no retry healed."""
    wrong: list[str] = []
    app = opened(url, folder)
    for processes in size.processes:
        settings = {"WORKERS": str(processes), "DATABASE_URL": url, "INSTANCE_DIR": str(folder), "METRICS_TOKEN": TOKEN}
        with ExitStack() as stack:
            pool = stack.enter_context(ProcessPoolExecutor(size.clients))
            portal = stack.enter_context(running_portal(**settings))
            mine = owners(portal, made, url, size.owners)
            alone = replace(size, clients=1, seconds=size.seconds / 2)
            idle = load(pool, portal, mine, alone, 0)
            light, heavy = median(idle.fragments), median(idle.pages)
            before = counted(portal, TOKEN)
            busy = load(pool, portal, mine, size, 0)
            told = counted(portal, TOKEN) - before
            row("  requests in that time: answered; told by /metrics", f"{busy.answers} {told}")
            wrong += [f"{busy.answers} answers, but /metrics says {told}"] * (busy.answers != told)
            full = (len(busy.fragments) + len(busy.pages)) / size.seconds
            said = f"{light:.1f} ms and {heavy:.1f} ms  {full:.0f}/s"
            row(f"{processes} processes: idle p50 of fragments, pages; saturation", said)
            storms: dict[str, AbstractContextManager[list[int]]] = {
                "half of it": nullcontext([0]),
                "half, server restarted": every(LAPSE, partial(portal.server.send_signal, SIGHUP)),
                "half, PostgreSQL restarted": every(LAPSE, restart_database),
            }
            for name, storm in storms.items():
                with storm as times:
                    outcome = load(pool, portal, mine, size, full / 2)
                lost = check(app, mine, outcome.receipts)
                wrong += outcome.faults + [f"{lost} payments lost"] * bool(lost)
                ends = p99(outcome.fragments), p99(outcome.pages)
                seen = f"{ends[0]:.0f} ms {ends[0] / light:.1f}  {ends[1]:.0f} ms {ends[1] / heavy:.1f}"
                said = f"{len(outcome.receipts)} paid, {lost} lost, {outcome.retried} retried, "
                said += f"{len(outcome.faults)} not healed"
                row(f"  {name} ({times[0]} times): p99 ÷ idle p50", seen, ("aim ≤ 4   " if times == [0] else "") + said)
    return wrong


def roll_over(url: str, size: Size, folder: Path) -> list[str]:
    """Prints how many subscriptions a second the processes roll over together."""
    wrong, due = [], min(size.due, size.subscriptions)
    for processes in size.processes:
        copy = new_postgresql(database_name(url))
        command = [sys.executable, "-m", "flask", "--app", "webapp", "roll-over"]
        env, start = environment(folder, DATABASE_URL=copy), perf_counter()
        subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, check=True)
        first = perf_counter() - start
        with psycopg.connect(copy) as connection:  # makes them due
            which = "(SELECT id FROM subscription ORDER BY id LIMIT %s)"
            for table, column, key in (("subscription", "anchor", "id"), ("quiet", "until", "subscription_id")):
                sooner = f"UPDATE {table} SET {column} = {column} - 31 WHERE {key} IN {which}"
                connection.execute(sooner.encode(), (due,))
        start = perf_counter()
        sweeps = [subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL) for _ in range(processes)]
        failed = sum(sweep.wait() != 0 for sweep in sweeps)
        took = perf_counter() - start
        with psycopg.connect(copy) as connection:
            row_of_count = connection.execute(b"SELECT count(*) FROM invoice WHERE payment_key IS NOT NULL").fetchone()
        renewed = row_of_count[0] if row_of_count else 0
        drop_postgresql(copy)
        if renewed != due or failed:
            wrong.append(f"{renewed} of {due} renewed, {failed} sweeps failed")
        said = f"{renewed:,} in {took:.1f} s  {renewed / took:.0f}/s"
        row(f"{processes} processes roll over what is due", said, f"the very first sweep: {first:.1f} s")
    return wrong


def report(size: Size) -> list[str]:
    with tempfile.TemporaryDirectory() as name:
        folder, url = Path(name), new_postgresql()
        start = perf_counter()
        made = populate(url, size, folder)
        took = perf_counter() - start
        print(f"Load on PostgreSQL: {size} (filled in {took:.0f} s)", flush=True)
        wrong = roll_over(url, size, folder) if size.due else []
        return wrong + measure(url, made, size, folder)


if __name__ == "__main__":
    for fault in sorted(set(report(Size.from_environment()))):
        print(f"  WRONG: {fault}")
