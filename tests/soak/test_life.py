"""Some lives of a subscription in any order; `make soak` runs many more."""

from collections.abc import Iterator

import pytest
from flask import Flask
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.soak.life import MIXED, machine, still
from tests.support import databases
from webapp import create_app
from webapp.db import db

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def shared(migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """One database for all runs: each run makes its own account."""
    with databases.copied(migrated, tmp_path_factory.mktemp("life")) as url:
        app = create_app({"SQLALCHEMY_DATABASE_URI": url, "SANDBOX": True})
        yield app
        with app.app_context():
            db.engine.dispose()


def test_any_life_is_as_the_rules_say(shared: Flask) -> None:
    with still():
        run_state_machine_as_test(
            machine(shared),
            settings=settings(
                MIXED, max_examples=10 if databases.POSTGRESQL else 20, stateful_step_count=25, derandomize=True
            ),
        )
