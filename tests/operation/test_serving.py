"""The server from outside: clients that are slow, silent or hostile hold nobody up, and children that die come back."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from time import monotonic, sleep
from urllib.request import urlopen

import pytest

from e2e.portal import ROOT, Sandbox, environment, free_port, prepare, running_portal, token
from tests.support.browsing import Browser
from tests.support.databases import POSTGRESQL, fresh_database
from tests.support.processes import children, lives
from webapp.operation import supervision
from webapp.operation.rsgi import LARGEST_BODY
from webapp.operation.serving import whole_paths
from webapp.operation.supervision import FIRST_PAUSE, LONGEST_PAUSE, SETTLED, Child, pause_after

HEALED = 10  # seconds
SOON = 2  # seconds in which a page is answered while others hold on
WORKERS, THREADS = 2, 2


@pytest.fixture(scope="module")
def portal() -> Iterator[Sandbox]:
    with running_portal(WORKERS=str(WORKERS), THREADS=str(THREADS), SWEEP_EVERY="1") as portal:
        yield portal


def connected(portal: Sandbox, sent: bytes = b"") -> socket.socket:
    host, port = portal.url.removeprefix("http://").split(":")
    found = socket.create_connection((host, int(port)), timeout=30)
    found.sendall(sent)
    return found


def answer(portal: Sandbox, sent: bytes) -> tuple[int, str]:
    """Status and head of the answer to these bytes."""
    with connected(portal, sent) as line:
        received = b""
        while b"\r\n\r\n" not in received and (part := line.recv(65536)):
            received += part
    head = received.partition(b"\r\n\r\n")[0].decode("latin-1")
    return int(head.split(" ")[1]), head


def head(method: str = "POST", path: str = "/sign-in", **headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in {"Host": "127.0.0.1", **headers}.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1")


FORM = "application/x-www-form-urlencoded"


@pytest.mark.slow
def test_nobody_waits_for_slow_bodies_idle_connections_and_unread_answers(portal: Sandbox) -> None:
    made = portal.account("many-invoices")
    browser = Browser(portal, made)
    cookie = "; ".join(f"{one.name}={one.value}" for one in browser.jar)
    body = head(Content_Type=FORM, Content_Length="50") + b"a"
    year = re.findall(r"/billing/invoices/\d{4}\.zip", browser.get("/billing/invoices")[1])[0]
    with ExitStack() as stack:
        for _ in range(8 * WORKERS * THREADS):
            stack.enter_context(connected(portal, body))
        for _ in range(128):
            stack.enter_context(connected(portal))
        for _ in range(8):
            stack.enter_context(connected(portal, head("GET", year, Cookie=cookie)))
        for path in ("/healthz", "/readyz", "/sign-in", "/static/app.css"):
            with urlopen(f"{portal.url}{path}", timeout=SOON) as found:
                assert found.status == 200
        assert browser.get("/subscriptions")[0] == f"{portal.url}/subscriptions"


@pytest.mark.slow
@pytest.mark.skipif(POSTGRESQL, reason="it is SQLite's lock that holds everyone")
def test_probes_are_answered_while_every_worker_is_busy(portal: Sandbox) -> None:
    """Each worker waits for SQLite's write lock with a quote, and others queue behind them."""
    made = portal.account("business")
    browser, renew = Browser(portal, made), f"/subscriptions/{made['subscriptions']['business']}/renew"
    form = {"csrf_token": token(browser.get(renew)[1]), "seats": "14"}
    many = WORKERS * THREADS * 2
    path = portal.env["DATABASE_URL"].removeprefix("sqlite:///")
    with ThreadPoolExecutor(many) as pool, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = [pool.submit(browser.post, renew, **form) for _ in range(many)]
        status, _ = answer(portal, head("GET", "/readyz"))  # which waits for the lock, too, but not as long
        assert status == 503
        for _ in range(10):
            assert answer(portal, head("GET", "/healthz"))[0] == 200
        assert not any(one.done() for one in waiting)
        other.rollback()
        assert all(one.result(30)[0].endswith("/payment") for one in waiting)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (head(Content_Type=FORM, Content_Length=str(LARGEST_BODY)) + b"a" * LARGEST_BODY, 413),
        (head(Content_Type=FORM, Content_Length="999999999999"), 413),
        (head(Transfer_Encoding="chunked", Content_Type=FORM) + b"3\r\na=b\r\n0\r\n\r\n", 411),
        (head(Content_Length="-1"), 400),
        (head(Content_Length="9" * 5000), 400),
        (head("GET", "/\xe9"), 400),
        (head("GET", "/%ff%fe"), 404),
        (head("GET", "/sign-in", Cookie="\xe9\xff=\xe8"), 200),
        (head("GET", "http://[x/"), 400),
        (head("HEAD", "/sign-in"), 200),
        (b"\x16\x03\x01\r\n\r\n", 400),
    ],
    ids=lambda given: given if isinstance(given, int) else given[:40].decode("latin-1"),
)
def test_what_is_too_large_or_malformed_is_refused(portal: Sandbox, sent: bytes, status: int) -> None:
    found, headers = answer(portal, sent)
    assert found == status
    assert "granian" not in headers.lower()
    if status in (411, 413):
        assert "content-security-policy" in headers, "the application's own page"


