"""`make bench`: what the cost fragment, asked at every click, costs; numbers beside their aims, and no verdict."""

import os
import re
import subprocess
import sys
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

from flask import Flask, render_template, request
from flask.testing import FlaskClient
from jinja2 import DictLoader
from sqlalchemy import event
from werkzeug.test import create_environ, run_wsgi_app

from e2e.portal import ROOT, Sandbox, environment, free_port, running_portal, token
from tests.world import quoted, subscription
from webapp import create_app, service
from webapp.db import db
from webapp.rsgi import Front
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.serving import serve
from webapp.views import stepper

SERVED = {str(option.name): str(option.default) for option in serve.params}  # as `make run` serves
WORKERS, THREADS = SERVED["workers"], SERVED["threads"]
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
COMPRESSED = {"Accept-Encoding": "br, gzip"}
ROUNDS, REQUESTS, WARM_UP, CALLS = 5, 600, 100, 2000
CLIENTS, SLICES, SLICE = 4, 5, 1.0  # seconds; servers take turns, so that a slow moment of the machine hits them all
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
    """Milliseconds, over a connection that is kept."""
    start = perf_counter()
    get(server, asked.path, asked.headers)
    return (perf_counter() - start) * 1000


def p50_p99(times: Sequence[float]) -> tuple[float, float]:
    found = quantiles(times, n=100)
    return found[49], found[98]


# The peer: what Flask and Jinja cost by themselves.


