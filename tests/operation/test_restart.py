"""PostgreSQL restarts under a running portal: later requests reconnect, and nothing else is restarted."""

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest
from flask import Flask

from e2e.portal import ROOT, environment
from tests.support.databases import POSTGRESQL, postgresql_stopped
from tests.support.world import pay, quoted, signed_in, state
from webapp.db import db, transaction
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxAccount

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.skipif(not POSTGRESQL, reason="SQLite has no server")]
PATIENCE = 60  # seconds


def test_pages_and_payments_find_the_database_again(app: Flask, business: Made) -> None:
    client, stranger, quote = signed_in(app, business), app.test_client(), quoted(app, business)
    db.session.remove()
    with postgresql_stopped():
        assert stranger.get("/healthz").status_code == 200
        assert stranger.get("/readyz").status_code == 503
        answer = client.get("/subscriptions")
        assert (answer.status_code, "/subscriptions" in answer.text) == (503, True)
    assert client.get("/readyz").status_code == 200
    assert client.get("/subscriptions").status_code == 200
    assert pay(app, business, quote) == "captured"
    assert len(state(app, business)["gateway"]["charges"]) == 1


def test_a_sweep_that_repeats_outlives_the_restart(app: Flask, tmp_path: Path) -> None:
    url = app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
    command = [sys.executable, "-m", "flask", "--app", "webapp", "roll-over", "--every", "1"]
    with (tmp_path / "log").open("w") as log:
        sweep = subprocess.Popen(command, cwd=ROOT, env=environment(tmp_path, DATABASE_URL=url), stdout=log, stderr=log)
        try:
            with postgresql_stopped():
                until(lambda: "this run broke off" in (tmp_path / "log").read_text())
            made = scenarios.make("business")
            with transaction() as session:
                session.get_one(SandboxAccount, made.account).set_to += timedelta(days=31)
            until(lambda: [paid["state"] for paid in state(app, made)["payments"]] == ["captured"])
        finally:
            sweep.terminate()
            assert sweep.wait(20) == 0


def until(seen: Callable[[], bool]) -> None:
    end = monotonic() + PATIENCE
    while not seen():
        assert monotonic() < end
