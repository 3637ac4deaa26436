"""Starts a portal to test against, as `make run` serves it, and calls the sandbox's routes."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from flask_migrate import upgrade

from tests.support.databases import CITUS, fresh_database
from webapp import create_app
from webapp.db import db

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def token(page: str) -> str:
    """The CSRF token in a page's forms."""
    return page.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]


def environment(instance: Path, **settings: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "SECRET_KEY", "HOST", "PORT", "PUBLIC_URL")
    }
    return {**kept, "SANDBOX": "1", "SWEEP_EVERY": "0", "INSTANCE_DIR": str(instance), **settings}


def flask(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs one command of the application, as the Makefile does."""
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "webapp", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )


def prepare(env: dict[str, str]) -> None:
    """Does what `flask db upgrade` and `flask demo` do, in this process, which is faster than two new ones."""
    with patch.dict(os.environ, env, clear=True):
        app = create_app()
    with app.app_context():
        upgrade()
        if CITUS:
            app.test_cli_runner().invoke(args=["distribute"], catch_exceptions=False)
        done = app.test_cli_runner().invoke(args=["demo"])
        db.session.remove()
        db.engine.dispose()
    if done.exit_code:
        raise RuntimeError(done.output)


@contextmanager
def running_portal(**settings: str) -> Iterator["Sandbox"]:
    """A fresh database and a server on a free port of loopback, until the block ends."""
    with tempfile.TemporaryDirectory() as folder, fresh_database(Path(folder)) as database:
        env = environment(Path(folder), **{"PORT": str(free_port()), "DATABASE_URL": database, **settings})
        prepare(env)
        log = (Path(folder) / "server.log").open("w")
        server = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "webapp", "serve"], cwd=ROOT, env=env, stdout=log, stderr=log
        )
        try:
            sandbox = Sandbox(f"http://127.0.0.1:{env['PORT']}", Path(folder), env)
            sandbox.server = server
            sandbox.wait(server)
            yield sandbox
        finally:
            server.terminate()
            server.wait(20)
            log.close()


@contextmanager
def deployed_portal(address: str) -> Iterator["Sandbox"]:
    """A portal that runs elsewhere, with its sandbox on. SystemExit if none answers there."""
    sandbox = Sandbox(address.rstrip("/"), Path(), {})
    try:
        with urlopen(f"{sandbox.url}/sandbox", timeout=30):
            pass
    except (OSError, ValueError) as fault:
        raise SystemExit(f"No portal with its sandbox on answers at URL={address}: {fault}") from None
    yield sandbox


class Sandbox:
    """The sandbox's routes, which set up accounts, move clocks and make gateways fail."""

    server: "subprocess.Popen[bytes]"

    def __init__(self, url: str, instance: Path, env: dict[str, str]) -> None:
        self.url, self.instance, self.env = url, instance, env

    def wait(self, server: "subprocess.Popen[bytes]") -> None:
        for _ in range(1200):
            if server.poll() is not None:
                raise RuntimeError((self.instance / "server.log").read_text())
            try:
                urlopen(f"{self.url}/sign-in", timeout=5).close()
            except OSError:
                time.sleep(0.05)  # the server gives no other sign that its port is open
            else:
                return
        raise RuntimeError("the portal did not start")

    def call(self, path: str, **form: str) -> Any:
        body = urlencode(form).encode() if form else None
        request = Request(f"{self.url}/sandbox/accounts{path}", body, {"Accept": "application/json"})
        try:
            with urlopen(request, timeout=30) as response:
                return json.load(response)
        except HTTPError as error:
            raise AssertionError(f"{error.code}: {error.read().decode()}") from None

    def account(self, scenario: str, **form: str) -> Any:
        return self.call("", scenario=scenario, **form)

    def state(self, account: str) -> Any:
        return self.call(f"/{account}/state")

    def clock(self, account: str, **form: str) -> Any:
        return self.call(f"/{account}/clock", **form)

    def users(self, account: str, active: int) -> Any:
        return self.call(f"/{account}/users", active=str(active))

    def gateway(self, account: str, fault: str) -> Any:
        return self.call(f"/{account}/gateway", next=fault)
