"""The database: one engine, one way to open a transaction, and two column types."""

import re
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from flask import Flask, current_app
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as BoundSession
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Executable,
    MetaData,
    Table,
    create_engine,
    event,
    insert,
    update,
)
from sqlalchemy.exc import ArgumentError, DataError, InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.pool import ConnectionPoolEntry
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


class ReadingSession(BoundSession):
    """Reads without a transaction on PostgreSQL, which saves a BEGIN and a ROLLBACK at each request. There, statements
    of one transaction do not see the same moment either. Whatever writes uses `transaction`.
    """

    def get_bind(self, *_about: Any, **_more: Any) -> Engine:
        engine: Engine = current_app.extensions["reading_engine"]
        return engine


TRANSACTION: dict[str, dict[str, Any]] = {
    "sqlite": {"immediate": True},
    "postgresql": {"isolation_level": "READ COMMITTED"},
}
db = SQLAlchemy(model_class=Base, session_options={"class_": ReadingSession})
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


TESTED_AFTER = 1.0  # seconds that a connection was idle
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
    SUPPORT = "finds the account of a name, an e-mail, a domain or an invoice number, for support"
    METRICS = "counts, for the operator, what waits: payments, refunds and mails"
    DOCTOR = "counts, for the operator, what is at fault"
    RESTORE = "after a restore: finds payments in flight, and ends all access"
    SIGN_IN = "finds the session of a cookie, or the link of a mail, that an older version made"
    CUSTOMER = "finds the account of a customer at the gateway, for an event or a capture of an older version"
    SEAL = "finds what is not sealed in the trails of accounts"
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
def transaction(commits_at: type[Exception] | None = None) -> Iterator[Session]:
    """One transaction for a check and the write that depends on it.

    SQLite takes its write lock at the start, so nothing read here can change before the write. What was written before
    an exception of the kind `commits_at` is committed.
    """
    db.session.rollback()
    db.session.connection(execution_options=TRANSACTION[db.engine.dialect.name])
    try:
        yield db.session()
        db.session.commit()
    except BaseException as fault:
        if commits_at and isinstance(fault, commits_at):
            db.session.commit()
        else:
            db.session.rollback()
        raise


def begin_reading() -> None:
    """Begins a transaction for a query whose rows are read in parts: PostgreSQL keeps them no longer than it lasts."""
    db.session.rollback()
    if locks_rows():
        db.session.connection(execution_options=TRANSACTION[db.engine.dialect.name])


def insert_rows(*rows: Base) -> None:
    """Writes new rows of one table, in the open transaction, by one statement and without the session's bookkeeping.

    The session does not see later changes of these objects: see `update_row`.
    """
    if not rows:
        return
    given = [vars(row) for row in rows]
    attributes = rows[0].__mapper__.column_attrs
    names = {part.key: part.columns[0].name for part in attributes if isinstance(part.columns[0], Column)}
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
    except NO_ADDRESS:
        raise Misconfigured(NOT_AN_ADDRESS) from None
    migrate.init_app(app, db)
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, app.config["LOCK_SECONDS"])
        app.extensions["reading_engine"] = engine
    else:
        _test_idle_connections(engine)
        app.extensions["reading_engine"] = engine.execution_options(isolation_level="AUTOCOMMIT")


NO_ADDRESS = (ArgumentError, ImportError, ValueError)  # their messages may contain the password
NOT_AN_ADDRESS = (
    "DATABASE_URL is not the address of a database that can be used, such as postgresql://user:password@host/name."
)


def address_fault(url: str) -> str | None:
    """What is wrong with DATABASE_URL, without connecting."""
    try:
        create_engine(_with_driver(url)).dispose()
    except NO_ADDRESS:
        return NOT_AN_ADDRESS
    return None


def _with_driver(url: str) -> str:
    """Uses psycopg 3 for PostgreSQL, whether the URL says `postgres` or `postgresql`."""
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)


def _engine_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters stay out of the log."""
    options: dict[str, Any] = {"hide_parameters": True}
    url = config["SQLALCHEMY_DATABASE_URI"]
    if url.startswith("postgresql"):
        arguments: dict[str, Any] = {"connect_timeout": 5}
        if config["DATABASE_POOLER"]:  # it passes no options on, and each transaction may use another connection
            arguments["prepare_threshold"] = None
        elif "options=" not in url:
            arguments["options"] = f"-c lock_timeout={round(config['LOCK_SECONDS'] * 1000)}"
        options["connect_args"] = arguments
    return options


def _test_idle_connections(engine: Engine) -> None:
    """A restarted server leaves dead connections, so one that was idle for a while is tested before it is used."""

    @event.listens_for(engine, "checkin")
    def on_checkin(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["idle_since"] = monotonic()

    @event.listens_for(engine, "checkout")
    def on_checkout(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        idle_since = record.info.get("idle_since")
        if idle_since is None or monotonic() - idle_since < TESTED_AFTER:
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as fault:
            raise InvalidatePoolError from fault  # the pool connects anew, also for its other connections


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
