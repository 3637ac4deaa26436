"""What probes ask: /healthz, whether the process lives; /readyz, whether its database takes requests."""

import errno
import shutil
import sqlite3
from functools import cache
from pathlib import Path

import click
import psycopg
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Response, request
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from .config import PACKAGE
from .db import db

PATHS = frozenset({"/healthz", "/readyz"})
FULL, LOCKED, AWAY = "disk full", "database locked", "database unreachable"
SQLITE_ERRORS = {
    "SQLITE_FULL": FULL,
    "SQLITE_BUSY": LOCKED,
    "SQLITE_LOCKED": LOCKED,
    "SQLITE_CANTOPEN": AWAY,
    "SQLITE_IOERR": AWAY,
    "SQLITE_READONLY": AWAY,
}
# disk_full; lock_not_available, query_canceled; connections that fail, are too many, or are ended by an administrator
SQLSTATES = {"53100": FULL, "55P03": LOCKED, "57014": LOCKED, "08": AWAY, "53300": AWAY, "57P": AWAY}
LEAST_FREE = 4 * 1024 * 1024  # bytes of the disk that SQLite's file is on
PROBE_MILLISECONDS = 1000  # that a probe waits for the write lock


@cache
def newest_migration() -> str | None:
    return ScriptDirectory(str(PACKAGE / "migrations")).get_current_head()


def database_fault() -> str | None:
    """Why the database cannot serve, and what to do; None where it answers and stands at the newest migration."""
    shown = db.engine.url.render_as_string(hide_password=True)
    try:
        with db.engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as fault:
        reason = str(getattr(fault, "orig", fault)).strip().splitlines()[0]
        return f"The database {shown} cannot be opened ({reason}). Check DATABASE_URL."
    if found != newest_migration():
        return f"The database {shown} is not migrated. Run: flask --app webapp db upgrade"
    return None


def check_database() -> None:
    """Raises ClickException unless the database opens and stands at the newest migration."""
    fault = database_fault()
    if fault is not None:
        raise click.ClickException(fault)


FAULTS = (DBAPIError, PoolTimeout, OSError)  # that may be a trouble


def trouble(fault: BaseException) -> str | None:
    """What keeps the database from its work, in a word or two, where that may pass; None for any other fault."""
    if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return FULL
    if isinstance(fault, PoolTimeout):
        return LOCKED
    cause = fault.orig if isinstance(fault, DBAPIError) else fault
    if isinstance(cause, sqlite3.Error):
        name = getattr(cause, "sqlite_errorname", "")
        return next((word for begin, word in SQLITE_ERRORS.items() if name.startswith(begin)), None)
    if isinstance(cause, psycopg.Error):
        if cause.sqlstate is None:  # it was not the server that said so
            return AWAY if isinstance(cause, psycopg.OperationalError) else None
        return next((word for begin, word in SQLSTATES.items() if cause.sqlstate.startswith(begin)), None)
    return None


def not_ready() -> str | None:
    """Why requests would fail, in a word or two that name no secret."""
    try:
        with db.engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        if db.engine.dialect.name == "sqlite":
            _try_to_write()
    except (SQLAlchemyError, sqlite3.Error, OSError) as fault:
        return trouble(fault) or AWAY
    return None if found == newest_migration() else "not migrated"


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
    """Before anything else of a request: no session, no cookie, and whatever host name a probe calls."""
    if request.path not in PATHS or request.method not in ("GET", "HEAD"):
        return None
    why = not_ready() if request.path == "/readyz" else None
    body, status = ("ok\n", 200) if why is None else (f"not ready: {why}\n", 503)
    return Response(body, status, content_type="text/plain; charset=utf-8")
