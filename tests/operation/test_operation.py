"""For operators: `flask doctor`, the probes, and secrets that do not leak."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text, update

from e2e.portal import environment, flask
from tests.support.world import statements
from webapp import create_app
from webapp.config import Misconfigured
from webapp.db import db, transaction
from webapp.models.accounts import Issuer
from webapp.operation import doctor, health
from webapp.sandbox.scenarios import Made

UNREACHABLE = "postgresql://portal:hunter2secret@127.0.0.1:1/portal"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_needs_no_session_and_gets_no_cookie_whatever_host_it_calls(client: FlaskClient, path: str) -> None:
    for headers in ({}, {"Host": "10.0.0.7:8000"}, {"Cookie": "my_qlik=nonsense"}):
        answer = client.get(path, headers=headers)
        assert (answer.status_code, answer.data, answer.mimetype) == (200, b"ok\n", "text/plain")
        assert "Set-Cookie" not in answer.headers
        assert "Cookie" not in answer.headers.get("Vary", "")
        assert answer.headers["Cache-Control"] == "no-store"
    assert client.post(path).status_code in (404, 405)


def test_the_life_of_the_process_is_told_without_the_database(app: Flask) -> None:
    with statements() as asked:
        assert app.test_client().get("/healthz").status_code == 200
    assert asked == []


@pytest.mark.service
def test_a_database_that_is_not_migrated_is_not_ready_and_says_so(app: Flask) -> None:
    with transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    db.session.remove()
    try:
        answer = app.test_client().get("/readyz")
        assert (answer.status_code, answer.data) == (503, b"not ready: not migrated\n")
        assert app.test_client().get("/healthz").status_code == 200
    finally:
        with transaction() as session:
            session.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": health.newest_migration()})


@pytest.mark.service
def test_a_database_that_takes_no_writes_is_not_ready(app: Flask) -> None:
    """As a replica is. A database that only reads by its settings stands for one."""
    if db.engine.dialect.name != "postgresql":
        pytest.skip("SQLite's file is tried in test_trouble.py")
    name = db.session.scalar(text("SELECT quote_ident(current_database())"))
    db.session.remove()
    try:
        _alter(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        answer = app.test_client().get("/readyz")
        assert (answer.status_code, answer.data) == (503, b"not ready: database unreachable\n")
    finally:
        _alter(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert app.test_client().get("/readyz").status_code == 200


def _alter(statement: str) -> None:
    """Connections that are made afterwards know it."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET default_transaction_read_only = off"))
        connection.execute(text(statement))
    db.engine.dispose()


def test_a_database_that_does_not_answer_is_not_ready_and_no_secret_is_told() -> None:
    app = create_app({"SQLALCHEMY_DATABASE_URI": UNREACHABLE})
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.data) == (503, b"not ready: database unreachable\n")
    assert app.test_client().get("/sign-in").status_code == 200, "a page that needs none is shown"


def test_the_doctor_finds_nothing_in_a_sandbox_as_it_starts(app: Flask) -> None:
    done = app.test_cli_runner().invoke(args=["doctor"])
    assert done.exit_code == 0, done.output
    assert [line.split()[0] for line in done.output.splitlines()] == ["ok"] * (len(doctor.CHECKS) + 1)


