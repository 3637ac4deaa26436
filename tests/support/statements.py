"""Watches each statement that the portal sends: it names its account, or says why it looks across accounts. What writes
or locks is in a transaction.

Statements that a test sends itself are not watched.
"""

import sys
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.sql import visitors
from sqlalchemy.sql.dml import Delete, Insert, Update
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, ColumnClause
from sqlalchemy.sql.operators import eq
from sqlalchemy.sql.selectable import Alias, Select, TableClause

from webapp.db import Across, Base

PORTAL = str(Path(__file__).resolve().parent.parent.parent / "webapp")
_checked: set[Any] = set()
WRITES_ACROSS = {Across.RESTORE}


class Unnamed(AssertionError):
    """A statement that does not name its account."""


def owned_tables() -> set[str]:
    """The tables with an account's rows."""
    return {
        table.name for table in Base.metadata.tables.values() if table.primary_key.columns.keys()[0] == "account_id"
    }


def watch() -> None:
    event.listen(Engine, "before_execute", _check)


def _check(_connection: Any, statement: Any, _multiparams: Any, _params: Any, options: Any) -> None:
    if isinstance(statement, Select | Insert | Update | Delete):
        reason, alone = options.get("across"), options.get("isolation_level") == "AUTOCOMMIT"
        key = statement._generate_cache_key()  # the same for statements that differ in their values only
        known = None if key is None else (key.key, reason, alone)
        if known not in _checked and _sent_by_the_portal():
            check(statement, reason)
            assert not (alone and locks(statement)), f"it needs a transaction: {statement}"
            if known is not None:
                _checked.add(known)


def locks(statement: Any) -> bool:
    return not isinstance(statement, Select) or statement._for_update_arg is not None


def check(statement: Any, reason: Across | None) -> None:
    """Raises AssertionError. `reason`: why it may look across accounts."""
    if reason is not None:
        if isinstance(statement, Select):
            assert not locks(statement), f"what looks across accounts locks nothing: {statement}"
        else:
            assert reason in WRITES_ACROSS, f"what looks across accounts writes nothing: {statement}"
        return
    if unnamed := unnamed_tables(statement):
        raise Unnamed(f"{', '.join(sorted(unnamed))} without account_id in: {statement}")


def unnamed_tables(statement: Any) -> set[str]:
    """The owned tables of a statement for which neither it says `account_id = …` nor a join with one where it does."""
    owned = owned_tables()
    used: set[Any] = set()
    named: set[str] = set()
    joined: list[set[str]] = []
    for element in visitors.iterate(statement):
        if isinstance(element, TableClause | Alias):
            used.add(element)
        elif isinstance(element, ColumnClause) and element.table is not None:
            used.add(element.table)
        elif isinstance(element, BinaryExpression) and element.operator is eq:
            sides = [_account_of(side) for side in (element.left, element.right)]
            tables = {side for side in sides if side is not None}
            if len(tables) == 2:
                joined.append(tables)
            elif tables and any(isinstance(side, BindParameter) for side in (element.left, element.right)):
                named |= tables
    if isinstance(statement, Insert):
        named |= {statement.table.name, "excluded"}  # a row without its account is refused by the schema
    while more := [tables for tables in joined if len(tables & named) == 1]:
        named |= set().union(*more)
    aliases = {table.name for table in used if _table_name(table) in owned | {"account"}}
    return aliases - named


def _account_of(side: Any) -> str | None:
    """The table, or alias, whose account this column names."""
    table = getattr(side, "table", None)
    if table is None or not isinstance(side, ColumnClause):
        return None
    return table.name if side.name == ("id" if _table_name(table) == "account" else "account_id") else None


def _table_name(table: Any) -> str:
    return str(getattr(getattr(table, "element", table), "name", ""))


def _sent_by_the_portal() -> bool:
    """Whether the innermost code that is no library's is the portal's."""
    frame = sys._getframe(2)
    while frame is not None:
        path = frame.f_code.co_filename
        if "site-packages" not in path and "lib/python" not in path and __file__ != path:
            return path.startswith(PORTAL) and "/migrations/" not in path
        frame = frame.f_back  # type: ignore[assignment]
    return False
