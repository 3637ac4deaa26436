"""The portal behind PgBouncer in transaction mode: DATABASE_POOLER=1."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError

from e2e.portal import free_port
from tests.support import databases
from tests.support.application import new_app
from tests.support.everyday import walk
from tests.support.world import signed_in
from webapp.db import db
from webapp.operation import doctor
from webapp.sandbox import scenarios

POOLER = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin")
pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(not databases.POSTGRESQL, reason="SQLite has no pooler"),
    pytest.mark.skipif(POOLER is None, reason="PgBouncer is not installed"),
]
SETTINGS = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
"""


@contextmanager
def pooled(url: URL) -> Iterator[str]:
    """Two connections to the server at `url` for everybody, in transaction mode."""
    port = free_port()
    values = {"host": url.query.get("host", url.host), "port": url.port or 5432, "user": url.username, "own_port": port}
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "pgbouncer.ini"
        settings.write_text(SETTINGS.format(**values))
        Path(folder).chmod(0o755)
        owner = (
            Path(str(url.query["host"])).owner() if "host" in url.query else "nobody"
        )  # may enter the socket's folder
        user = [f"--user={owner}"] if os.geteuid() == 0 else []  # it does not run as root
        process = subprocess.Popen([str(POOLER), "--quiet", *user, str(settings)], stderr=subprocess.DEVNULL)
        try:
            _wait_for(port)
            yield url.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(port: int) -> None:
    for _ in range(100):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        sleep(0.1)
    raise AssertionError("PgBouncer does not listen")


def test_the_portal_runs_behind_a_pooler_that_shares_connections(migrated: str, tmp_path: Path) -> None:
    with databases.copied(migrated, tmp_path) as direct, pooled(make_url(direct)) as url, _running(url) as app:
        walk(app)
        with ThreadPoolExecutor(8) as pool:
            codes = list(pool.map(lambda _: _pages(app), range(8)))
        assert codes == [[200] * 10] * 8


def test_the_time_to_wait_for_a_lock_is_set_on_the_role(migrated: str, tmp_path: Path) -> None:
    with databases.copied(migrated, tmp_path) as direct:
        with pooled(make_url(direct)) as url, _running(url):
            assert "ALTER ROLE" in _said()
            db.session.execute(text(f"ALTER DATABASE {db.engine.url.database} SET lock_timeout = '10s'"))
            db.session.commit()
        with pooled(make_url(direct)) as url, _running(url):
            assert _said() == ""


def test_without_the_setting_the_pooler_refuses(app: Flask) -> None:
    with pooled(app.extensions["sqlalchemy"].engine.url) as url, new_app(url).app_context():
        with pytest.raises(OperationalError, match="unsupported startup parameter"):
            db.session.execute(text("SELECT 1"))
        assert "DATABASE_POOLER=1" in (dict(doctor.CHECKS)["database"]() or "")


@contextmanager
def _running(url: str) -> Iterator[Flask]:
    app = new_app(url, WTF_CSRF_ENABLED=False, DATABASE_POOLER=True)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def _said() -> str:
    return dict(doctor.CHECKS)["database locks"]() or ""


def _pages(app: Flask) -> list[int]:
    """A statement that is sent more than five times is prepared, unless the setting says otherwise."""
    with app.app_context():
        made = scenarios.make("business")
        db.session.remove()
        client = signed_in(app, made)
        return [client.get("/subscriptions").status_code for _ in range(10)]
