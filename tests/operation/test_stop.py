"""The server and the sweep get SIGTERM during their work: they finish what they began, and begin nothing new.

Only on PostgreSQL: a locked row stops a process at an exact point, and the database shows that it waits.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import Any

import psycopg
import pytest

from e2e.portal import ROOT, Sandbox, running_portal, token
from tests.support.browsing import Browser
from tests.support.databases import POSTGRESQL
from tests.support.processes import children, lives
from tests.support.together import WAITING

pytestmark = [
    pytest.mark.service,
    pytest.mark.slow,
    pytest.mark.skipif(not POSTGRESQL, reason="a held row is seen on PostgreSQL only"),
]
PATIENCE = 30  # seconds


@pytest.fixture(params=["0"])
def portal(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with running_portal(WORKERS="2", THREADS="2", SWEEP_EVERY=request.param) as portal:
        yield portal


@contextmanager
def held(portal: Sandbox, rows: str) -> Iterator["psycopg.Connection[Any]"]:
    """Locks these rows until the block ends or a rollback: nobody else can change or reference them."""
    with connected(portal) as connection:
        connection.execute(f"SELECT * FROM {rows} FOR UPDATE".encode())
        yield connection


def connected(portal: Sandbox) -> "psycopg.Connection[Any]":
    return psycopg.connect(portal.env["DATABASE_URL"].replace("+psycopg", ""))


def wait_until_held_up(portal: Sandbox) -> None:
    """Waits until another process waits for a row."""
    end = monotonic() + PATIENCE
    with connected(portal) as connection:
        connection.autocommit = True  # inside a transaction the view would not change
        while connection.execute(WAITING.encode()).fetchone() == (0,):
            assert monotonic() < end, "nobody waits"


@pytest.mark.parametrize("portal", ["600"], indirect=True)
def test_a_request_in_flight_is_answered_when_the_server_is_told_to_stop(portal: Sandbox) -> None:
    account = portal.account("business")
    owner = Browser(portal, {"email": "", "password": ""})
    form = {"csrf_token": token(owner.get("/sign-in")[1])}
    processes = children(portal.server.pid)
    assert len(processes) == 3, "two workers and the sweep"
    with ThreadPoolExecutor(1) as pool, held(portal, "member") as connection:
        answer = pool.submit(owner.post, "/sign-in", email=account["email"], password=account["password"], **form)
        wait_until_held_up(portal)
        portal.server.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            portal.server.wait(1)
        assert not answer.done()
        connection.rollback()
        with_page = answer.exception(20)
    with connected(portal) as connection:
        assert connection.execute("SELECT count(*) FROM member_session").fetchone() == (1,), "it signed in"
    # The redirect would be a new request, which a stopping server need not accept.
    assert with_page is None or "refused" in str(with_page) or "reset" in str(with_page)
    assert portal.server.wait(20) == 0
    assert not any(lives(pid) for pid in processes)


def test_a_sweep_that_is_told_to_stop_finishes_the_subscription_in_hand(portal: Sandbox) -> None:
    for _ in range(3):
        portal.account("business")
    with connected(portal) as connection:
        connection.execute("UPDATE sandbox_account SET set_to = set_to + %s", (timedelta(days=31),))
    command = [sys.executable, "-m", "flask", "--app", "webapp", "roll-over", "--threads", "1"]
    with held(portal, "card"):  # the first payment references it
        sweep = subprocess.Popen(command, cwd=ROOT, env=portal.env, stdout=subprocess.PIPE, text=True)
        wait_until_held_up(portal)
        sweep.send_signal(signal.SIGTERM)
    output, _ = sweep.communicate(timeout=30)
    assert sweep.returncode == 0
    assert ": 1 renewed." in output
    with connected(portal) as connection:
        assert connection.execute("SELECT count(*) FROM sandbox_charge").fetchone() == (1,)
