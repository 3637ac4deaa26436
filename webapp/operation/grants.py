"""`grant`: lets a role of PostgreSQL run the portal, and change nothing that must never change.

The role that runs `db upgrade` owns the tables: only it prunes, restores and distributes. Issued invoices, their
documents and the trail are written once: the database itself refuses to change or delete them for the running role.
"""

import re

import click
from flask.cli import with_appcontext
from sqlalchemy import Connection, text

from ..db import SEQUENTIAL, Base, db
from . import distribution, health

# Tables whose rows are written once, and the columns of them that do change: what was credited of an invoice.
WRITTEN_ONCE = {
    "invoice": ("credited", "status"),
    **dict.fromkeys(("invoice_document", "activity", "security_event", "trail_seal", "spent_number"), ()),
}
ROLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}", re.ASCII)


def grant(connection: Connection, role: str) -> None:
    """Gives the role what the running portal needs, and takes the rest, in the open transaction."""
    connection.execute(text(SEQUENTIAL))
    connection.execute(text(f'GRANT USAGE ON SCHEMA public TO "{role}"'))
    connection.execute(text(f'GRANT SELECT ON TABLE alembic_version TO "{role}"'))
    for name in Base.metadata.tables:
        connection.execute(text(f'REVOKE ALL ON TABLE "{name}" FROM "{role}"'))
        changes = WRITTEN_ONCE.get(name)
        rights = "SELECT, INSERT, UPDATE, DELETE" if changes is None else "SELECT, INSERT"
        connection.execute(text(f'GRANT {rights} ON TABLE "{name}" TO "{role}"'))
        if changes:
            columns = ", ".join(changes)
            connection.execute(text(f'GRANT UPDATE ({columns}) ON TABLE "{name}" TO "{role}"'))
    connection.execute(text(f'GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO "{role}"'))


RIGHTS = text("""
    SELECT table_, right_ FROM unnest(CAST(:tables AS text[])) table_,
        unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) right_
    WHERE has_table_privilege(quote_ident(table_), right_)
""")
COLUMNS = text("""
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = ANY(:tables)
        AND has_column_privilege(quote_ident(table_name), column_name, 'UPDATE')
""")


def too_open(connection: Connection) -> list[str]:
    """The tables on which the connected role may do more than `grant` gives."""
    tables = list(Base.metadata.tables)
    rights = connection.execute(RIGHTS, {"tables": tables}).all()
    undue = {table for table, right in rights if table in WRITTEN_ONCE or right not in ("UPDATE", "DELETE")}
    columns = connection.execute(COLUMNS, {"tables": list(WRITTEN_ONCE)})
    return sorted(undue | {table for table, column in columns if column not in WRITTEN_ONCE[table]})


def fault(role: str) -> str | None:
    """Why nothing can be granted to this role, and what to do."""
    if db.engine.dialect.name != "postgresql":
        return "SQLite has no roles: whoever can write its file can change everything."
    if not ROLE.fullmatch(role):
        return "The name of a role has letters, digits and underscores only."
    with db.engine.connect() as connection:
        row = connection.execute(text("SELECT rolsuper FROM pg_roles WHERE rolname = :role"), {"role": role}).first()
        owner = connection.execute(text("SELECT current_user")).scalar()
        version = distribution.citus_version(connection)
    if version is not None and (sentence := distribution.too_old(version)) is not None:
        return sentence
    if row is None:
        return f"There is no role {role}: make it first, with CREATE ROLE {role} LOGIN PASSWORD '…'."
    if row.rolsuper or role == owner:
        return f"The role {role} owns the tables or is a superuser, so nothing can be kept from it: name another one."
    return None


@click.command("grant")
@click.argument("role")
@with_appcontext
def grant_command(role: str) -> None:
    """Let a role of PostgreSQL run the portal. It cannot change issued invoices, their documents or the trail."""
    health.check_database()
    if (sentence := fault(role)) is not None:
        raise click.ClickException(sentence)
    with db.engine.begin() as connection:
        grant(connection, role)
    click.echo(f"{role} may run the portal, and cannot change {', '.join(sorted(WRITTEN_ONCE))}.")
