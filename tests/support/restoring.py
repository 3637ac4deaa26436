"""Backups and their restores, as docs/operate.md describes them; the gateway forgets nothing by a restore."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import delete, insert, select

from webapp import create_app
from webapp.db import Base, db, transaction
from webapp.invoices import issuing
from webapp.models.accounts import Account, Issuer
from webapp.models.invoices import Invoice
from webapp.models.subscriptions import PeriodRow
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCharge

from . import citus
from .application import Browser
from .databases import CITUS, POSTGRESQL, drop_postgresql, new_postgresql, server
from .moments import watched
from .world import subscription

KEPT = (
    "SANDBOX",
    "GATEWAY",
    "STRIPE_API_URL",
    "STRIPE_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "SMTP_URL",
    "MAIL_FROM",
    "QLIK_API_KEY",
    "WTF_CSRF_ENABLED",
    "TESTING",
)

CHARGES = ("before charge", "after charge")  # the claim is committed; the money is taken, and nothing is written


def back_up(app: Flask, file: Path) -> None:
    if POSTGRESQL:
        url = app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
        subprocess.run([_program("pg_dump"), "--format=custom", f"--file={file}", url], check=True)
    else:
        done = app.test_cli_runner().invoke(args=["backup", str(file)])
        assert done.exit_code == 0, done.output


@contextmanager
def restored(app: Flask, file: Path) -> Iterator[Flask]:
    """A portal like `app` on what was restored, on an own database; the sandbox's world is what it is at `app`."""
    db.session.rollback()
    outside = {table.name: list(db.session.execute(select(table)).mappings()) for table in _sandbox_tables()}
    db.session.rollback()
    with restored_alone(file, **{name: app.config[name] for name in KEPT}) as elsewhere:
        elsewhere.test_client_class = Browser
        _write(outside)
        yield elsewhere


@contextmanager
def restored_alone(file: Path, **config: Any) -> Iterator[Flask]:
    """A portal with that configuration on what was restored, the sandbox's world included."""
    new, drop = (citus.plain_database, citus.drop_database) if CITUS else (new_postgresql, drop_postgresql)
    url = new() if POSTGRESQL else f"sqlite:///{file}"
    if POSTGRESQL:
        command = [_program("pg_restore"), "--exit-on-error", "--no-owner", f"--dbname={url}", file]
        subprocess.run([str(part).replace("+psycopg", "") for part in command], check=True)
    try:
        with (elsewhere := create_app({"SQLALCHEMY_DATABASE_URI": url, **config})).app_context():
            yield elsewhere
            db.session.remove()
            db.engine.dispose()
    finally:
        if POSTGRESQL:
            drop(url)


def _program(name: str) -> Path:
    """Of a cluster's dumps, those in PATH, which are of its own version."""
    return Path(name) if CITUS else Path(server().bin_path) / name


def _sandbox_tables() -> list[Any]:
    return [table for table in Base.metadata.sorted_tables if table.name.startswith("sandbox_")]


def _write(outside: dict[str, list[Any]]) -> None:
    with transaction() as session:
        for table in reversed(_sandbox_tables()):
            session.execute(delete(table))
        for table in _sandbox_tables():
            if outside[table.name]:
                session.execute(insert(table), [dict(row) for row in outside[table.name]])


def last_invoice(made: Made) -> str:
    """The option that names the last number that the account's issuer has given."""
    db.session.rollback()
    issuer = db.session.scalars(select(Issuer).join(Account).where(Account.id == made.account)).one()
    option = f"--last-invoice={issuer.id}:{issuing.last_number(issuer)}"
    db.session.rollback()
    return option


def run(app: Flask, *command: str, code: int = 0) -> str:
    """What a command says."""
    db.session.rollback()
    done = app.test_cli_runner().invoke(args=list(command))
    assert done.exit_code == code, (done.output, done.exception)
    db.session.rollback()
    return done.output


@contextmanager
def copied_at_each_moment(app: Flask, folder: Path, only: tuple[str, ...] = ()) -> Iterator[dict[str, Path]]:
    """Copies of the database as it is before, at each moment of what is done in the block (or those of these kinds),
    and after; by what they are of."""
    copies: dict[str, Path] = {}

    def copy(moment: str) -> None:
        name = f"{len(copies)} {moment}"
        copies[name] = folder / name.replace(" ", "-")
        back_up(app, copies[name])

    copy("at first")
    with watched(app, lambda moment: copy(moment) if not only or moment in only else None):
        yield copies
    db.session.rollback()
    copy("at last")


def captured() -> list[tuple[str, int]]:
    """The gateway's ledger."""
    db.session.rollback()
    query = select(SandboxCharge.key, SandboxCharge.amount).where(SandboxCharge.state == "captured")
    found = sorted((key, amount) for key, amount in db.session.execute(query))
    db.session.rollback()
    return found


def booked(made: Made) -> dict[str, int]:
    db.session.rollback()
    query = select(Invoice).where(Invoice.account_id == made.account, Invoice.payment_key.is_not(None))
    return {invoice.payment_key or "": invoice.total for invoice in db.session.scalars(query)}


def seats(made: Made) -> list[tuple[int, int]]:
    db.session.rollback()
    query = select(PeriodRow.ordinal, PeriodRow.seats).where(PeriodRow.subscription_id == subscription(made))
    return sorted((ordinal, number) for ordinal, number in db.session.execute(query))
