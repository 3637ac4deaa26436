"""Alembic's entry: runs the migrations on the application's own engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy import Connection, text

from webapp.db import SEQUENTIAL, Instant

database = current_app.extensions["migrate"].db


def render_item(kind: str, item: Any, _autogen: Any) -> str | bool:
    """In a migration an instant is a plain date and time: the type's Python side may change later."""
    return "sa.DateTime()" if kind == "type" and isinstance(item, Instant) else False


@contextmanager
def unbound(connection: Connection) -> Iterator[None]:
    """SQLite remakes a table to change it, while others refer to it: their keys are checked when all is done."""
    if connection.dialect.name != "sqlite":
        yield
        return
    raw = connection.connection.dbapi_connection
    raw.execute("PRAGMA foreign_keys=OFF")  # before a transaction: in one it does nothing
    try:
        yield
        lost = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if lost:
            raise ValueError(f"rows that refer to nothing: {lost}")
    finally:
        connection.rollback()  # the migrations are committed by now
        raw.execute("PRAGMA foreign_keys=ON")


with database.engine.connect() as connection, unbound(connection):
    context.configure(
        connection=connection,
        target_metadata=database.metadata,
        render_item=render_item,
        render_as_batch=True,
        compare_type=True,
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text(SEQUENTIAL))
        context.run_migrations()
