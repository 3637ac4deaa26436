"""`make bench`: what one client feels while others send slowly, say nothing or do not read; beside what it feels alone.

SLOW_SECONDS: how long each is measured.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from time import perf_counter

from e2e.portal import Sandbox, running_portal
from tests.bench.cost_fragment import connect, get, p50_p99, row
from tests.support.browsing import Browser

SECONDS = float(os.environ.get("SLOW_SECONDS", "15"))
BODIES, IDLE, UNREAD = 8, 128, 8
DRIP = 1.0  # seconds between two bytes of a body
YEAR = "/billing/invoices/2026.zip"
FORM = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 5000\r\n"


def cookies(browser: Browser) -> str:
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.jar)


def lines(portal: Sandbox, count: int, sent: str = "") -> list[socket.socket]:
    host, port = portal.url.removeprefix("http://").split(":")
    found = [socket.create_connection((host, int(port)), timeout=30) for _ in range(count)]
    for line in found:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.sendall(sent.encode())
    return found


@contextmanager
def attack(portal: Sandbox, owners: list[Browser]) -> Iterator[None]:
    """Bodies that drip, idle connections and archives that nobody reads, each renewed when the server ends it."""
    body = f"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\n{FORM}\r\n"
    archives = [f"GET {YEAR} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies(owner)}\r\n\r\n" for owner in owners]
    kinds = [(BODIES, body, b"a"), (IDLE, "", b""), *((1, archive, b"") for archive in archives)]
    stop = threading.Event()
    threads = [threading.Thread(target=hold, args=(portal, stop, *kind)) for kind in kinds]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def hold(portal: Sandbox, stop: threading.Event, count: int, sent: str, drip: bytes) -> None:
    held = lines(portal, count, sent)
    while not stop.wait(DRIP):
        for index, line in enumerate(held):
            if not lives(line, drip):
                line.close()
                held[index] = lines(portal, 1, sent)[0]
    for line in held:
        line.close()


def lives(line: socket.socket, drip: bytes) -> bool:
    """Whether the server still holds the connection, on which it gets one byte more of a body."""
    try:
        if drip:
            line.sendall(drip)
            return True
        return line.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def measured(portal: Sandbox, path: str, cookie: str) -> list[float]:
    """Milliseconds of each request of one client."""
    times, end = list[float](), perf_counter() + SECONDS
    while perf_counter() < end:
        with closing(connect(portal.url)) as server:
            for _ in range(25):
                start = perf_counter()
                get(server, path, {"Cookie": cookie})
                times.append((perf_counter() - start) * 1000)
    return times


def main() -> None:
    with ExitStack() as stack:
        portal = stack.enter_context(running_portal())
        made = portal.account("business")
        cookie = cookies(Browser(portal, made))
        owners = [Browser(portal, portal.account("many-invoices")) for _ in range(UNREAD)]
        for owner in owners:
            with owner.opener.open(f"{portal.url}{YEAR}", timeout=120) as answer:
                answer.read()  # its documents are made once; what is measured is that nobody reads the file
        stepper = f"/subscriptions/{made['subscriptions']['business']}/renew"
        print(f"One client beside {BODIES} slow bodies, {IDLE} idle connections and {UNREAD} unread archives")
        for path in ("/healthz", "/subscriptions", stepper):
            quiet = p50_p99(measured(portal, path, cookie))
            with attack(portal, owners):
                beside = p50_p99(measured(portal, path, cookie))
            told = "  ".join(f"{alone:.1f} → {held:.1f} ms" for alone, held in zip(quiet, beside, strict=True))
            row(f"{path[:25]}: p50, p99", told, f"p99 × {beside[1] / quiet[1]:.1f}, aim ≤ 3")


if __name__ == "__main__":
    main()
