"""The migrations make from nothing, and back, exactly the schema of the models."""

from pathlib import Path

import pytest
from flask_migrate import check, downgrade, upgrade
from sqlalchemy import inspect

from webapp import create_app
from webapp.db import db

from .databases import fresh_database

pytestmark = pytest.mark.service


def test_up_from_nothing_is_the_models_schema_and_down_is_nothing(tmp_path: Path) -> None:
    with fresh_database(tmp_path) as url, create_app({"SQLALCHEMY_DATABASE_URI": url}).app_context():
        for _ in range(2):
            upgrade()
            check()
            assert "subscription" in inspect(db.engine).get_table_names()
            downgrade(revision="base")
            assert inspect(db.engine).get_table_names() == ["alembic_version"]
        db.engine.dispose()