def peer(size: int = 0) -> Flask:
    """Answers every path with as many bytes as the fragment has."""
    app = Flask("peer")
    size = size or int(os.environ["PEER_BYTES"])
    frame = "<p>{{ seats }} {{ path }}</p>"
    app.jinja_loader = DictLoader({"peer.html": frame + "{{ rest }}" + "." * (size // 2)})

    @app.get("/<path:path>")
    def page(path: str) -> str:
        seats = request.args.get("seats", "0")
        rest = size - size // 2 - len(f"<p>{seats} {path}</p>")
        return render_template("peer.html", seats=seats, path=path, rest="." * rest)

    return app


def served_peer() -> Front:
    return Front(peer(), int(THREADS))


@contextmanager
def running_peer(size: int, folder: Path) -> Iterator[Sandbox]:
    """In processes of its own, served as the portal is."""
    port = str(free_port())
    options = {"interface": "rsgi", "port": port, "workers": WORKERS, "log-level": "warning"}
    command = [sys.executable, "-m", "granian", "--factory", "tests.bench:served_peer"]
    command += [f"--{name}={value}" for name, value in options.items()]
    env = environment(folder, PEER_BYTES=str(size))
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
        try:
            found = Sandbox(f"http://127.0.0.1:{port}", folder, dict(os.environ))
            found.wait(server)
            yield found
        finally:
            server.terminate()
            server.wait(20)


def connect(server: Sandbox) -> HTTPConnection:
    return HTTPConnection(server.url.removeprefix("http://"), timeout=30)


def compare(portal: Sandbox, bare: Sandbox, asked: Asked) -> None:
    """Both are asked in turn within one run, so that the machine's moods cancel out in the ratio."""
    rounds = [_round(portal, bare, asked) for _ in range(ROUNDS)]
    for index, (name, aim) in enumerate((("p50", "1.5"), ("p99", "2.5"))):
        ours, theirs = (median(found[who][index] for found in rounds) for who in (0, 1))
        ratio = median(found[0][index] / found[1][index] for found in rounds)
        row(f"{name}: fragment, peer, ratio", f"{ours:.2f} ms  {theirs:.2f} ms  {ratio:.2f}", f"aim ≤ {aim}")


def _round(portal: Sandbox, bare: Sandbox, asked: Asked) -> tuple[tuple[float, float], tuple[float, float]]:
    with closing(connect(portal)) as ours, closing(connect(bare)) as theirs:
        pairs = [(timed(ours, asked), timed(theirs, asked)) for _ in range(WARM_UP + REQUESTS)][WARM_UP:]
    return p50_p99([pair[0] for pair in pairs]), p50_p99([pair[1] for pair in pairs])


# Where the time goes, in process.


def whole(app: Flask, asked: Asked) -> float:
    """Microseconds of one request, on average, with no network and no server."""
    environ = create_environ(asked.path, headers=asked.headers)
    for _ in range(WARM_UP):
        assert run_wsgi_app(app, environ, buffered=True)[1] == "200 OK"
    start = perf_counter()
    for _ in range(CALLS):
        run_wsgi_app(app, environ, buffered=True)
    return (perf_counter() - start) / CALLS * 1e6


def pieces(app: Flask, asked: Asked) -> dict[str, float]:
    """The same of each part, timed inside whole requests: by itself, a part runs on what the one before has cached."""
    with app.app_context():
        dialect = db.engine.dialect
    parts: dict[str, tuple[object, str]] = {
        "session cookie": (app.session_interface, "open_session"),
        "identify with its query, CSRF": (app, "preprocess_request"),
        "cost with its query": (service, "cost"),
        "template, kept once rendered": (stepper, "_rendered"),
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
    found = {name: taken / (CALLS + WARM_UP) * 1e6 for name, taken in spent.items()}
    top = sum(taken for name, taken in found.items() if not name.startswith("of these"))
    return {**found, "the rest: routing, contexts, the view": total - top}


def break_down(app: Flask, asked: Asked, size: int) -> None:
    bare, fragment, parts = whole(peer(size), asked), whole(app, asked), pieces(app, asked)
    row("bare route", f"{bare:.0f} µs")
    row("fragment", f"{fragment:.0f} µs", f"ratio {fragment / bare:.1f}")
    for name, taken in parts.items():
        row(f"  {name}", f"{taken:.0f} µs")


# Statements and bytes.


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    """What was asked of the database. Our own BEGIN passes the event and is left out; COMMIT, ROLLBACK and the
    PRAGMAs of a new connection go straight to the driver and never pass it."""
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
    stepper = f"/subscriptions/{subscription(made)}/renew"
    overview = f"{stepper}/{quoted(app, made)}/overview"
    pages = {"cost fragment": asked.path, "subscriptions": "/subscriptions", "stepper": stepper, "overview": overview}
    for name, path in pages.items():
        with statements(app) as counted:
            status = client.get(path, headers=PARTIAL if path == asked.path else {}).status_code
        aim = "aim ≤ 2" if path == asked.path else ""
        row(name, str(len(counted)) if status == 200 else f"answered {status}", aim)


def fetched(server: Sandbox, asked: Asked) -> tuple[int, int]:
    """Bytes of the answer's body and of the whole answer, compressed where the portal compresses."""
    with closing(connect(server)) as connection:
        response, body = get(connection, asked.path, asked.headers)
    headers = "".join(f"{name}: {value}\r\n" for name, value in response.getheaders())
    return len(body), len("HTTP/1.1 200 OK\r\n") + len(headers) + len("\r\n") + len(body)


def first_view(portal: Sandbox, client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    """A browser's first visit: the page and every file that its HTML names."""
    files = [unescape(found) for found in RESOURCE.findall(client.get(path).text)]
    sent = sum(fetched(portal, Asked(address, headers))[1] for address in (path, *files))
    row(f"{path}: bytes, requests", f"{sent / 1000:.1f} kB  {1 + len(files)}", "aim ≤ 30 kB, ≤ 5")


# Threads.


def hammer(server: Sandbox, asked: Asked) -> list[float]:
    """One client for one slice; it connects anew now and then, as a connection stays with one worker."""
    end, times = perf_counter() + SLICE, list[float]()
    while perf_counter() < end:
        with closing(connect(server)) as connection:
            connection.connect()
            for _ in range(25):
                times.append(timed(connection, asked))
                if perf_counter() >= end:
                    break
    return times


def try_threads(portals: dict[str, Sandbox], asked: Asked) -> None:
    slices: dict[str, list[list[float]]] = {threads: [] for threads in portals}
    with ProcessPoolExecutor(CLIENTS) as pool:  # processes: a client must not wait for another client's lock
        for _ in range(SLICES + 1):
            for threads, portal in portals.items():
                found = pool.map(hammer, [portal] * CLIENTS, [asked] * CLIENTS)
                slices[threads].append([taken for times in found for taken in times])
    for threads, (_warm_up, *measured) in slices.items():
        rate, p99 = median(len(times) / SLICE for times in measured), median(p50_p99(times)[1] for times in measured)
        row(f"{threads} threads", f"{rate:.0f} requests/s  {p99:.1f} ms", "the default" if threads == THREADS else "")


def sign_in(app: Flask, made: Made) -> FlaskClient:
    """Through the form, with its CSRF token."""
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


def report(app: Flask, portals: dict[str, Sandbox], stack: ExitStack, folder: Path) -> None:
    with app.app_context():
        made = scenarios.make("both")
    client = sign_in(app, made)
    asked, portal = ask(app, client, made), portals[THREADS]
    size, sent = fetched(portal, asked)
    bare = stack.enter_context(running_peer(size, folder))
    assert fetched(bare, asked)[0] == size

    print(f"Cost fragment and a bare route, {WORKERS} workers × {THREADS} threads, {ROUNDS} × {REQUESTS} requests each")
    compare(portal, bare, asked)
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
        portals = {  # one database and one secret for all, so that one session is good everywhere
            threads: stack.enter_context(running_portal(WORKERS=WORKERS, THREADS=threads, **shared))
            for threads in sorted({"1", "2", "4", THREADS}, key=int)
        }
        with patch.dict(os.environ, environment(folder, **shared), clear=True):
            app = create_app()
        report(app, portals, stack, folder)


if __name__ == "__main__":
    main()
