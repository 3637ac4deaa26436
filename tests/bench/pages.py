"""`make bench`: each kind of page beside a bare route on the same server, one request at a time on a kept connection.

Pages take turns, so that the machine's load affects all of them: the ratios are medians of rounds. The processor's time
is that of the web process, as the kernel counts it. PAGES_ROUNDS and PAGES_REQUESTS (of each page in a round) make it
shorter or longer.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter
from unittest.mock import patch
from urllib.parse import urlencode, urlsplit

from flask import Flask
from flask.testing import FlaskClient

from e2e.portal import Sandbox, environment, running_portal, token
from tests.bench.bare import running_bare
from tests.bench.sizes import number
from tests.support.browsing import Browser
from tests.support.world import statements
from webapp import create_app
from webapp.operation.serving import serve

THREADS = next(str(option.default) for option in serve.params if option.name == "threads")
ROUNDS, REQUESTS = number("PAGES_ROUNDS", 11), number("PAGES_REQUESTS", 20)
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
TICK = os.sysconf("SC_CLK_TCK")
FORMS = 60  # that one visitor sends of a kind
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Visitor:
    """A signed-in owner on one kept connection; `account` is what the sandbox made."""

    def __init__(self, portal: Sandbox, scenario: str) -> None:
        self.account = portal.account(scenario)
        browser = Browser(portal, self.account)
        self.cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.jar)
        self.csrf = token(browser.get("/subscriptions")[1])
        self.here = f"/subscriptions/{self.account['subscriptions']['business']}"
        self.connection = connect(portal)

    def ask(self, path: str, form: dict[str, str] | None = None, part: bool = False) -> str:
        """The page, or the path that a redirect leads to."""
        headers = {"Cookie": self.cookie, **(PARTIAL if part else {})}
        if form is None:
            return ask(self.connection, "GET", path, headers)
        return ask(self.connection, "POST", path, headers | FORM, urlencode({"csrf_token": self.csrf, **form}))


class Visitors:
    """One after the other, as each may send only so many forms an hour."""

    def __init__(self, portal: Sandbox) -> None:
        self.portal, self.uses = portal, 0

    def next(self) -> Visitor:
        if self.uses % FORMS == 0:
            self.current = Visitor(self.portal, "business")
        self.uses += 1
        return self.current


@dataclass
class Page:
    """A row of the table. `ready` comes before each request, untimed: it returns the path to ask for."""

    name: str
    aim: float
    aimed_statements: int | None
    visitors: "Visitor | Visitors | None"
    path: str = ""
    ready: Callable[[], str] | None = None
    form: dict[str, str] | None = None
    part: bool = False
    walls: list[float] = field(default_factory=list)  # ms, the median of each round
    ratios: list[float] = field(default_factory=list)
    ticks: int = 0
    requests: int = 0

    @property
    def visitor(self) -> Visitor | None:
        return self.visitors.current if isinstance(self.visitors, Visitors) else self.visitors


def connect(server: Sandbox) -> HTTPConnection:
    return HTTPConnection(server.url.removeprefix("http://"), timeout=30)


def ask(connection: HTTPConnection, method: str, path: str, headers: dict[str, str], body: str | None = None) -> str:
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    content = response.read()
    if response.status not in (200, 303):
        raise RuntimeError(f"{response.status} at {method} {path}: {content.decode()[:2000]}")
    return urlsplit(response.headers["Location"]).path if response.status == 303 else content.decode()


def web_process(server: Sandbox) -> int:
    """The process that answers: the only child of `serve`, or the server itself."""
    pid = server.server.pid
    for other in filter(str.isdigit, os.listdir("/proc")):
        try:
            after_name = Path(f"/proc/{other}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(after_name[1]) == pid:
            return int(other)
    return pid


def ticks(process: int) -> int:
    after_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(after_name[11]) + int(after_name[12])


def measure(page: Page, connection: HTTPConnection, process: int, warming: bool) -> float:
    """The median of a round, in ms."""
    times = []
    begun = ticks(process)
    for _ in range(REQUESTS):
        path = page.path
        if page.ready:
            path = page.ready()
            begun = ticks(process)
        start = perf_counter()
        if page.visitor:
            page.visitor.ask(path, page.form, page.part)
        else:
            ask(connection, "GET", path, {})
        times.append((perf_counter() - start) * 1000)
        if page.ready and not warming:
            page.ticks += ticks(process) - begun
    if not warming:
        page.requests += REQUESTS
        page.ticks += 0 if page.ready else ticks(process) - begun
    return median(times)


def pages(portal: Sandbox) -> list[Page]:
    """The rows, in the order of the table; the bare route first."""
    one, many = Visitor(portal, "business"), Visitor(portal, "many-invoices")
    cancelling, paying = Visitors(portal), Visitors(portal)

    def not_cancelled() -> str:
        owner = cancelling.next()
        undo = owner.ask("/subscriptions").partition("/undo-cancellation/")[2].partition('"')[0]
        if undo:
            owner.ask(f"{owner.here}/undo-cancellation/{undo}", {"understood": "y"})
        return f"{owner.here}/cancel"

    seats = count(13)

    def chosen() -> str:
        owner = paying.next()
        payment = owner.ask(f"{owner.here}/add", {"seats": str(next(seats))})
        return owner.ask(payment, {"card": owner.account["cards"][0]}).replace("/overview", "/pay")

    return [
        Page("a bare route", 1, 0, None, "/bare"),
        Page("a page without data", 2, 1, one, "/accessibility"),
        Page("cost fragment", 1.5, 2, one, f"{one.here}/renew?seats=14", part=True),
        Page("Abonnements, one subscription", 4, 3, one, "/subscriptions"),
        Page("subscription's page", 7, 5, one, one.here),
        Page("invoices, 50 of 120 rows", 5.5, 2, many, "/billing/invoices"),
        Page("Paiement et facturation", 5, 4, one, "/billing"),
        Page("stepper's page", 5, 4, one, f"{one.here}/renew"),
        Page("confirm a cancellation", 12, None, cancelling, ready=not_cancelled, form={"understood": "y"}),
        Page("Pay, sandbox gateway", 25, None, paying, ready=chosen, form={"attempt": "1"}),
    ]


def counted(app: Flask, page: Page) -> int:
    """The statements of a second request, without our own BEGIN."""
    client = app.test_client(use_cookies=False)
    for _ in range(2):
        path = page.ready() if page.ready else page.path
        with app.app_context(), statements() as sent:
            answer(client, page, path)
    return len(sent)


def answer(client: FlaskClient, page: Page, path: str) -> None:
    assert page.visitor
    headers = {"Cookie": page.visitor.cookie, **(PARTIAL if page.part else {})}
    form = None if page.form is None else {"csrf_token": page.visitor.csrf, **page.form}
    answered = client.open(path, method="GET" if form is None else "POST", headers=headers, data=form)
    assert answered.status_code in (200, 303), answered.text


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        shared = {"INSTANCE_DIR": str(folder), "DATABASE_URL": f"sqlite:///{folder / 'portal.sqlite3'}"}
        portal = stack.enter_context(running_portal(WORKERS="1", THREADS=THREADS, **shared))
        peer = stack.enter_context(running_bare(folder, THREADS))
        rows, connection = pages(portal), stack.enter_context(closing(connect(peer)))
        bare, processes = rows[0], (web_process(peer), web_process(portal))
        for turn in range(ROUNDS + 1):
            for page in rows:
                wall = measure(page, connection, processes[page is not bare], warming=turn == 0)
                if turn:
                    page.walls.append(wall)
                    page.ratios.append(wall / bare.walls[-1])
        with patch.dict(os.environ, environment(folder, **shared), clear=True):
            app = create_app({"WTF_CSRF_ENABLED": False, "SERVER_NAME": None})
        report(app, rows)


def report(app: Flask, rows: list[Page]) -> None:
    print(f"Pages beside a bare route, {ROUNDS} × {REQUESTS} requests: ms, the processor's ms, and ÷ those of the bare")
    of_bare = max(rows[0].ticks, 1) / TICK / rows[0].requests * 1000
    for page in rows:
        cpu = page.ticks / TICK / page.requests * 1000
        sent = counted(app, page) if page.visitor else 0
        times = f"{median(page.walls):7.2f}{cpu:8.2f}{median(page.ratios):8.1f}{cpu / of_bare:8.1f}"
        aims = "" if page.visitor is None else f"   aim ≤ {page.aim:g}; statements {sent}"
        aims += "" if page.aimed_statements is None or page.visitor is None else f", aim ≤ {page.aimed_statements}"
        print(f"  {page.name:<32}{times}{aims}", flush=True)


if __name__ == "__main__":
    main()
