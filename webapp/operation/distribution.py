"""`distribute`: spreads the tables over the machines of a Citus cluster, by account.

What each table becomes follows from its key. A table whose primary key begins with the account is distributed beside
the account. EVERYONES tables that others refer to are copied to every machine; the rest stay on the coordinator.
"""

from enum import StrEnum

import click
from flask.cli import with_appcontext
from sqlalchemy import Connection, Table, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import AddConstraint, DropConstraint

from ..db import Base, db
from . import health

ACCOUNT = "account"
# Tables of everyone that statements about one account join or refer to.
COPIED = ("issuer", "price_list", "restore_hold", "kept_default")


class Place(StrEnum):
    DISTRIBUTED = "distributed by account"
    REFERENCE = "copied to every machine"
    LOCAL = "on the coordinator"


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
    known = connection.execute(text("SELECT table_name::text FROM citus_tables"))
    done = {name.strip('"') for name in known.scalars()}
    missing = {name: place for name, place in places().items() if name not in done}
    if not missing:
        return dict.fromkeys(places(), False)
    connection.execute(text("SET LOCAL citus.multi_shard_modify_mode = 'sequential'"))
    references = [
        key
        for name in places()
        for key in Base.metadata.tables[name].foreign_key_constraints
        if _exists(connection, key.name)
    ]
    for key in references:
        connection.execute(DropConstraint(key))
    for name, place in missing.items():
        values = {"table": f'"{name}"'}
        if place is Place.DISTRIBUTED:
            first = name == ACCOUNT
            values |= {"column": "id" if first else "account_id", "beside": "none" if first else ACCOUNT}
        connection.execute(text(_statement(place)), values)
    for name, place in missing.items():
        if place is not Place.LOCAL:
            connection.execute(
                text("SELECT truncate_local_data_after_distributing_table(:table)"), {"table": f'"{name}"'}
            )
    for key in sorted(references, key=lambda key: str(key.name)):
        connection.execute(AddConstraint(key))
    return {name: name in missing for name in places()}


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
        if connection.execute(text("SELECT 1 FROM pg_extension WHERE extname = 'citus'")).first() is None:
            return (
                "This PostgreSQL has no Citus: run CREATE EXTENSION citus there, and add the workers (docs/operate.md)."
            )
    return None


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
