"""The clients of the load bench: signed-in owners who read pages, ask for costs and pay."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count as count_from
from queue import SimpleQueue
from random import Random
from time import perf_counter, sleep
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import psycopg

from e2e.portal import Sandbox, token
from tests.bench.load_data import Size
from webapp.sandbox.scenarios import Made

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial", "Accept-Encoding": "br, gzip"}
RETRIES, PAUSE = 40, 0.25  # seconds between two retries: ten seconds in all
PHASES = count_from(0)


@dataclass(frozen=True)
class Owner:
    """A signed-in owner: what the requests need."""

    subscription: str
    account: str
    card: str
    cookie: str
    csrf: str


@dataclass
class Seen:
    """What clients saw: latencies in ms since the request was due, faults that no retry healed, receipts, answers."""

    fragments: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    retried: int = 0
    faults: list[str] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    answers: int = 0


Answer = tuple[int, str, str]


class Client:
    """One browser that retries what failed, as its owner would."""

    def __init__(self, address: str, owner: Owner | None = None, seats: int = 0) -> None:
        self.address, self.owner, self.seats, self.seen = address, owner, seats, Seen()
        self.connection: HTTPConnection | None = None

    def ask(
        self, method: str, path: str, form: dict[str, str] | None = None, part: bool = False
    ) -> tuple[int, str, str]:
        """The status, the redirect's address and the page; status 0 after a fault that no retry healed."""
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
            self.seen.retried += 1
            sleep(PAUSE)
        self.seen.faults.append(f"{said} at {method} {path}")
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
        self.seen.answers += 1
        plain = text.decode() if "Content-Encoding" not in response.headers else ""
        return response.status, urlsplit(response.headers.get("Location", "")).path, plain

    def _close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def pay(self) -> None:
        """Adds a seat, from the stepper to the receipt; this can be repeated without end."""
        assert self.owner
        self.seats += 1
        csrf, here = {"csrf_token": self.owner.csrf}, f"/subscriptions/{self.owner.subscription}/add"
        _, payment, _ = self.ask("POST", here, {"seats": str(self.seats), **csrf})
        if not payment.endswith("/payment"):
            return
        self.ask("POST", payment, {"card": self.owner.card, **csrf})
        _, receipt, _ = self.ask("POST", payment.replace("/payment", "/pay"), {"attempt": "1", **csrf})
        if receipt.endswith("/receipt"):
            self.seen.receipts.append(receipt.split("/")[-2])


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
        "SELECT member.email, subscription.id, subscription.account_id, card.id FROM member "
        "JOIN subscription USING (account_id) JOIN card USING (account_id) ORDER BY member.email LIMIT %s"
    )
    with psycopg.connect(url) as connection:
        rows = connection.execute(query.encode(), (count,)).fetchall()
    address = portal.url.removeprefix("http://")
    return [signed_in(address, made, *row) for row in rows]


def browse(address: str, mine: Sequence[Owner], seed: int, rate: float, seconds: float) -> Seen:
    """Pages, fragments and purchases at `rate` a second; 0: one after the other. Runs in its own process.

    An owner does one thing at a time, without keeping other owners waiting. Each hundred of `seed` is a phase; its
    numbers of seats begin above those that earlier phases can have reached.
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
    return sum_of([client.seen for client in clients])


def visit(idle: "SimpleQueue[Client]", what: float, which: float, due: float) -> None:
    client = idle.get()
    assert client.owner
    here = f"/subscriptions/{client.owner.subscription}"
    if what < 0.05:
        client.pay()  # its three requests are not timed
    elif what < 0.6:
        client.ask("GET", f"{here}/renew?seats={12 + int(which * 48)}", part=True)
        client.seen.fragments.append((perf_counter() - due) * 1000)
    else:
        pages = ("/subscriptions", "/billing", here, "/billing/invoices")
        client.ask("GET", pages[int(which * len(pages))])
        client.seen.pages.append((perf_counter() - due) * 1000)
    idle.put(client)


def sum_of(parts: Iterable[Seen]) -> Seen:
    total = Seen()
    for part in parts:
        total.fragments += part.fragments
        total.pages += part.pages
        total.retried += part.retried
        total.faults += part.faults
        total.receipts += part.receipts
        total.answers += part.answers
    return total


def counted(portal: Sandbox, token: str) -> int:
    """How many requests the portal's metrics have counted."""
    request = Request(f"{portal.url}/metrics", headers={"Authorization": f"Bearer {token}"})
    with urlopen(request, timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return sum(int(float(line.rpartition(" ")[2])) for line in lines if line.startswith("portal_requests_total{"))


def load(pool: ProcessPoolExecutor, portal: Sandbox, mine: list[Owner], size: Size, rate: float) -> Seen:
    """All clients at once; `rate` is their total, and 0 means as fast as answers come."""
    address, count = portal.url.removeprefix("http://"), size.clients
    shares = [mine[number::count] for number in range(count)]
    seeds = range(100 * next(PHASES), 200_000)
    return sum_of(pool.map(browse, [address] * count, shares, seeds, [rate / count] * count, [size.seconds] * count))
