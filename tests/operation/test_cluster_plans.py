"""On a Citus cluster, each statement about one account is one task on the machine that has the account."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from tests.support import databases
from tests.support.everyday import walk
from tests.support.world import LIST, signed_in
from webapp.db import db
from webapp.sandbox import scenarios

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(not databases.CITUS, reason="CITUS_URL names a cluster, with DATABASE=citus"),
]
Statements = dict[str, Any]  # with one set of parameters for each


@contextmanager
def recorded() -> Iterator[Statements]:
    """What is sent to the database, but for what looks across accounts and for the sandbox's own tables."""
    sent: Statements = {}

    def record(_connection: Any, _cursor: Any, sql: str, parameters: Any, context: Any, many: bool) -> None:
        is_plain = sql.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")) and not many
        if is_plain and "sandbox_" not in sql and "across" not in context.execution_options:
            sent.setdefault(sql, parameters)

    event.listen(db.engine, "before_cursor_execute", record)
    try:
        yield sent
    finally:
        event.remove(db.engine, "before_cursor_execute", record)


def test_a_statement_about_one_account_is_one_task(app: Flask) -> None:
    with recorded() as sent:
        walk(app)
        client = signed_in(app, scenarios.make("business-two-cards"))
        for path in ("/subscriptions", "/billing", LIST, "/contact", "/activity"):
            assert client.get(path).status_code == 200
        db.session.remove()
    assert len(sent) > 60
    assert [sql for sql, parameters in sent.items() if not _is_one_task(sql, parameters)] == []


def _is_one_task(sql: str, parameters: Any) -> bool:
    """Or asks a table of the coordinator. A subplan is a statement of its own, whose result is sent on."""
    with db.engine.connect() as connection:
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {sql}", parameters).scalars())
        connection.rollback()
    return ("Task Count" not in plan or "Task Count: 1\n" in plan) and "Subplan" not in plan
