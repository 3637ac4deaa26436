"""`backup`: copies a SQLite database while the portal runs; with --check, restores a copy elsewhere and reads it."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path

import click
import flask_migrate
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import func, inspect, select

from ..config import COMMAND
from ..db import Across, Base, across, db
from ..invoices import issuing
from ..models.accounts import Account
from ..models.invoices import Invoice
from ..models.restores import RestoreHold
from ..ports import ports
from . import health

SQLITE, POSTGRESQL = b"SQLite format 3\0", b"PGDMP"  # how their files begin
NOT_SOUND = "Do not rely on this copy: make another, and keep the older ones."


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--check", is_flag=True, help="Check this copy instead, in a temporary database.")
@click.option("--into", metavar="ADDRESS", help="For --check of a dump: an empty PostgreSQL database.")
@with_appcontext
def backup(file: str, check: bool, into: str | None) -> None:
    """Copy the SQLite database as it is at one moment into a new file, while the portal runs.

    The copy is marked: a portal that starts on it charges nothing until `restored` was run.
    """
    if check:
        _check(Path(file), into)
        return
    if into:
        raise click.ClickException("--into is for --check only.")
    if db.engine.dialect.name != "sqlite":
        raise click.ClickException("This copies SQLite only. PostgreSQL: pg_dump --format=custom --file=FILE ADDRESS")
    health.check_database()
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except OSError as fault:
        raise click.ClickException(f"{file} cannot be made ({fault.strerror}): name a new file.") from None
    os.close(descriptor)
    copied_at = ports().clock.system_now().replace(tzinfo=None)
    unmarked = f"{file}.unmarked"
    os.close(os.open(unmarked, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600))
    with closing(sqlite3.connect(db.engine.url.database or "")) as source:
        source.execute("VACUUM INTO ?", (unmarked,))
    with closing(sqlite3.connect(unmarked)) as copy, copy:
        copy.execute("INSERT OR REPLACE INTO restore_hold (id, copied_at) VALUES (1, ?)", (f"{copied_at}",))
    os.replace(unmarked, file)  # so there is never a complete copy without its mark
    descriptor = os.open(file, os.O_RDWR)
    os.fsync(descriptor)
    os.close(descriptor)
    click.echo(f"{file}: {os.path.getsize(file):,} bytes.")


def _check(file: Path, into: str | None) -> None:
    try:
        with file.open("rb") as opened:
            begins = opened.read(len(SQLITE))
    except OSError as fault:
        raise click.ClickException(f"{file} cannot be read: {fault.strerror}.") from None
    if begins == SQLITE and not into:
        _check_sqlite(file)
    elif begins.startswith(POSTGRESQL):
        _check_dump(file, into)
    else:
        raise click.ClickException(f"{file} is neither a copy of `backup` nor a dump of pg_dump --format=custom.")


def _check_sqlite(file: Path) -> None:
    """In a copy of the copy, which is brought to this version."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "portal.sqlite3"
        shutil.copyfile(file, copy)
        with closing(sqlite3.connect(copy)) as opened:
            try:
                damage = [str(row[0]) for row in opened.execute("PRAGMA integrity_check(1)") if row[0] != "ok"]
                damage += [f"a row of {row[0]} refers to nothing" for row in opened.execute("PRAGMA foreign_key_check")]
            except sqlite3.DatabaseError as fault:
                damage = [str(fault)]
        if damage:
            raise click.ClickException(f"{file} is damaged: {damage[0]}. {NOT_SOUND}")
        _read(file, f"sqlite:///{copy}")


def _check_dump(file: Path, into: str | None) -> None:
    listed = _pg_restore("--list", str(file))
    present = {line.split()[6] for line in listed.splitlines() if " TABLE DATA " in line}
    missing = sorted({"alembic_version", "account", "invoice", "payment"} - present)
    if missing:
        raise click.ClickException(f"{file} lacks the tables {', '.join(missing)}. {NOT_SOUND}")
    if into is None:
        click.echo(
            f"{file} can be read, and has the data of {len(present)} tables. To read them: make an empty database, "
            f"and run {COMMAND} backup --check --into ADDRESS {file}"
        )
        return
    app = current_app.extensions["make_app"]({"SQLALCHEMY_DATABASE_URI": into})
    with app.app_context():
        address = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        is_empty = db.engine.dialect.name == "postgresql" and not inspect(db.engine).get_table_names()
        db.engine.dispose()
    if not is_empty:
        raise click.ClickException("--into is not an empty PostgreSQL database: make one with createdb.")
    _pg_restore("--exit-on-error", "--no-owner", "--no-privileges", f"--dbname={address}", str(file))
    _read(file, into)
    click.echo("The database of --into holds it now: drop it, it is personal data.")


def _pg_restore(*arguments: str) -> str:
    program = shutil.which("pg_restore")
    if program is None:
        raise click.ClickException("pg_restore is not installed: install PostgreSQL's client of the server's version.")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)  # noqa: S603  found above
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it failed"])[0]
        raise click.ClickException(f"pg_restore: {reason}. {NOT_SOUND}")
    return done.stdout


def _read(file: Path, address: str) -> None:
    """Brings a restored database to this version and reads it. Raises ClickException if anything is not right."""
    with current_app.extensions["make_app"]({"SQLALCHEMY_DATABASE_URI": address}).app_context():
        try:
            try:
                flask_migrate.upgrade()
            except (Exception, SystemExit):
                raise click.ClickException(
                    f"{file} cannot be brought to this version: it is of a newer one, or is not whole. {NOT_SOUND}"
                ) from None
            if missing := issuing.missing_numbers():
                shown = ", ".join(f"{count} of issuer {issuer} in {year}" for issuer, year, count in missing)
                raise click.ClickException(f"{file} lacks invoices ({shown}). {NOT_SOUND}")
            counts = [f"{_count(model):,} {name}" for name, model in (("accounts", Account), ("invoices", Invoice))]
            newest = db.session.scalars(across(select(func.max(Invoice.issued_on)), Across.DOCTOR)).one()
            hold = db.session.get(RestoreHold, 1)
            mark = f"copied at {hold.copied_at:%Y-%m-%d %H:%M} UTC" if hold and hold.copied_at else "not marked"
            tables = len(Base.metadata.tables)
            click.echo(
                f"{file} is sound: {', '.join(counts)}, the newest of {newest or 'no day'}, {tables} tables; {mark}."
            )
        finally:
            db.session.remove()
            db.engine.dispose()


def _count(model: type[Account] | type[Invoice]) -> int:
    return db.session.scalars(across(select(func.count()).select_from(model), Across.DOCTOR)).one()
