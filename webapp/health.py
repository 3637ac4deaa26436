"""What probes ask: /healthz, whether the process lives; /readyz, whether its database answers and is migrated."""

from functools import cache

import click
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Response, request
from sqlalchemy.exc import SQLAlchemyError

from .config import PACKAGE
from .db import db

PATHS = frozenset({"/healthz", "/readyz"})


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


def answer() -> Response | None:
    """Before anything else of a request: no session, no cookie, and whatever host name a probe calls."""
    if request.path not in PATHS or request.method not in ("GET", "HEAD"):
        return None
    fine = request.path == "/healthz" or database_fault() is None
    return Response("ok\n" if fine else "not ready\n", 200 if fine else 503, content_type="text/plain; charset=utf-8")
