"""`distribute` says in one sentence why it cannot. With DATABASE=citus every service test runs on its result."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from click.testing import Result
from flask import Flask, current_app
from flask_migrate import upgrade
from sqlalchemy import text
from sqlalchemy.schema import AddConstraint, CreateTable

from tests.support import citus, databases
from tests.support.application import new_app
from tests.support.everyday import walk
from webapp.db import SEQUENTIAL, Base, db
from webapp.invoices import listing
from webapp.operation import distribution, doctor
from webapp.operation.distribution import places
from webapp.sandbox import scenarios

on_citus = pytest.mark.skipif(not databases.CITUS, reason="CITUS_URL names a cluster, with DATABASE=citus")
OWNER = "portal_owner"


def test_without_citus_it_says_so_and_changes_nothing(app: Flask) -> None:
    if databases.CITUS:
        pytest.skip("this is Citus")
    done = app.test_cli_runner().invoke(args=["distribute"])
    sentence = "This PostgreSQL has no Citus" if databases.POSTGRESQL else "SQLite is one file on one machine"
    assert (done.exit_code, sentence in done.output, done.output.count("\n")) == (1, True, 1)


@pytest.mark.parametrize(
    ("version", "old"), [("13.0-1", True), ("13.1-1", False), ("13.2-1", False), ("14.0-1", False)]
)
def test_an_old_citus_is_refused(version: str, old: bool) -> None:
    assert bool(distribution.too_old(version)) is old


@pytest.fixture
def undistributed() -> Iterator[Flask]:
    """A portal on a migrated database that can be distributed, as a role that owns it and is no superuser."""
    url = citus.new_database(owner=OWNER)
    address = urlsplit(url)
    owned = address._replace(netloc=address.netloc.replace("postgres@", f"{OWNER}@")).geturl()
    app = new_app(owned, WTF_CSRF_ENABLED=False)
    with app.app_context():
        upgrade()
        yield app
        db.session.remove()
        db.engine.dispose()
    citus.drop_database(url)


def run(*command: str) -> Result:
    db.session.remove()
    return current_app.test_cli_runner().invoke(args=list(command))


@pytest.mark.service
@on_citus
def test_the_owner_distributes_and_run_again_it_does_nothing_more(undistributed: Flask) -> None:
    made = scenarios.make("many-invoices")
    first, second = run("distribute"), run("distribute")
    assert (first.exit_code, second.exit_code) == (0, 0)
    for name, place in places().items():
        assert f"{name:<20}{place.value}\n" in first.output
        assert f"{name:<20}{place.value} (already)\n" in second.output
    assert run("db", "upgrade").exit_code == 0
    assert len(listing.invoices_of(made.account)) == 120
    walk(undistributed)


@pytest.mark.service
@on_citus
def test_broken_off_it_changed_nothing_and_goes_on_when_run_again(
    undistributed: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    references = foreign_keys()
    with monkeypatch.context() as patch:
        patch.setitem(distribution.KINDS, distribution.Place.LOCAL, "nothing")  # the coordinator's tables come last
        patch.setattr(distribution, "_statement", lambda place: STATEMENTS.get(place, "SELECT 1 / 0 FROM pg_class"))
        done = run("distribute")
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert "Nothing was changed (division by zero)." in done.output
    assert foreign_keys() == references
    assert db.session.scalar(text("SELECT count(*) FROM citus_tables")) == 0
    assert run("distribute").exit_code == 0
    assert foreign_keys() == references


STATEMENTS = {
    place: distribution._statement(place) for place in distribution.Place if place is not distribution.Place.LOCAL
}


@pytest.mark.service
@on_citus
def test_it_goes_on_where_somebody_began_by_hand(undistributed: Flask) -> None:
    """Citus makes tables that refer to the copied one local ones: they are distributed all the same."""
    references = foreign_keys()
    db.session.execute(text("SELECT create_reference_table('issuer')"))
    db.session.commit()
    done = run("distribute")
    assert done.exit_code == 0, done.output
    assert "copied to every machine (already)" in done.output
    assert f"{'account':<20}distributed by account\n" in done.output
    assert foreign_keys() == references


@pytest.mark.service
@on_citus
def test_a_later_migration_adds_a_column_and_a_table(undistributed: Flask) -> None:
    """As CONTRIBUTING.md says. `draft` stands for a new table."""
    assert run("distribute").exit_code == 0
    table = Base.metadata.tables["draft"]
    (reference,) = table.foreign_key_constraints
    with db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE account ADD COLUMN more integer DEFAULT 0 NOT NULL"))
        connection.execute(text("CREATE INDEX ix_account_more ON account (id, more)"))
        connection.execute(text("UPDATE account SET more = 1"))
        connection.execute(text("DROP TABLE draft"))
    with db.engine.begin() as connection:
        connection.execute(text(SEQUENTIAL))  # as webapp/migrations/env.py
        connection.execute(CreateTable(table, include_foreign_key_constraints=[]))
        distribution.place_new(connection, "draft", places()["draft"])
        connection.execute(AddConstraint(reference))
    assert f"{'draft':<20}distributed by account (already)\n" in run("distribute").output
    walk(undistributed)


@pytest.mark.service
@on_citus
def test_the_doctor_sees_that_a_worker_waits_for_locks_without_end(app: Flask) -> None:
    name = db.engine.url.database or ""
    assert dict(doctor.CHECKS)["database locks"]() is None
    try:
        citus.on_workers(name, f"ALTER DATABASE {name} RESET lock_timeout")
        db.engine.dispose()
        assert "on each machine of a cluster" in (dict(doctor.CHECKS)["database locks"]() or "")
    finally:
        citus.on_workers(name, f"ALTER DATABASE {name} SET lock_timeout = '10s'")


def foreign_keys() -> list[str]:
    """Not those of the shards."""
    query = """
        SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
        WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND conrelid::regclass::text !~ '_[0-9]+$'
        ORDER BY 1
    """
    with db.engine.connect() as connection:
        return list(connection.scalars(text(query)))
