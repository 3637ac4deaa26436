"""Databases on a Citus cluster: CITUS_URL is a superuser's address of the coordinator, CITUS_WORKERS names the workers.

CITUS_URL=postgresql://postgres@127.0.0.1:5432/postgres CITUS_WORKERS="127.0.0.1:5433 127.0.0.1:5434"
"""

import os
from itertools import count
from urllib.parse import SplitResult, urlsplit

import psycopg

from webapp import create_app
from webapp.db import db
from webapp.operation.distribution import distribute

_numbers = count(1)
ALONE = "SET citus.enable_ddl_propagation = off"  # what follows is for this machine only
MAKE_ROLE = """
    DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{0}') THEN CREATE ROLE {0} LOGIN; END IF;
    END $$
"""
EMPTY_SHARDS = (
    "SET citus.override_table_visibility = off",
    "SET citus.enable_manual_changes_to_shards = on",
    "SET session_replication_role = replica",  # foreign keys are not checked
    """
    DO $$ DECLARE shard text; filled boolean; BEGIN
    FOR shard IN SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
        AND relname <> 'alembic_version' AND oid NOT IN (SELECT logicalrelid FROM pg_dist_partition)
    LOOP
        EXECUTE 'SELECT EXISTS (SELECT 1 FROM ' || shard || ')' INTO filled;
        IF filled THEN EXECUTE 'DELETE FROM ' || shard; END IF;
    END LOOP; END $$
    """,
)


def coordinator() -> SplitResult:
    return urlsplit(os.environ["CITUS_URL"])


def _nodes() -> list[SplitResult]:
    """The coordinator first."""
    first = coordinator()
    user = first.netloc.rpartition("@")[0]
    workers = os.environ["CITUS_WORKERS"].split()
    return [first, *(first._replace(netloc=f"{user}@{worker}" if user else worker) for worker in workers)]


def _execute(node: SplitResult, name: str, *statements: str) -> None:
    with psycopg.connect(node._replace(path=f"/{name}").geturl(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def new_database(owner: str = "") -> str:
    """An empty database on every machine of the cluster, of that role; returns its address."""
    name = f"portal_{os.getpid()}_{next(_numbers)}"
    nodes = _nodes()
    for node in nodes:
        _execute(node, node.path[1:], f"CREATE DATABASE {name}")
        _execute(node, name, "CREATE EXTENSION citus")
    _execute(nodes[0], name, f"ALTER DATABASE {name} SET citus.shard_count = 4")
    _execute(nodes[0], name, f"SELECT citus_set_coordinator_host('{nodes[0].hostname}', {nodes[0].port})")
    for worker in nodes[1:]:
        _execute(worker, name, f"ALTER DATABASE {name} SET lock_timeout = '10s'")  # in operation it is set on the role
        _execute(nodes[0], name, f"SELECT citus_add_node('{worker.hostname}', {worker.port})")
    for node in nodes if owner else ():
        _execute(node, name, ALONE, MAKE_ROLE.format(owner), f"ALTER DATABASE {name} OWNER TO {owner}")
    return nodes[0]._replace(path=f"/{name}").geturl()


def on_workers(name: str, statement: str) -> None:
    for worker in _nodes()[1:]:
        _execute(worker, name, ALONE, statement)


def plain_database() -> str:
    """An empty database on the coordinator alone, without the extension."""
    name, first = f"portal_{os.getpid()}_{next(_numbers)}", coordinator()
    _execute(first, first.path[1:], f"CREATE DATABASE {name}")
    return first._replace(path=f"/{name}").geturl()


def drop_database(url: str) -> None:
    name = urlsplit(url).path[1:]
    for node in _nodes():
        _execute(node, node.path[1:], f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def distributed_database() -> str:
    """A freshly migrated database, distributed as the command does it."""
    from flask_migrate import upgrade

    url = new_database()
    with create_app({"SQLALCHEMY_DATABASE_URI": url, "SANDBOX": True}).app_context():
        upgrade()
        with db.engine.begin() as connection:
            distribute(connection)
        db.engine.dispose()
    return url


def empty(url: str) -> None:
    """Deletes every row, on each machine from the shards that it has: TRUNCATE of distributed tables takes seconds."""
    name = urlsplit(url.replace("+psycopg", "")).path[1:]
    for node in _nodes():
        _execute(node, name, *EMPTY_SHARDS)
