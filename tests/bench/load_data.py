"""The database of the load bench: accounts of one issuer, with one subscription and a share of the invoices each."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
from flask import Flask
from flask_migrate import upgrade

from e2e.portal import environment
from tests.bench.roll_over import COPIED, NAME
from webapp import create_app
from webapp.db import Base, db
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

SIGN_IN_KEYS = b"""
INSERT INTO sign_in_key (key_hash, account_id)
SELECT encode(sha256(convert_to('email' || chr(10) || email, 'UTF8')), 'hex'), account_id FROM member
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True)
class Size:
    subscriptions: int = 1_000
    invoices: int = 10_000
    due: int = 1_000
    owners: int = 20
    clients: int = 4
    seconds: float = 6.0
    processes: tuple[int, ...] = (2,)

    @classmethod
    def from_environment(cls) -> "Size":
        given = {
            name: os.environ.get(f"LOAD_{name.upper()}")
            for name in ("subscriptions", "invoices", "due", "owners", "clients")
        }
        numbers = {name: int(value) for name, value in given.items() if value}
        processes = tuple(map(int, os.environ.get("LOAD_PROCESSES", "2").split()))
        return cls(**numbers, seconds=float(os.environ.get("LOAD_SECONDS", "6")), processes=processes)


def populate(url: str, size: Size, folder: Path) -> Made:
    """Copies a first account with its subscription, and gives each subscription its share of the invoices."""
    app = opened(url, folder)
    with app.app_context():
        upgrade()
        made = scenarios.make("business")
        db.session.remove()
        db.engine.dispose()
    with psycopg.connect(url) as connection:
        for name in COPIED:
            _multiply(connection, name, size.subscriptions - 1)
        connection.execute(SIGN_IN_KEYS)
        each = max(0, size.invoices // size.subscriptions - 6)
        columns = [column.name for column in Base.metadata.tables["invoice"].columns]
        own = {
            "id": "'i' || n",
            "account_id": "s.account_id",
            "subscription_id": "s.id",
            "number": "'LD-' || n",
            "number_key": "'ld-' || n",
            "issued_on": "date '2016-01-01' + n",
        }
        chosen = ", ".join(own.get(column, f"like_it.{column}") for column in columns)
        connection.execute(
            f"INSERT INTO invoice ({', '.join(columns)}) SELECT {chosen} FROM subscription AS s, "
            f"generate_series(1, {each}) AS n, (SELECT * FROM invoice LIMIT 1) AS like_it".encode()
        )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return made


def opened(url: str, folder: Path) -> Flask:
    with patch.dict(os.environ, environment(folder, DATABASE_URL=url), clear=True):
        return create_app()


def _multiply(connection: "psycopg.Connection[Any]", name: str, times: int) -> None:
    """Copies each row so many times inside the server; identifiers in the copies get a number."""
    names = [column.name for column in Base.metadata.tables[name].columns]
    quoted = ", ".join(f'"{column}"' for column in names)  # in the order of the models, not in that of the migrations
    row = connection.execute(f"SELECT {quoted} FROM {name} LIMIT 1".encode()).fetchone()
    assert row
    shared = connection.execute(
        b"SELECT issuer_id, (SELECT price_list_id FROM subscription LIMIT 1) FROM account LIMIT 1"
    )
    kept = set(shared.fetchone() or ())
    columns = {}
    for column, value in zip(names, row, strict=True):
        if column == "id" and not isinstance(value, str):
            continue  # the database assigns it
        if isinstance(value, str) and value not in kept and NAME.fullmatch(value):
            columns[column] = (
                f"'x' || lpad(to_hex(n), 5, '0') || substr({column}, 7)" if len(value) == 20 else f"n || {column}"
            )
        else:
            columns[column] = column
    connection.execute(
        f"INSERT INTO {name} ({', '.join(columns)}) SELECT {', '.join(columns.values())} "
        f"FROM {name} AS one, generate_series(1, {times}) AS n".encode()
    )