def real(app: Flask, **settings: object) -> None:
    """Complete settings for outside the sandbox."""
    app.config.update(
        {
            "SANDBOX": False,
            "PUBLIC_URL": "https://my.test",
            "TRUSTED_HOSTS": ["my.test"],
            "DEBUG": False,
            "TRUSTED_PROXIES": 1,
        }
        | settings
    )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"SECRET_KEY": "short"}, "SECRET_KEY is shorter than 32 characters: set it to"),
        ({"DEBUG": True}, "FLASK_DEBUG is on: unset it"),
        ({"PUBLIC_URL": "http://my.test"}, "PUBLIC_URL (http://my.test) does not begin with https: set it to"),
        ({"TRUSTED_HOSTS": None}, "TRUSTED_HOSTS is not set, so any host name is answered to: set it to my.test"),
        ({"TRUSTED_HOSTS": ["x.test"]}, "TRUSTED_HOSTS (x.test) does not name my.test, the host of PUBLIC_URL: add it"),
        ({"USER_ADMINISTRATION_URL": "https://x.test"}, "USER_ADMINISTRATION_URL does not contain {tenant}"),
        ({"ACCESSIBILITY_EMAIL": ""}, "ACCESSIBILITY_EMAIL is not set"),
        ({"TRUSTED_PROXIES": 0}, "but TRUSTED_PROXIES is 0: limits count all clients as one. Set it"),
    ],
)
def test_the_doctor_names_the_setting_and_what_to_do(
    app: Flask, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], sentence: str
) -> None:
    others = [check for check in doctor.CHECKS if check[0] != "database rights"]  # tests own the tables
    monkeypatch.setattr(doctor, "CHECKS", others)
    real(app)
    assert app.test_cli_runner().invoke(args=["doctor"]).exit_code == 0
    real(app, **settings)
    done = app.test_cli_runner().invoke(args=["doctor"])
    assert done.exit_code == 1
    (fault,) = [line for line in done.output.splitlines() if line.startswith("FAULT ")]
    assert sentence in fault


@pytest.mark.parametrize("name", ["WORKERS", "THREADS", "PORT", "SWEEP_EVERY", "ROLL_OVER_THREADS"])
def test_the_doctor_names_a_number_of_the_server_that_cannot_be_used(
    app: Flask, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "many")
    assert (
        f"{name} cannot be used: 'many' is not a valid integer" in app.test_cli_runner().invoke(args=["doctor"]).output
    )


def test_the_doctor_reads_whether_an_issuer_may_issue(app: Flask, business: Made) -> None:
    for values, sentence in (({"share_capital": None}, "lacks legal_form"), ({"siren": "123"}, "no valid SIREN")):
        with transaction() as session:
            session.execute(update(Issuer).values(values))
        assert sentence in app.test_cli_runner().invoke(args=["doctor"]).output


def test_a_check_that_breaks_is_a_fault_that_tells_no_secret(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks() -> str | None:
        raise ValueError("sk_live_hunter2")

    monkeypatch.setattr(doctor, "CHECKS", [("outside", breaks)])
    done = app.test_cli_runner().invoke(args=["doctor"])
    assert (done.exit_code, done.output) == (
        1,
        "ok    settings\nFAULT outside           This could not be checked (ValueError).\n",
    )


@pytest.mark.slow
@pytest.mark.parametrize("command", ["doctor", "serve", "roll-over", "demo"])
def test_no_command_shows_the_password_of_the_database(tmp_path: Path, command: str) -> None:
    done = flask(environment(tmp_path, DATABASE_URL=UNREACHABLE), command)
    assert done.returncode == 1
    assert "portal:***@127.0.0.1" in done.stdout + done.stderr
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "url",
    ["postgresql://u:hunter2@host:port/db", "mysql://u:hunter2@host/db", "nonsense:hunter2@", "sqlite://hunter2@/x"],
)
def test_an_address_of_a_database_that_cannot_be_one_is_not_shown(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(Misconfigured, match="DATABASE_URL") as fault:
        create_app({"SQLALCHEMY_DATABASE_URI": url})
    assert "hunter2" not in str(fault.value)


def test_a_fault_shows_no_setting_on_its_page(
    app: Flask, client: FlaskClient, business: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> str:
        raise RuntimeError(f"{app.config['SECRET_KEY']} {app.config['SQLALCHEMY_DATABASE_URI']} {business.email}")

    monkeypatch.setitem(app.view_functions, "contact.page", broken)
    page = client.get("/contact").text
    assert app.config["SECRET_KEY"] not in page
    assert "sqlite" not in page
    assert "postgresql" not in page
    assert "RuntimeError" not in page
