"""`make bench`: the time, queries and bytes of the cost fragment, which is fetched at every click of + or −.

It prints numbers beside their aims and judges nothing. FRAGMENT_WARM_UP, FRAGMENT_CALLS, FRAGMENT_SLICES and
FRAGMENT_SLICE_MS make it shorter or longer. `tests.bench.pages` compares it with a bare route on the same server.
"""

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from html import unescape
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from unittest.mock import patch

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import create_environ, run_wsgi_app

from e2e.portal import Sandbox, environment, running_portal, token
from tests.bench.bare import bare
from tests.bench.sizes import number
from tests.support.world import quoted, subscription
from webapp import create_app
from webapp.db import db
from webapp.operation.serving import serve
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import cost as costs
from webapp.views import stepper as steppers

SERVED = {str(option.name): str(option.default) for option in serve.params}  # as `make run` serves
WORKERS, THREADS = SERVED["workers"], SERVED["threads"]
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
COMPRESSED = {"Accept-Encoding": "br, gzip"}
WARM_UP, CALLS = number("FRAGMENT_WARM_UP", 100), number("FRAGMENT_CALLS", 1000)
CLIENTS, SLICES = 4, number("FRAGMENT_SLICES", 5)  # servers take turns, so a slow moment of the machine hits all
SLICE = number("FRAGMENT_SLICE_MS", 1000) / 1000  # seconds
RESOURCE = re.compile(r'<(?:link|script|img)\b[^>]*?\b(?:href|src)="(?!data:)([^"]+)"')


@dataclass(frozen=True)
class Asked:
    """The signed-in request for the cost fragment."""

    path: str
    headers: dict[str, str]


def row(what: str, value: str, aim: str = "") -> None:
    print(f"  {what:<50}{value:>26}   {aim}".rstrip(), flush=True)


def get(server: HTTPConnection, path: str, headers: dict[str, str]) -> tuple[HTTPResponse, bytes]:
    server.request("GET", path, headers=headers)
    response = server.getresponse()
    body = response.read()
    if response.status != 200:
        raise RuntimeError(f"{response.status} at {path}")
    return response, body


def timed(server: HTTPConnection, asked: Asked) -> float:
    """Milliseconds of one request over an open connection."""
    start = perf_counter()
    get(server, asked.path, asked.headers)
    return (perf_counter() - start) * 1000


def p50_p99(times: Sequence[float]) -> tuple[float, float]:
    percentiles = quantiles(times, n=100)
    return percentiles[49], percentiles[98]


def connect(url: str) -> HTTPConnection:
    return HTTPConnection(url.removeprefix("http://"), timeout=30)


# Where the time goes inside the process.
def whole(app: Flask, asked: Asked) -> float:
    """Average microseconds of one request, without network and server."""
    environ = create_environ(asked.path, headers=asked.headers)
    for _ in range(WARM_UP):
        assert run_wsgi_app(app, environ, buffered=True)[1] == "200 OK"
    start = perf_counter()
    for _ in range(CALLS):
        run_wsgi_app(app, environ, buffered=True)
    return (perf_counter() - start) / CALLS * 1e6


