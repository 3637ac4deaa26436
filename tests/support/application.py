"""Applications under test, each on a database that begins as the migrations leave it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from tests.support import databases
from webapp import create_app
from webapp.db import db


def new_app(url: str, **settings: Any) -> Flask:
    return create_app({"SQLALCHEMY_DATABASE_URI": url, "SANDBOX": True, **settings})


def begun_anew(shared: Flask, migrated: str) -> Iterator[Flask]:
    config, extensions = dict(shared.config), dict(shared.extensions)
    databases.begin_anew(shared.config["SQLALCHEMY_DATABASE_URI"], migrated)
    with shared.app_context():
        yield shared
        db.session.remove()
        db.engine.dispose()
    shared.config.clear()
    shared.config.update(config)
    shared.extensions.update(extensions)


@contextmanager
def running(migrated: str, folder: Path, **settings: Any) -> Iterator[Flask]:
    """An application on a copy of the migrated database, with its context pushed."""
    with databases.copied(migrated, folder) as url:
        app = new_app(url, WTF_CSRF_ENABLED=False, TESTING=False, PUBLIC_URL="http://localhost", **settings)
        app.test_client_class = Browser
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()


class Browser(FlaskClient):
    """Gives each request its own context, as a server does, instead of the test's."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        with self.application.app_context():
            return super().open(*args, **kwargs)
