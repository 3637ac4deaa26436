"""The commands of `make run`: a fault is one clear sentence, and a second start keeps the data."""

import os
import socket
import sqlite3
from pathlib import Path
from unittest.mock import patch

import pytest

from e2e.portal import environment, flask, free_port
from webapp import create_app
from webapp.config import Misconfigured


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path / "instance", PORT=str(free_port()))


def one_sentence(text: str) -> str:
    assert "Traceback" not in text
    assert len(text.strip().splitlines()) == 1, text
    return text


def test_a_database_that_is_not_migrated(env: dict[str, str]) -> None:
    done = flask(env, "serve")
    assert done.returncode == 1
    assert "is not migrated. Run: flask --app webapp db upgrade" in one_sentence(done.stderr)


def test_a_database_that_cannot_be_opened(env: dict[str, str]) -> None:
    done = flask(env | {"DATABASE_URL": "sqlite:////nowhere/at/all.sqlite3"}, "serve")
    assert done.returncode == 1
    assert "cannot be opened (unable to open database file)" in one_sentence(done.stderr)


def test_a_port_that_is_taken(env: dict[str, str]) -> None:
    assert flask(env, "db", "upgrade").returncode == 0
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(env["PORT"])))
        taken.listen()
        done = flask(env, "serve")
    assert done.returncode == 1
    assert f"127.0.0.1:{env['PORT']} cannot be used" in one_sentence(done.stderr)


REAL = {  # outside the sandbox; the keys are made up
    "SANDBOX": "0",
    "SECRET_KEY": "x" * 32,
    "GATEWAY": "stripe",
    "STRIPE_SECRET_KEY": "sk_test_1234567890",
    "STRIPE_WEBHOOK_SECRET": "whsec_1234567890",
}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"SANDBOX": "0", "SECRET_KEY": ""}, "SECRET_KEY is not set"),
        ({"SANDBOX": "1", "GATEWAY": "stripe"}, "the sandbox never runs on a real gateway"),
        (REAL | {"GATEWAY": "sandbox"}, "set GATEWAY=stripe, or SANDBOX=1"),
        (REAL | {"GATEWAY": "paypal"}, "GATEWAY is paypal"),
        (REAL | {"STRIPE_SECRET_KEY": ""}, "STRIPE_SECRET_KEY is not set"),
        (REAL | {"STRIPE_SECRET_KEY": "pk_test_12345678"}, "copy the one that begins with sk_"),
        (REAL | {"STRIPE_SECRET_KEY": "sk_test_1234 5678"}, "STRIPE_SECRET_KEY is not set or not a secret key"),
        (REAL | {"STRIPE_WEBHOOK_SECRET": ""}, "STRIPE_WEBHOOK_SECRET is not set"),
        (REAL | {"STRIPE_WEBHOOK_SECRET": "sk_test_12345678"}, "of the endpoint http://127.0.0.1:"),
        (REAL | {"STRIPE_API_URL": "http://api.example.test"}, "is not https: the key would be sent in clear"),
        (
            REAL | {"QLIK_API_KEY": "key", "QLIK_API_URL": "http://{tenant}"},
            "QLIK_API_URL (http://{tenant}) is not https",
        ),
        (REAL | {"STRIPE_LOG": "debug"}, "unset it"),
        ({"PUBLIC_URL": "my-qlik.example.test"}, "PUBLIC_URL (my-qlik.example.test) is not an http or https address"),
        ({"PUBLIC_URL": "javascript://x/"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "https://[x"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "https://"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "https://x.test/?a=1"}, "PUBLIC_URL"),
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL"),
        ({"LOCAL_PASSWORDS": "0"}, "LOCAL_PASSWORDS is not 1 and OIDC_ISSUER is not set: nobody could sign in"),
        ({"OIDC_ISSUER": "https://id.example.test"}, "the sandbox asks no provider but one on loopback"),
        ({"SANDBOX": "0", "SECRET_KEY": "x" * 32, "OIDC_ISSUER": "http://id.example.test"}, "is not an https address"),
        ({"OIDC_ISSUER": "http://localhost:9"}, "OIDC_CLIENT_ID is not set"),
        ({"OIDC_ISSUER": "http://localhost:9", "OIDC_CLIENT_ID": "portal"}, "OIDC_CLIENT_SECRET is not set"),
        ({"SESSION_IDLE_MINUTES": "0"}, "SESSION_IDLE_MINUTES (0) is not a whole number from 1 to 720"),
        ({"TRUSTED_PROXIES": "all"}, "TRUSTED_PROXIES (all) is not a whole number from 0 to 9"),
        ({"INSTANCE_DIR": "/proc/nowhere"}, "INSTANCE_DIR (/proc/nowhere) cannot be written"),
    ],
)
def test_a_setting_that_is_wrong(env: dict[str, str], settings: dict[str, str], sentence: str) -> None:
    with patch.dict(os.environ, env | settings, clear=True), pytest.raises(Misconfigured) as fault:
        create_app()
    assert sentence in one_sentence(str(fault.value))
    assert "1234567890" not in str(fault.value)


def test_a_fault_of_the_start_is_said_without_a_traceback(env: dict[str, str]) -> None:
    done = flask(env | {"SECRET_KEY": "", "SANDBOX": "0"}, "serve")
    assert done.returncode == 1
    assert "SECRET_KEY is not set" in one_sentence(done.stderr)


def test_a_second_start_keeps_the_data(env: dict[str, str]) -> None:
    for command in (("db", "upgrade"), ("demo",), ("demo",)):
        assert flask(env, *command).returncode == 0
    with sqlite3.connect(Path(env["INSTANCE_DIR"]) / "portal.sqlite3") as database:
        assert database.execute("SELECT email FROM member").fetchall() == [("camille.martin@example.test",)]
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_durable_settings_of_sqlite(env: dict[str, str]) -> None:
    code = (
        "from webapp import create_app; from webapp.db import db; from sqlalchemy import text\n"
        "with create_app().app_context():\n"
        "    print([db.session.execute(text(f'PRAGMA {p}')).scalar() for p in ('synchronous', 'foreign_keys')])"
    )
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[2, 1]"