def pieces(app: Flask, asked: Asked) -> dict[str, float]:
    """Average microseconds of each part, timed inside whole requests, as parts share caches."""
    with app.app_context():
        dialect = db.engine.dialect
    parts: dict[str, tuple[object, str]] = {
        "session cookie": (app.session_interface, "open_session"),
        "identify with its query, CSRF": (app, "preprocess_request"),
        "cost with its query": (costs, "cost"),
        "template, kept once rendered": (steppers, "_rendered"),
        "headers, compression": (app, "process_response"),
        "end of the database session": (app, "do_teardown_appcontext"),
        "of these: the 2 statements, by SQLAlchemy": (db.session, "execute"),
        "of these: they and BEGIN, by the driver": (dialect, "do_execute"),
    }
    spent = dict.fromkeys(parts, 0.0)

    def watch(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def watched(*given: object, **named: object) -> object:
            start = perf_counter()
            try:
                return call(*given, **named)
            finally:
                spent[name] += perf_counter() - start

        return watched

    with ExitStack() as stack:
        for name, (owner, attribute) in parts.items():
            stack.enter_context(patch.object(owner, attribute, watch(name, getattr(owner, attribute))))
        total = whole(app, asked)
    means = {name: taken / (CALLS + WARM_UP) * 1e6 for name, taken in spent.items()}
    top = sum(taken for name, taken in means.items() if not name.startswith("of these"))
    return {**means, "the rest: routing, contexts, the view": total - top}


def break_down(app: Flask, asked: Asked, size: int) -> None:
    alone, fragment, parts = whole(bare(size), asked), whole(app, asked), pieces(app, asked)
    row("bare route", f"{alone:.0f} µs")
    row("fragment", f"{fragment:.0f} µs", f"ratio {fragment / alone:.1f}")
    for name, taken in parts.items():
        row(f"  {name}", f"{taken:.0f} µs")


# Statements and bytes.
@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    """Collects the statements, without our own BEGIN. COMMIT, ROLLBACK and a new connection's PRAGMAs never
    pass the event."""
    asked: list[str] = []

    def heard(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            asked.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", heard)
    yield asked
    event.remove(engine, "before_cursor_execute", heard)


def count_statements(app: Flask, client: FlaskClient, asked: Asked, made: Made) -> None:
    start = f"/subscriptions/{subscription(made)}/renew"
    overview = f"{start}/{quoted(app, made)}/overview"
    pages = {"cost fragment": asked.path, "subscriptions": "/subscriptions", "stepper": start, "overview": overview}
    for name, path in pages.items():
        with statements(app) as counted:
            status = client.get(path, headers=PARTIAL if path == asked.path else {}).status_code
        aim = "aim ≤ 2" if path == asked.path else ""
        row(name, str(len(counted)) if status == 200 else f"answered {status}", aim)


def fetched(server: Sandbox, asked: Asked) -> tuple[int, int]:
    """Bytes of the body and of the whole answer, compressed where the portal compresses."""
    with closing(connect(server.url)) as connection:
        response, body = get(connection, asked.path, asked.headers)
    headers = "".join(f"{name}: {value}\r\n" for name, value in response.getheaders())
    return len(body), len("HTTP/1.1 200 OK\r\n") + len(headers) + len("\r\n") + len(body)


def first_view(portal: Sandbox, client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    """A browser's first visit: the page and every file that its HTML names."""
    files = [unescape(address) for address in RESOURCE.findall(client.get(path).text)]
    sent = sum(fetched(portal, Asked(address, headers))[1] for address in (path, *files))
    row(f"{path}: bytes, requests", f"{sent / 1000:.1f} kB  {1 + len(files)}", "aim ≤ 30 kB, ≤ 5")


# Threads.
def hammer(url: str, asked: Asked) -> list[float]:
    """One client during one slice. It reconnects now and then, because a connection stays with one worker."""
    end, times = perf_counter() + SLICE, list[float]()
    while perf_counter() < end:
        with closing(connect(url)) as connection:
            connection.connect()
            for _ in range(25):
                times.append(timed(connection, asked))
                if perf_counter() >= end:
                    break
    return times


def try_threads(portals: dict[str, Sandbox], asked: Asked) -> None:
    slices: dict[str, list[list[float]]] = {threads: [] for threads in portals}
    with ProcessPoolExecutor(CLIENTS) as pool:  # processes, as threads would wait for each other's interpreter lock
        for _ in range(SLICES + 1):
            for threads, portal in portals.items():
                answers = pool.map(hammer, [portal.url] * CLIENTS, [asked] * CLIENTS)
                slices[threads].append([taken for times in answers for taken in times])
    for threads, (_warm_up, *measured) in slices.items():
        rate, p99 = median(len(times) / SLICE for times in measured), median(p50_p99(times)[1] for times in measured)
        row(f"{threads} threads", f"{rate:.0f} requests/s  {p99:.1f} ms", "the default" if threads == THREADS else "")


def sign_in(app: Flask, made: Made) -> FlaskClient:
    """Signs in through the form, with its CSRF token."""
    client = app.test_client()
    form = {"csrf_token": token(client.get("/sign-in").text), "email": made.email, "password": made.password}
    assert client.post("/sign-in", data=form).status_code == 303
    return client


def ask(app: Flask, client: FlaskClient, made: Made) -> Asked:
    name = app.config["SESSION_COOKIE_NAME"]
    cookie = client.get_cookie(name)
    assert cookie is not None
    headers = {**PARTIAL, **COMPRESSED, "Cookie": f"{name}={cookie.value}"}
    return Asked(f"/subscriptions/{subscription(made)}/renew?seats=14", headers)


def report(app: Flask, portals: dict[str, Sandbox]) -> None:
    with app.app_context():
        made = scenarios.make("both")
    client = sign_in(app, made)
    asked, portal = ask(app, client, made), portals[THREADS]
    size, sent = fetched(portal, asked)
    print("In process, mean")
    break_down(app, asked, size)
    print("SQL statements per request, BEGIN apart")
    count_statements(app, client, asked, made)
    print("Bytes, headers included")
    row("cost fragment: body, all", f"{size} B  {sent} B", "aim ≤ 1 kB")
    first_view(portal, app.test_client(), "/sign-in", COMPRESSED)
    first_view(portal, client, "/subscriptions", {**COMPRESSED, "Cookie": asked.headers["Cookie"]})
    print(f"Cost fragment, {CLIENTS} clients on the same processors, {WORKERS} workers: rate, p99")
    try_threads(portals, asked)


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        shared = {"INSTANCE_DIR": str(folder), "DATABASE_URL": f"sqlite:///{folder / 'portal.sqlite3'}"}
        portals = {  # they share a database and a secret, so one session works everywhere
            threads: stack.enter_context(running_portal(WORKERS=WORKERS, THREADS=threads, **shared))
            for threads in sorted({"1", "2", "4", THREADS}, key=int)
        }
        with patch.dict(os.environ, environment(folder, **shared), clear=True):
            app = create_app()
        report(app, portals)


if __name__ == "__main__":
    main()
