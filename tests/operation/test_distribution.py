"""`distribute` says in one sentence why it cannot. With DATABASE=citus every service test runs on its result."""

import os
from collections.abc import Iterator

import pytest
from flask import Flask

from tests.support import citus, databases
from webapp.operation.distribution import places

on_citus = pytest.mark.skipif(not databases.CITUS, reason="CITUS_URL names a cluster, with DATABASE=citus")


def test_without_citus_it_says_so_and_changes_nothing(app: Flask) -> None:
    if databases.CITUS:
        pytest.skip("this is Citus")
    done = app.test_cli_runner().invoke(args=["distribute"])
    sentence = "This PostgreSQL has no Citus" if databases.POSTGRESQL else "SQLite is one file on one machine"
    assert (done.exit_code, sentence in done.output, done.output.count("\n")) == (1, True, 1)


@pytest.fixture
def undistributed(app: Flask) -> Iterator[str]:
    url = citus.new_database()
    yield url
    citus.drop_database(url)


@pytest.mark.service
@on_citus
def test_it_tells_what_each_table_became_and_run_again_it_does_nothing_more(undistributed: str) -> None:
    from webapp import create_app
    from webapp.db import db
    from webapp.sandbox import scenarios

    assert "CITUS_URL" in os.environ
    with create_app({"SQLALCHEMY_DATABASE_URI": undistributed, "SANDBOX": True}).app_context():
        from flask import current_app
        from flask_migrate import upgrade

        upgrade()
        made = scenarios.make("many-invoices")
        db.session.remove()
        runner = current_app.test_cli_runner()
        first, second = (runner.invoke(args=["distribute"]) for _ in range(2))
        assert (first.exit_code, second.exit_code) == (0, 0)
        for name, place in places().items():
            assert f"{name:<20}{place.value}\n" in first.output
            assert f"{name:<20}{place.value} (already)\n" in second.output
        from webapp.invoices import listing

        assert len(listing.invoices_of(made.account)) == 120
        db.session.remove()
        db.engine.dispose()
