"""Fixtures for all tests: an application with a fresh database for each test, migrated, in the sandbox."""

import logging
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade

import webapp
from tests.servers import stripe_http, stripe_server
from tests.servers.stripe_server import Stripe
from tests.support import databases, statements
from tests.support.application import begun_anew, new_app, running
from tests.support.log_lines import Lines
from tests.support.world import signed_in
from webapp.access import sign_in
from webapp.db import db
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tenant import SandboxDirectory


@pytest.fixture(scope="session", autouse=True)
def _statements() -> None:
    """Every statement of every test names its account."""
    statements.watch()


@pytest.fixture(scope="session", autouse=True)
def _environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX", "1")
        patch.setenv("INSTANCE_DIR", str(tmp_path_factory.mktemp("instance")))
        for module in (sign_in, scenarios):  # a cheap hash: accounts are made in nearly every test
            patch.setattr(module, "hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a freshly migrated database, to copy from."""
    databases.hurry()
    with databases.fresh_database(tmp_path_factory.mktemp("migrated")) as url:
        with new_app(url).app_context():
            upgrade()
            db.engine.dispose()  # merges the write-ahead log; nothing may be connected to a template
        yield url


@pytest.fixture(scope="session")
def shared(migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """One application for all tests, as compiled templates and statements are expensive."""
    with running(migrated, tmp_path_factory.mktemp("shared")) as app:
        yield app


@pytest.fixture
def app(shared: Flask, migrated: str) -> Iterator[Flask]:
    """The shared application with a fresh database and its original settings."""
    yield from begun_anew(shared, migrated)


@pytest.fixture(scope="session")
def stripe_running() -> Iterator[Stripe]:
    with stripe_http.serving() as server:
        yield server


@pytest.fixture
def stripe(stripe_running: Stripe) -> Stripe:
    """The small Stripe on loopback, emptied."""
    stripe_running.reset()
    return stripe_running


@pytest.fixture(scope="session")
def shared_stripe(migrated: str, stripe_running: Stripe, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    settings = {
        "SANDBOX": False,
        "GATEWAY": "stripe",
        "STRIPE_API_URL": stripe_running.url,
        "STRIPE_SECRET_KEY": stripe_server.SECRET_KEY,
        "STRIPE_WEBHOOK_SECRET": stripe_server.WEBHOOK_SECRET,
        "SMTP_URL": "smtp://127.0.0.1:9",
        "MAIL_FROM": "My Qlik <my-qlik@example.test>",
        "QLIK_API_KEY": "unused",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(webapp, "tenant_directory", lambda _config, clock: SandboxDirectory())
        with running(migrated, tmp_path_factory.mktemp("stripe"), **settings) as app:
            yield app


@pytest.fixture
def stripe_app(shared_stripe: Flask, stripe: Stripe, migrated: str) -> Iterator[Flask]:
    """The portal outside the sandbox, with Stripe as its gateway and the sandbox's tenants."""
    yield from begun_anew(shared_stripe, migrated)


@pytest.fixture
def business(app: Flask) -> Made:
    return scenarios.make("business")


@pytest.fixture
def client(app: Flask, business: Made) -> FlaskClient:
    """The owner of `business`, signed in, reading English."""
    return signed_in(app, business)


@pytest.fixture
def log() -> Iterator[Lines]:
    handler = Lines()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)
