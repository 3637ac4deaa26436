"""Rows of a subquery as one JSON value, so that one statement reads a thing and all that belongs to it."""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction


class rows_as_json(GenericFunction[Any]):  # noqa: N801  it is written like the functions of SQL
    """The rows of a subquery as one JSON array of arrays, in no order. Instants are texts without a zone, in UTC."""

    type = JSON()
    inherit_cache = True


@compiles(rows_as_json, "sqlite")
def _rows_as_json_sqlite(element: rows_as_json, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_group_array(json_array({compiler.process(element.clauses, **options)}))"


@compiles(rows_as_json, "postgresql")
def _rows_as_json_postgresql(element: rows_as_json, compiler: SQLCompiler, **options: Any) -> str:
    return f"coalesce(json_agg(json_build_array({compiler.process(element.clauses, **options)})), '[]'::json)"


class row_as_json(GenericFunction[Any]):  # noqa: N801
    """One row of values, which may be aggregates, as one JSON array."""

    type = JSON()
    inherit_cache = True


@compiles(row_as_json, "sqlite")
def _row_as_json_sqlite(element: row_as_json, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_array({compiler.process(element.clauses, **options)})"


@compiles(row_as_json, "postgresql")
def _row_as_json_postgresql(element: row_as_json, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_build_array({compiler.process(element.clauses, **options)})"


def inner(value: Any) -> Any:
    """JSON within JSON: for SQLite it is a text."""
    return json.loads(value) if isinstance(value, str) else value


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
