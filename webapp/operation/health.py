"""Probes: /healthz says whether the process runs, /readyz whether its database answers and is migrated."""

from functools import cache

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Response, request
from sqlalchemy.exc import SQLAlchemyError

from ..config import PACKAGE
from ..db import db

PATHS = frozenset({"/healthz", "/readyz"})


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
        return f"The database {shown} cannot be opened ({reason}). Check DATABASE_URL."
    if revision != newest_migration():
        return f"The database {shown} is not migrated. Run: flask --app webapp db upgrade"
    return None


def answer() -> Response | None:
    """Answers a probe before all other hooks: without a session or a cookie, and for any host name."""
    if request.path not in PATHS or request.method not in ("GET", "HEAD"):
        return None
    is_well = request.path == "/healthz" or database_fault() is None
    return Response(
        "ok\n" if is_well else "not ready\n", 200 if is_well else 503, content_type="text/plain; charset=utf-8"
    )