@pytest.mark.slow
def test_a_head_has_the_length_of_the_page_and_no_body(portal: Sandbox) -> None:
    with connected(portal, head("HEAD", "/accessibility", Connection="close")) as line:
        received = b""
        while part := line.recv(65536):
            received += part
    headers, _, body = received.partition(b"\r\n\r\n")
    assert body == b""
    assert int(re.search(rb"content-length: (\d+)", headers)[1]) > 1000  # type: ignore[index]


@pytest.mark.slow
def test_who_expects_to_be_told_to_go_on_is_told(portal: Sandbox) -> None:
    with connected(portal, head(Content_Type=FORM, Content_Length="3", Expect="100-continue")) as line:
        assert line.recv(1000).startswith(b"HTTP/1.1 100 ")
        line.sendall(b"a=b")
        assert line.recv(1000).startswith(b"HTTP/1.1 400 ")


@pytest.mark.slow
def test_a_header_with_an_underscore_stands_for_none_that_a_proxy_sets() -> None:
    named, told = "X-Request-ID", "named-by-a-proxy"
    with running_portal(WORKERS="1", REQUEST_ID_HEADER=named) as portal:
        sent = head("GET", "/sign-in", X_Request_ID=told)
        assert told in answer(portal, sent)[1]
        assert told not in answer(portal, sent.replace(named.encode(), named.replace("-", "_").encode()))[1]


@pytest.mark.slow
@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_it_listens_on_ipv6(tmp_path: Path) -> None:
    with fresh_database(tmp_path) as database:
        env = environment(tmp_path, HOST="::1", PORT=str(free_port()), WORKERS="1", DATABASE_URL=database)
        prepare(env)
        server = subprocess.Popen([sys.executable, "-m", "flask", "--app", "webapp", "serve"], cwd=ROOT, env=env)
        try:
            there = Sandbox(f"http://[::1]:{env['PORT']}", tmp_path, env)
            wait_until(lambda: answers(there), monotonic() + 30)
        finally:
            server.terminate()
            assert server.wait(20) == 0


# Children that die
@pytest.mark.slow
def test_each_child_that_is_killed_is_started_again_with_a_line_in_the_log(portal: Sandbox) -> None:
    many = WORKERS + 1  # the sweep
    for victim in children(portal.server.pid):
        os.kill(victim, signal.SIGKILL)
        end = monotonic() + HEALED

        def healed(victim: int = victim) -> bool:
            now = children(portal.server.pid)
            return len(now) == many and victim not in now and answers(portal)

        wait_until(healed, end)
        assert f"(process {victim}) ended with status -9" in (portal.instance / "server.log").read_text()


def answers(portal: Sandbox) -> bool:
    """Asks often enough that each process has very probably answered: the kernel chooses which one does."""
    try:
        return all(urlopen(f"{portal.url}/healthz", timeout=HEALED).status == 200 for _ in range(20))
    except OSError:
        return False


def wait_until(seen: Callable[[], bool], end: float) -> None:
    while not seen():
        assert monotonic() < end
        sleep(0.05)


@pytest.mark.slow
def test_children_end_when_their_parent_is_killed() -> None:
    with running_portal(WORKERS="2", SWEEP_EVERY="600") as portal:
        processes = children(portal.server.pid)
        assert len(processes) == 3
        portal.server.kill()
        portal.server.wait()
        wait_until(lambda: not any(lives(pid) for pid in processes), monotonic() + HEALED)


@pytest.mark.slow
def test_hup_replaces_the_web_processes_and_no_request_fails(portal: Sandbox) -> None:
    web, faults, stop = children(portal.server.pid)[:WORKERS], list[str](), threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                urlopen(f"{portal.url}/sign-in", timeout=10).close()
            except OSError as fault:
                if "reset" not in str(fault):  # it was in the queue of the process that ended
                    faults.append(str(fault))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        portal.server.send_signal(signal.SIGHUP)
        wait_until(lambda: not any(lives(pid) for pid in web), monotonic() + 60)
    finally:
        stop.set()
        asking.join()
    assert faults == []
    assert len(children(portal.server.pid)) == WORKERS + 1


def test_a_child_that_dies_young_is_started_after_a_growing_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(supervision, "monotonic", lambda: now[0])
    child = Child("false", ["/bin/false"])
    child.start()
    for expected in (FIRST_PAUSE, FIRST_PAUSE * 2, FIRST_PAUSE * 4):
        assert child.process is not None
        child.process.wait()
        child.look()
        assert child.process is None
        now[0] += expected - 0.01
        child.look()
        assert child.process is None, "not yet"
        now[0] += 0.01
        child.look()
    assert child.process is not None
    child.process.wait()
    now[0] += SETTLED
    child.look()
    assert child.process is not None, "it had settled, and is started at once"
    child.process.wait()
    assert pause_after(1000) == LONGEST_PAUSE


def test_the_folder_of_open_files_is_there() -> None:
    assert Path("/dev/fd").is_dir(), "a file is handed to Granian by its name there"


def test_children_find_what_settings_name_beside_the_place_where_serve_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"INSTANCE_DIR": "instance", "SECRET_KEY_FILE": "/run/key", "FONTS_DIR": "", "SMTP_URL": "smtp://x"}
    assert whole_paths(settings) == {"INSTANCE_DIR": f"{tmp_path}/instance", "SECRET_KEY_FILE": "/run/key"}
