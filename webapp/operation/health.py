"""What probes ask: /healthz, whether the process lives; /readyz, whether its database takes requests."""

import errno
import shutil
import sqlite3
from functools import cache
from pathlib import Path

import click
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Response, request
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from ..config import COMMAND, PACKAGE
from ..database_faults import UNREACHABLE, temporary_fault
from ..db import db

PATHS = frozenset({"/healthz", "/readyz"})
LEAST_FREE = 4 * 1024 * 1024  # bytes of the disk that SQLite's file is on
PROBE_MILLISECONDS = 1000  # that a probe waits for the write lock


@cache
def newest_migration() -> str | None:
    return ScriptDirectory(str(PACKAGE / "migrations")).get_current_head()


def database_fault() -> str | None:
    """Why the database cannot be used, and what to do; None if it answers and is at the newest migration."""
    shown = db.engine.url.render_as_string(hide_password=True)
    try:
        with db.engine.connect() as connection:
            revision = MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as fault:
        reason = str(getattr(fault, "orig", fault)).strip().splitlines()[0]
        what = "Set DATABASE_POOLER=1" if "unsupported startup parameter" in reason else "Check DATABASE_URL"
        return f"The database {shown} cannot be opened ({reason}). {what}."
    if revision != newest_migration():
        return f"The database {shown} is not migrated. Run: {COMMAND} db upgrade"
    return None


def check_database() -> None:
    """Raises ClickException unless the database opens and stands at the newest migration."""
    fault = database_fault()
    if fault is not None:
        raise click.ClickException(fault)


def not_ready() -> str | None:
    """Why requests would fail, in a word or two that name no secret."""
    try:
        with db.engine.connect() as connection:
            revision = MigrationContext.configure(connection).get_current_revision()
            if db.engine.dialect.name == "postgresql":
                _check_writable(connection)
        if db.engine.dialect.name == "sqlite":
            _try_to_write()
    except (SQLAlchemyError, sqlite3.Error, OSError) as fault:
        return temporary_fault(fault) or UNREACHABLE
    return None if revision == newest_migration() else "not migrated"


def _check_writable(connection: Connection) -> None:
    """Raises OSError on a replica, and where transactions only read: nothing could be saved there."""
    reads_only = text("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean")
    if connection.scalar(reads_only):
        raise OSError(errno.EROFS, "read-only")


def _try_to_write() -> None:
    """Takes SQLite's write lock and a page of its file, and gives both back."""
    if shutil.disk_usage(Path(db.engine.url.database or ".").parent).free < LEAST_FREE:
        raise OSError(errno.ENOSPC, "disk full")
    pooled = db.engine.raw_connection()
    try:
        pooled.execute(f"PRAGMA busy_timeout={PROBE_MILLISECONDS}")
        pooled.execute("BEGIN IMMEDIATE")
        pooled.execute("CREATE TABLE room (n)")
    finally:
        pooled.rollback()
        pooled.invalidate()  # with its shorter patience
        pooled.close()


def answer() -> Response | None:
    """Answers a probe before all other hooks: without a session or a cookie, and for any host name."""
    if request.path not in PATHS or request.method not in ("GET", "HEAD"):
        return None
    why = not_ready() if request.path == "/readyz" else None
    body, status = ("ok\n", 200) if why is None else (f"not ready: {why}\n", 503)
    return Response(body, status, content_type="text/plain; charset=utf-8")
