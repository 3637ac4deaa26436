"""A full disk, a locked database and one that is away: a clear page, when to try again, and a probe that says which."""

import errno
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from tests.support.application import running
from tests.support.databases import POSTGRESQL
from tests.support.world import dump, signed_in, subscription, words
from webapp import database_faults
from webapp.db import db
from webapp.operation import health
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

TITLES = {
    database_faults.FULL: ("The portal cannot save anything now", "Le portail ne peut rien enregistrer pour le moment"),
    database_faults.LOCKED: ("The portal is busy", "Le portail est momentanément saturé"),
    database_faults.UNREACHABLE: ("The portal cannot reach its data", "Le portail n’accède pas à ses données"),
}
on_sqlite = pytest.mark.skipif(POSTGRESQL, reason="it is SQLite's file that is full or locked")


@pytest.fixture
def impatient(migrated: str, tmp_path: Path) -> Iterator[Flask]:
    """A portal that hardly waits for a lock."""
    with running(migrated, tmp_path, LOCK_SECONDS=0.05) as app:
        yield app


@pytest.fixture
def owner(impatient: Flask) -> tuple[FlaskClient, Made]:
    made = scenarios.make("business")
    return signed_in(impatient, made), made


@contextmanager
def full() -> Iterator[None]:
    """No connection may add a page to the file."""
    pages = db.session.execute(text("PRAGMA page_count")).scalar_one()
    db.session.remove()

    def limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    engine = db.engine
    engine.dispose()
    event.listen(engine, "connect", limit)
    try:
        yield
    finally:
        event.remove(engine, "connect", limit)
        db.session.remove()
        engine.dispose()


@contextmanager
def locked() -> Iterator[None]:
    """Somebody else is writing."""
    with closing(sqlite3.connect(db.engine.url.database or "", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()


@on_sqlite
@pytest.mark.parametrize(("trouble", "ailing"), [(database_faults.FULL, full), (database_faults.LOCKED, locked)])
def test_a_request_that_cannot_be_saved_is_answered_with_a_page_and_changes_nothing(
    owner: tuple[FlaskClient, Made], trouble: str, ailing: Callable[[], AbstractContextManager[None]]
) -> None:
    client, made = owner
    url = f"/subscriptions/{subscription(made)}/renew"
    before = dump()
    with ailing():
        for locale, title in zip(("en", "fr"), TITLES[trouble], strict=True):
            client.set_cookie("locale", locale)
            for _ in range(200):  # until the room that is left in the file is used up
                answer = client.post(url, data={"seats": "14"})
                if answer.status_code != 303:
                    break
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
            assert title in words(answer.text)
            assert answer.headers["X-Request-ID"]
        answer = client.get("/readyz")
        assert (answer.status_code, answer.text) == (503, f"not ready: {trouble}\n")
        assert client.get("/healthz").status_code == 200
        assert client.get("/subscriptions").status_code == 200, "what is only read is shown"
    assert client.get("/readyz").status_code == 200
    assert client.post(url, data={"seats": "14"}).status_code == 303
    if trouble == database_faults.LOCKED:
        quotes = [row for row in dump()["quote"] if row not in before["quote"]]
        assert len(quotes) == 1


def test_the_probe_leaves_nothing_behind(app: Flask) -> None:
    before = dump()
    assert app.test_client().get("/readyz").status_code == 200
    assert dump() == before


@on_sqlite
def test_a_disk_with_hardly_any_room_is_not_ready(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LEAST_FREE", 2**62)
    assert app.test_client().get("/readyz").text == f"not ready: {database_faults.FULL}\n"


def test_a_temporary_file_that_does_not_fit_is_told_as_such(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room() -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(app.view_functions, "contact.page", no_room)
    answer = client.get("/contact")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert TITLES[database_faults.FULL][0] in words(answer.text)


@pytest.mark.service
@pytest.mark.skipif(not POSTGRESQL, reason="a held row is PostgreSQL's")
def test_a_row_that_is_held_too_long_is_told_as_such(impatient: Flask, owner: tuple[FlaskClient, Made]) -> None:
    client, made = owner
    url = impatient.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
    with psycopg.connect(url) as other:
        other.execute("SELECT * FROM subscription WHERE account_id = %s FOR UPDATE", (made.account,))
        answer = client.post(f"/subscriptions/{subscription(made)}/renew", data={"seats": "14"})
        assert (answer.status_code, TITLES[database_faults.LOCKED][0] in words(answer.text)) == (503, True)
        other.rollback()
    assert client.post(f"/subscriptions/{subscription(made)}/renew", data={"seats": "14"}).status_code == 303


@pytest.mark.parametrize(
    ("cause", "trouble"),
    [
        (psycopg.errors.DiskFull(), database_faults.FULL),
        (psycopg.errors.LockNotAvailable(), database_faults.LOCKED),
        (psycopg.errors.QueryCanceled(), database_faults.LOCKED),
        (psycopg.errors.AdminShutdown(), database_faults.UNREACHABLE),
        (psycopg.errors.TooManyConnections(), database_faults.UNREACHABLE),
        (psycopg.OperationalError("connection refused"), database_faults.UNREACHABLE),
        (psycopg.errors.UndefinedTable(), None),
        (psycopg.ProgrammingError(), None),
    ],
)
def test_what_postgresql_says_is_understood(cause: Exception, trouble: str | None) -> None:
    assert database_faults.temporary_fault(OperationalError("", {}, cause)) == trouble


def test_a_fault_of_ours_is_no_trouble(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        db.session.execute(text("SELECT * FROM nowhere"))
        return ""

    monkeypatch.setitem(app.view_functions, "contact.page", broken)
    assert client.get("/contact").status_code == 500
    assert database_faults.temporary_fault(ConnectionRefusedError()) is None
