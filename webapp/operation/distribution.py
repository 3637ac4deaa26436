"""`distribute`: spreads the tables over the machines of a Citus cluster, by account.

What each table becomes follows from its key. A table whose primary key begins with the account is distributed beside
the account. EVERYONES tables that others refer to are copied to every machine; the rest stay on the coordinator.
"""

import re
from enum import StrEnum

import click
from flask.cli import with_appcontext
from sqlalchemy import Connection, Table, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import AddConstraint, DropConstraint

from ..db import SEQUENTIAL, Base, db
from . import health

ACCOUNT = "account"
# Tables of everyone that statements about one account refer to or read: `restore_hold` before each request.
COPIED = ("issuer", "price_list", "publication", "restore_hold")
OLDEST = (13, 1)  # of Citus: older ones do not carry rights on columns to the workers (see grants.py)


class Place(StrEnum):
    DISTRIBUTED = "distributed by account"
    REFERENCE = "copied to every machine"
    LOCAL = "on the coordinator"


KINDS = {Place.DISTRIBUTED: "distributed", Place.REFERENCE: "reference", Place.LOCAL: "local"}  # as Citus says


def place_of(table: Table) -> Place:
    if table.name == ACCOUNT or next(iter(table.primary_key.columns)).name == "account_id":
        return Place.DISTRIBUTED
    return Place.REFERENCE if table.name in COPIED else Place.LOCAL


def places() -> dict[str, Place]:
    """By table, in the order in which they can be distributed."""
    tables = Base.metadata.sorted_tables
    copied = [table for table in tables if place_of(table) is Place.REFERENCE]
    distributed = [table for table in tables if place_of(table) is Place.DISTRIBUTED]
    distributed.sort(key=lambda table: table.name != ACCOUNT)  # the others go where their account is
    local = [table for table in tables if place_of(table) is Place.LOCAL]
    return {table.name: place_of(table) for table in (*copied, *distributed, *local)}


def distribute(connection: Connection) -> dict[str, bool]:
    """Makes each table what it is to become, in the open transaction. Returns which of them were changed.

    The foreign keys between these tables are dropped first and added at the end, so that the order does not matter.
    """
    known = connection.execute(text("SELECT table_name::text, citus_table_type FROM citus_tables"))
    done = {name.strip('"'): kind for name, kind in known}
    missing = {name: place for name, place in places().items() if done.get(name) != KINDS[place]}
    if not missing:
        return dict.fromkeys(places(), False)
    connection.execute(text(SEQUENTIAL))
    references = [
        key
        for name in places()
        for key in Base.metadata.tables[name].foreign_key_constraints
        if _exists(connection, key.name)
    ]
    for key in references:
        connection.execute(DropConstraint(key))
    for name, place in missing.items():
        _move(connection, name, place)
    for name, place in missing.items():
        if place is not Place.LOCAL:
            connection.execute(
                text("SELECT truncate_local_data_after_distributing_table(:table)"), {"table": f'"{name}"'}
            )
    for key in sorted(references, key=lambda key: str(key.name)):
        connection.execute(AddConstraint(key))
    return {name: name in missing for name in places()}


def place_new(connection: Connection, name: str, place: Place) -> None:
    """For migrations: gives a new table its place where the others have theirs. Add its references afterwards."""
    if citus_version(connection) is not None:
        distributed = text("SELECT 1 FROM citus_tables WHERE table_name = to_regclass(:account)")
        if connection.execute(distributed, {"account": ACCOUNT}).first() is not None:
            _move(connection, name, place)


def _move(connection: Connection, name: str, place: Place) -> None:
    values = {"table": f'"{name}"'}
    if place is Place.DISTRIBUTED:
        first = name == ACCOUNT
        values |= {"column": "id" if first else "account_id", "beside": "none" if first else ACCOUNT}
    connection.execute(text(_statement(place)), values)


def _exists(connection: Connection, constraint: object) -> bool:
    query = text("SELECT 1 FROM pg_constraint WHERE conname = :name AND contype = 'f'")
    return connection.execute(query, {"name": str(constraint)}).first() is not None


def _statement(place: Place) -> str:
    if place is Place.REFERENCE:
        return "SELECT create_reference_table(:table)"
    if place is Place.LOCAL:
        return "SELECT citus_add_local_table_to_metadata(:table)"
    return "SELECT create_distributed_table(:table, :column, colocate_with => :beside)"


def fault() -> str | None:
    """Why the tables cannot be distributed, and what to do."""
    if db.engine.dialect.name != "postgresql":
        return "SQLite is one file on one machine: only PostgreSQL with the extension Citus can be distributed."
    with db.engine.connect() as connection:
        version = citus_version(connection)
    if version is None:
        return "This PostgreSQL has no Citus: run CREATE EXTENSION citus there, and add the workers (docs/operate.md)."
    return too_old(version)


def citus_version(connection: Connection) -> str | None:
    """Such as 13.2-1; None if the database has no Citus."""
    version: str | None = connection.scalar(text("SELECT extversion FROM pg_extension WHERE extname = 'citus'"))
    return version


def too_old(version: str) -> str | None:
    if tuple(map(int, re.findall("[0-9]+", version)[:2])) >= OLDEST:
        return None
    return f"Citus {version} is too old: install {'.'.join(map(str, OLDEST))} or newer."


@click.command("distribute")
@with_appcontext
def distribute_command() -> None:
    """Spread the tables over a Citus cluster, by account. Stop the portal first; run again, it goes on."""
    health.check_database()
    if (sentence := fault()) is not None:
        raise click.ClickException(sentence)
    try:
        with db.engine.begin() as connection:
            changed = distribute(connection)
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise click.ClickException(f"Nothing was changed ({reason}). Settle this, and run the command again.") from None
    for name, place in places().items():
        click.echo(f"{name:<20}{place.value}{'' if changed[name] else ' (already)'}")
