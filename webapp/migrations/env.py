"""Alembic's entry: runs the migrations on the application's own engine."""

from typing import Any

from alembic import context
from flask import current_app

from webapp.db import Instant

database = current_app.extensions["migrate"].db


def render_item(kind: str, item: Any, _autogen: Any) -> str | bool:
    """In a migration an instant is a plain date and time: the type's Python side may change later."""
    return "sa.DateTime()" if kind == "type" and isinstance(item, Instant) else False


with database.engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=database.metadata,
        render_item=render_item,
        render_as_batch=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()
