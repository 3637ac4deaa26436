"""`backup --check`: a copy is restored elsewhere and read, and one that is not whole is told."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask, current_app
from flask_migrate import downgrade

from tests.support import databases
from tests.support.application import new_app
from tests.support.world import pay, quoted
from webapp.db import db
from webapp.operation import health
from webapp.sandbox.scenarios import Made

on_sqlite = pytest.mark.skipif(databases.POSTGRESQL, reason="copies a file")
on_postgresql = pytest.mark.skipif(not databases.POSTGRESQL or databases.CITUS, reason="dumps a PostgreSQL database")


def check(file: Path, *options: str) -> Result:
    db.session.rollback()
    return current_app.test_cli_runner().invoke(args=["backup", "--check", *options, str(file)])


def refused(file: Path, *options: str) -> str:
    result = check(file, *options)
    assert (result.exit_code, "Traceback" in result.output) == (1, False), result.output
    return result.output


@pytest.fixture
def copy(app: Flask, business: Made, tmp_path: Path) -> Path:
    pay(app, business, quoted(app, business))
    db.session.remove()
    file = tmp_path / "copy"
    assert app.test_cli_runner().invoke(args=["backup", str(file)]).exit_code == 0
    return file


def change(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as opened, opened:
        for statement in statements:
            opened.execute(statement)


@on_sqlite
def test_a_sound_copy_is_told_and_stays_as_it_is(copy: Path) -> None:
    before = copy.read_bytes()
    result = check(copy)
    assert result.exit_code == 0, result.output
    assert " is sound: 1 accounts, " in result.output
    assert "; copied at 20" in result.output
    assert copy.read_bytes() == before
    assert health.database_fault() is None


@on_sqlite
def test_a_copy_of_an_older_version_is_brought_to_this_one(copy: Path) -> None:
    older = new_app(f"sqlite:///{copy}")
    with older.app_context():
        downgrade(revision="-1")
        db.session.remove()
        db.engine.dispose()
    assert check(copy).exit_code == 0


@on_sqlite
def test_damage_and_gaps_are_told(copy: Path, tmp_path: Path) -> None:
    whole = copy.read_bytes()
    copy.write_bytes(whole[: len(whole) // 2])
    assert "is damaged: " in refused(copy)
    copy.write_bytes(whole)
    change(copy, "UPDATE alembic_version SET version_num = '9999'")
    assert "cannot be brought to this version" in refused(copy)
    copy.write_bytes(whole)
    change(copy, "UPDATE invoice_counter SET last_number = last_number + 1")
    assert "lacks invoices (1 of issuer " in refused(copy)
    copy.write_bytes(whole)
    change(copy, "DELETE FROM subscription")
    assert "refers to nothing" in refused(copy)
    copy.write_bytes(b"nothing of the kind")
    assert "is neither a copy of `backup` nor a dump" in refused(copy)
    assert "cannot be read: No such file" in refused(tmp_path / "none")
    assert (
        "--into is for --check only"
        in current_app.test_cli_runner().invoke(args=["backup", "--into", "x", str(tmp_path / "other")]).output
    )


@pytest.mark.service
@on_postgresql
def test_a_dump_is_listed_and_restored_into_an_empty_database(
    app: Flask, business: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay(app, business, quoted(app, business))
    db.session.remove()
    programs = databases.server().bin_path
    address = app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
    dump = tmp_path / "dump"
    subprocess.run([programs / "pg_dump", "--format=custom", f"--file={dump}", address], check=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "pg_restore is not installed" in refused(dump)
    monkeypatch.setenv("PATH", str(programs))
    listed = check(dump)
    assert (listed.exit_code, "can be read, and has the data of " in listed.output) == (0, True), listed.output
    assert "is not an empty PostgreSQL database" in refused(dump, "--into", address)
    with databases.fresh_database(tmp_path) as empty:
        result = check(dump, "--into", empty)
        assert result.exit_code == 0, result.output
        assert " is sound: 1 accounts, " in result.output
    dump.write_bytes(dump.read_bytes()[:2000])
    assert "pg_restore: " in refused(dump)
