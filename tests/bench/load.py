"""`make bench`: the portal under load on PostgreSQL, with 1, 2 and 4 server processes; while these are restarted; while
PostgreSQL is; and the roll-over by 1, 2 and 4 processes. Numbers beside their aims, and no verdict.

LOAD_SUBSCRIPTIONS, LOAD_INVOICES (in all), LOAD_DUE (to be rolled over), LOAD_OWNERS (who are signed in), LOAD_SECONDS
(each measurement), LOAD_PROCESSES ("1 2 4"), LOAD_CLIENTS (processes that ask).
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from http.client import HTTPConnection, HTTPException
from itertools import count as count_from
from pathlib import Path
from queue import SimpleQueue
from random import Random
from signal import SIGHUP
from statistics import median, quantiles
from threading import Event, Thread
from time import perf_counter, sleep
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode, urlsplit

import psycopg
from flask import Flask
from flask_migrate import upgrade

from e2e.portal import ROOT, Sandbox, environment, running_portal, token
from tests.bench.roll_over import COPIED, NAME
from tests.support import invariants
from tests.support.databases import database_name, drop_postgresql, new_postgresql, postgresql_stopped
from webapp import create_app
from webapp.db import Base, db
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial", "Accept-Encoding": "br, gzip"}
RETRIES, PAUSE = 40, 0.25  # seconds between two tries of what failed: ten seconds in all
LAPSE = 5.0  # seconds between two restarts
PHASES = count_from(0)


@dataclass(frozen=True)
class Size:
    subscriptions: int = 1_000
    invoices: int = 10_000
    due: int = 1_000
    owners: int = 20
    clients: int = 4
    seconds: float = 10.0
    processes: tuple[int, ...] = (1, 2, 4)

    @classmethod
    def from_environment(cls) -> "Size":
        given = {
            name: os.environ.get(f"LOAD_{name.upper()}")
            for name in ("subscriptions", "invoices", "due", "owners", "clients")
        }
        numbers = {name: int(value) for name, value in given.items() if value}
        processes = tuple(map(int, os.environ.get("LOAD_PROCESSES", "1 2 4").split()))
        return cls(**numbers, seconds=float(os.environ.get("LOAD_SECONDS", "10")), processes=processes)


@dataclass(frozen=True)
class Owner:
    """A signed-in owner: what a request needs."""

    subscription: str
    account: str
    card: str
    cookie: str
    csrf: str


@dataclass
class Told:
    """What clients saw: latencies in ms, from when the request was due; faults that no retry healed; receipts."""

    fragments: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    retried: int = 0
    faults: list[str] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)


# What is in the database.


def populate(url: str, size: Size, folder: Path) -> Made:
    """Accounts of one issuer, each with one subscription and its share of the invoices; the first one was made."""
    app = opened(url, folder)
    with app.app_context():
        upgrade()
        made = scenarios.make("business")
        db.session.remove()
        db.engine.dispose()
    with psycopg.connect(url) as connection:
        for name in COPIED:
            _multiply(connection, name, size.subscriptions - 1)
        each = max(0, size.invoices // size.subscriptions - 6)
        columns = [column.name for column in Base.metadata.tables["invoice"].columns]
        own = {
            "id": "'i' || n || '-' || s.id",
            "account_id": "s.account_id",
            "subscription_id": "s.id",
            "number": "'LD-' || n || '-' || s.id",
            "number_key": "'ld-' || n || '-' || s.id",
            "issued_on": "date '2016-01-01' + n",
        }
        chosen = ", ".join(own.get(column, f"like_it.{column}") for column in columns)
        connection.execute(
            f"INSERT INTO invoice ({', '.join(columns)}) SELECT {chosen} FROM subscription AS s, "
            f"generate_series(1, {each}) AS n, (SELECT * FROM invoice LIMIT 1) AS like_it".encode()
        )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return made


def opened(url: str, folder: Path) -> Flask:
    with patch.dict(os.environ, environment(folder, DATABASE_URL=url), clear=True):
        return create_app()


def _multiply(connection: "psycopg.Connection[Any]", name: str, times: int) -> None:
    """Each row of the table so many times over, inside the server: what names something gets a number."""
    table = Base.metadata.tables[name]
    row = connection.execute(f"SELECT * FROM {name} LIMIT 1".encode()).fetchone()
    assert row
    shared = connection.execute(
        b"SELECT issuer_id, (SELECT price_list_id FROM subscription LIMIT 1) FROM account LIMIT 1"
    )
    kept = set(shared.fetchone() or ())
    columns = {}
    for column, value in zip([column.name for column in table.columns], row, strict=True):
        if column == "id" and not isinstance(value, str):
            continue  # the database numbers it
        if isinstance(value, str) and value not in kept and NAME.fullmatch(value):
            columns[column] = (
                f"'x' || lpad(to_hex(n), 5, '0') || substr({column}, 7)" if len(value) == 20 else f"n || {column}"
            )
        else:
            columns[column] = column
    connection.execute(
        f"INSERT INTO {name} ({', '.join(columns)}) SELECT {', '.join(columns.values())} "
        f"FROM {name} AS one, generate_series(1, {times}) AS n".encode()
    )


# Clients.


Answer = tuple[int, str, str]


class Client:
    """One browser, that tries again what failed, as its owner would."""

    def __init__(self, address: str, owner: Owner | None = None, seats: int = 0) -> None:
        self.address, self.owner, self.seats, self.told = address, owner, seats, Told()
        self.connection: HTTPConnection | None = None

    def ask(
        self, method: str, path: str, form: dict[str, str] | None = None, part: bool = False
    ) -> tuple[int, str, str]:
        """Status, where it leads to, and the page; a fault that no retry heals is noted, and answered with 0."""
        said = ""
        for _ in range(RETRIES):
            try:
                answer = self._once(method, path, form, PARTIAL if part else {})
                if answer[0] < 500:
                    return answer
                said = str(answer[0])
            except (OSError, HTTPException) as fault:
                said = type(fault).__name__
            self._close()
            self.told.retried += 1
            sleep(PAUSE)
        self.told.faults.append(f"{said} at {method} {path}")
        return 0, "", ""

    def _once(
        self, method: str, path: str, form: dict[str, str] | None, headers: dict[str, str]
    ) -> tuple[int, str, str]:
        if self.connection is None:
            self.connection = HTTPConnection(self.address, timeout=30)
        body = None if form is None else urlencode(form)
        if self.owner:
            headers = {"Cookie": self.owner.cookie, **headers}
        if body is not None:
            headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        text = response.read()
        plain = text.decode() if "Content-Encoding" not in response.headers else ""
        return response.status, urlsplit(response.headers.get("Location", "")).path, plain

    def _close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def pay(self) -> None:
        """From the stepper to the receipt: a seat is added, which can be done again and again."""
        assert self.owner
        self.seats += 1
        csrf, here = {"csrf_token": self.owner.csrf}, f"/subscriptions/{self.owner.subscription}/add"
        _, payment, _ = self.ask("POST", here, {"seats": str(self.seats), **csrf})
        if not payment.endswith("/payment"):
            return
        self.ask("POST", payment, {"card": self.owner.card, **csrf})
        _, receipt, _ = self.ask("POST", payment.replace("/payment", "/pay"), {"attempt": "1", **csrf})
        if receipt.endswith("/receipt"):
            self.told.receipts.append(receipt.split("/")[-2])


def signed_in(address: str, made: Made, email: str, subscription: str, account: str, card: str) -> Owner:
    client = Client(address)
    cookies: dict[str, str] = {}
    _, _, page = _with_cookies(client, cookies, "GET", "/sign-in")
    form = {"csrf_token": token(page), "email": email, "password": made.password}
    status, _, _ = _with_cookies(client, cookies, "POST", "/sign-in", form)
    assert status == 303, status
    _, _, page = _with_cookies(client, cookies, "GET", "/subscriptions")
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return Owner(subscription, account, card, cookie, token(page))


def _with_cookies(
    client: Client, cookies: dict[str, str], method: str, path: str, form: dict[str, str] | None = None
) -> tuple[int, str, str]:
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    connection = HTTPConnection(client.address, timeout=30)
    headers = {"Cookie": cookie, **({"Content-Type": "application/x-www-form-urlencoded"} if form else {})}
    connection.request(method, path, urlencode(form) if form else None, headers)
    response = connection.getresponse()
    for header in response.headers.get_all("Set-Cookie") or []:
        name, _, value = header.partition(";")[0].partition("=")
        cookies[name] = value
    answer = response.status, response.headers.get("Location", ""), response.read().decode()
    connection.close()
    return answer


def owners(portal: Sandbox, made: Made, url: str, count: int) -> list[Owner]:
    query = (
        "SELECT owner.email, subscription.id, subscription.account_id, card.id FROM owner "
        "JOIN subscription USING (account_id) JOIN card USING (account_id) ORDER BY owner.email LIMIT %s"
    )
    with psycopg.connect(url) as connection:
        rows = connection.execute(query.encode(), (count,)).fetchall()
    address = portal.url.removeprefix("http://")
    return [signed_in(address, made, *row) for row in rows]


def browse(address: str, mine: Sequence[Owner], seed: int, rate: float, seconds: float) -> Told:
    """Pages, fragments and purchases: so many a second, or (0) one after the other. In a process of its own.

    An owner does one thing at a time and keeps no other owner waiting. `seed`: each hundred is a phase, which begins
    above the seats that the ones before can have reached.
    """
    chance, idle, start, asked = Random(seed), SimpleQueue[Client](), perf_counter(), 0
    clients = [Client(address, owner, seats=20 + 500 * (seed // 100)) for owner in mine]
    for client in clients:
        idle.put(client)
    with ThreadPoolExecutor(len(clients)) as pool:
        while (now := perf_counter() - start) < seconds:
            due = asked / rate if rate else now
            if due > now:
                sleep(due - now)
            job = pool.submit(visit, idle, chance.random(), chance.random(), start + due)
            if not rate:
                job.result()
            asked += 1
    return sum_of([client.told for client in clients])


def visit(idle: "SimpleQueue[Client]", what: float, which: float, due: float) -> None:
    client = idle.get()
    assert client.owner
    here = f"/subscriptions/{client.owner.subscription}"
    if what < 0.05:
        client.pay()  # three requests, which are not among the times
    elif what < 0.6:
        client.ask("GET", f"{here}/renew?seats={12 + int(which * 48)}", part=True)
        client.told.fragments.append((perf_counter() - due) * 1000)
    else:
        pages = ("/subscriptions", "/billing", here, "/billing/invoices")
        client.ask("GET", pages[int(which * len(pages))])
        client.told.pages.append((perf_counter() - due) * 1000)
    idle.put(client)


def sum_of(parts: Iterable[Told]) -> Told:
    total = Told()
    for part in parts:
        total.fragments += part.fragments
        total.pages += part.pages
        total.retried += part.retried
        total.faults += part.faults
        total.receipts += part.receipts
    return total


def load(pool: ProcessPoolExecutor, portal: Sandbox, mine: list[Owner], size: Size, rate: float) -> Told:
    """All clients at once; `rate` is of all together, 0: as fast as answers come."""
    address, count = portal.url.removeprefix("http://"), size.clients
    shares = [mine[number::count] for number in range(count)]
    seeds = range(100 * next(PHASES), 200_000)
    return sum_of(pool.map(browse, [address] * count, shares, seeds, [rate / count] * count, [size.seconds] * count))


# What is done meanwhile.


@contextmanager
def every(lapse: float, act: Any) -> Iterator[list[int]]:
    """Does it again and again until the block ends; how often."""
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
    """How many acknowledged payments the database does not know; AssertionError where an account is not sound."""
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
    """Captures are invoices, one for a quote, as charged. The numbers are shared by all accounts here."""
    rows = invariants.read(account)
    captured = {row.key: row.amount for row in rows.paid if row.state == "captured"}
    waiting = {row.key for row in rows.paid if row.state == "pending"}
    assert {row.payment_key: row.total for row in rows.invoices if row.payment_key} == captured
    charged = {row.key: row.amount for row in rows.charges if row.state == "captured"}
    assert {key: amount for key, amount in charged.items() if key not in waiting} == captured


# The report.


def row(what: str, value: str, aim: str = "") -> None:
    print(f"  {what:<62}{value:>34}   {aim}".rstrip(), flush=True)


def p99(times: Sequence[float]) -> float:
    return quantiles(times, n=100)[98] if len(times) > 1 else 0.0


def measure(url: str, made: Made, size: Size, folder: Path) -> list[str]:
    """Prints, and gives what was wrong: payments that were lost, and faults that stayed."""
    wrong: list[str] = []
    app = opened(url, folder)
    for processes in size.processes:
        settings = {"WORKERS": str(processes), "DATABASE_URL": url, "INSTANCE_DIR": str(folder)}
        with ExitStack() as stack:
            pool = stack.enter_context(ProcessPoolExecutor(size.clients))
            portal = stack.enter_context(running_portal(**settings))
            mine = owners(portal, made, url, size.owners)
            alone = replace(size, clients=1, seconds=size.seconds / 2)
            idle = load(pool, portal, mine, alone, 0)
            light, heavy = median(idle.fragments), median(idle.pages)
            busy = load(pool, portal, mine, size, 0)
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
                    told = load(pool, portal, mine, size, full / 2)
                lost = check(app, mine, told.receipts)
                wrong += told.faults + [f"{lost} payments lost"] * bool(lost)
                ends = p99(told.fragments), p99(told.pages)
                seen = f"{ends[0]:.0f} ms {ends[0] / light:.1f}  {ends[1]:.0f} ms {ends[1] / heavy:.1f}"
                said = f"{len(told.receipts)} paid, {lost} lost, {told.retried} retried, {len(told.faults)} not healed"
                row(f"  {name} ({times[0]} times): p99 ÷ idle p50", seen, ("aim ≤ 8   " if times == [0] else "") + said)
    return wrong


def roll_over(url: str, size: Size, folder: Path) -> list[str]:
    """Prints how many subscriptions a second so many processes roll over together, of all that they look at."""
    wrong, due = [], min(size.due, size.subscriptions)
    for processes in size.processes:
        copy = new_postgresql(database_name(url))
        command = [sys.executable, "-m", "flask", "--app", "webapp", "roll-over"]
        env, start = environment(folder, DATABASE_URL=copy), perf_counter()
        subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, check=True)
        first = perf_counter() - start
        with psycopg.connect(copy) as connection:  # their day comes
            which = "(SELECT id FROM subscription ORDER BY id LIMIT %s)"
            for table, column, key in (("subscription", "anchor", "id"), ("quiet", "until", "subscription_id")):
                sooner = f"UPDATE {table} SET {column} = {column} - 31 WHERE {key} IN {which}"
                connection.execute(sooner.encode(), (due,))
        start = perf_counter()
        sweeps = [subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL) for _ in range(processes)]
        failed = sum(sweep.wait() != 0 for sweep in sweeps)
        took = perf_counter() - start
        with psycopg.connect(copy) as connection:
            found = connection.execute(b"SELECT count(*) FROM invoice WHERE payment_key IS NOT NULL").fetchone()
        renewed = found[0] if found else 0
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
        wrong = roll_over(url, size, folder)
        return wrong + measure(url, made, size, folder)


if __name__ == "__main__":
    for fault in sorted(set(report(Size.from_environment()))):
        print(f"  WRONG: {fault}")
