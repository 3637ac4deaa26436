"""The database: one engine, one way to open a transaction, and two column types."""

import re
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, DateTime, Dialect, Engine, Executable, MetaData, Table, event, insert, update
from sqlalchemy.exc import ArgumentError, DataError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.types import TypeDecorator

from .config import Misconfigured

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)


db = SQLAlchemy(model_class=Base)
migrate = Migrate(directory=str(Path(__file__).parent / "migrations"))
if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


class Instant(TypeDecorator[datetime]):
    """An aware datetime, stored in UTC without a zone, since SQLite has no zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


LOCK = {"key_share": True}  # others cannot change the locked row, but can still insert rows that refer to it
# For DDL on several tables of a Citus cluster in one transaction. PostgreSQL without Citus ignores it.
SEQUENTIAL = "SET LOCAL citus.multi_shard_modify_mode = 'sequential'"
Unstorable = DataError  # PostgreSQL cannot store the value: it contains a NUL, or is too long


class Across(StrEnum):
    """Why a statement may look across accounts. Each other statement on a table of accounts names the account.

    They lock nothing. What they find is claimed afterwards by its key, one account at a time.
    """

    SWEEP = "finds the subscriptions, payments, refunds and cards for which something is due"
    SENDER = "finds the mails to send"
    PRUNE = "finds what is old enough to be deleted"
    COUNT = "finds the tenants to ask for their active users"
    DOCTOR = "counts, for the operator, what is at fault"
    RESTORE = "after a restore: finds payments in flight, and ends all access"
    SIGN_IN = "finds the session of a cookie, or the link of a mail, that an older version made"
    CUSTOMER = "finds the account of a customer at the gateway, for an event or a capture of an older version"
    SANDBOX = "lists the accounts of testers"


Statement = TypeVar("Statement", bound=Executable)


def across(statement: Statement, reason: Across) -> Statement:
    """The statement, allowed to look across accounts. Tests see every statement, and refuse others that do."""
    return statement.execution_options(across=reason)


class NotFound(Exception):
    """This account has no such row. Whether another account has it must not be visible."""


def new_id() -> str:
    """A random identifier that cannot be guessed and is safe in URLs and idempotency keys."""
    return secrets.token_hex(16)


@contextmanager
def transaction() -> Iterator[Session]:
    """One transaction for a check and the write that depends on it.

    SQLite takes its write lock at the start, so nothing read here can change before the write.
    """
    db.session.rollback()
    db.session.connection(execution_options={"immediate": True})
    try:
        yield db.session()
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


def insert_rows(*rows: Base) -> None:
    """Writes new rows of one table, in the open transaction, by one statement and without the session's bookkeeping.

    The session does not see later changes of these objects: see `update_row`.
    """
    if not rows:
        return
    given = [vars(row) for row in rows]
    names = {part.key: part.columns[0].name for part in rows[0].__mapper__.column_attrs}
    used = [name for name in names if any(name in values for values in given)]
    values = [{names[name]: row.get(name) for name in used} for row in given]
    db.session.execute(insert(table_of(type(rows[0]))), values)


def update_row(row: Base, **values: Any) -> None:
    """Writes these values of a row, in the open transaction, by one statement, and sets them on the object."""
    table = table_of(type(row))
    this = (column == getattr(row, column.key) for column in table.primary_key)
    db.session.execute(update(table).where(*this).values(values))
    for name, value in values.items():
        set_committed_value(row, name, value)


def table_of(model: type[Base]) -> Table:
    return Base.metadata.tables[model.__tablename__]


def locks_rows() -> bool:
    """Whether rows must be locked. SQLite has one writer, which `transaction` is from its start."""
    return db.engine.dialect.name != "sqlite"


def init(app: Flask) -> None:
    app.config["SQLALCHEMY_DATABASE_URI"] = _with_driver(app.config["SQLALCHEMY_DATABASE_URI"])
    app.config.setdefault("SQLALCHEMY_ENGINE_OPTIONS", _engine_options(app.config))
    try:
        db.init_app(app)
        with app.app_context():
            engine = db.engine
    except (ArgumentError, ImportError, ValueError):  # their messages may contain the password
        raise Misconfigured(
            "DATABASE_URL is not the address of a database that can be used, such as postgresql://user:password@host/name."
        ) from None
    migrate.init_app(app, db)
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, app.config["LOCK_SECONDS"])


def _with_driver(url: str) -> str:
    """Uses psycopg 3 for PostgreSQL, whether the URL says `postgres` or `postgresql`."""
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)


def _engine_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters stay out of the log. Connections are tested before use, as a restarted server leaves dead ones."""
    options: dict[str, Any] = {"hide_parameters": True}
    url = config["SQLALCHEMY_DATABASE_URI"]
    if url.startswith("postgresql"):
        arguments: dict[str, Any] = {"connect_timeout": 5}
        if config["DATABASE_POOLER"]:  # it passes no options on, and each transaction may use another connection
            arguments["prepare_threshold"] = None
        elif "options=" not in url:
            arguments["options"] = f"-c lock_timeout={round(config['LOCK_SECONDS'] * 1000)}"
        options |= {"pool_pre_ping": True, "connect_args": arguments}
    return options


def _prepare_sqlite(engine: Engine, lock_seconds: float) -> None:
    """WAL, durable commits, foreign keys, and no transactions that the driver begins by itself."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None
        waits = f"busy_timeout={round(lock_seconds * 1000)}"
        for pragma in (waits, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate")
        if immediate:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return
        begun: Any = connection.connection.driver_connection  # each request does this, and it cannot fail
        begun.execute("BEGIN")
