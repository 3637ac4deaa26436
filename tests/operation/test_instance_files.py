"""Secrets: the files of the instance are its owner's alone, keys may come from files, and old keys still verify."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade

from tests.support.world import signed_in
from webapp import config, create_app, urls
from webapp.access import limits
from webapp.config import Misconfigured
from webapp.db import db, new_id
from webapp.operation import doctor
from webapp.sandbox.scenarios import Made

OLD, NEW = "o" * 40, "n" * 40


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "instance"
    monkeypatch.setenv("INSTANCE_DIR", str(folder))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("SECRET_KEY", raising=False)
    before = os.umask(0o022)
    yield folder
    os.umask(before)


def test_what_the_portal_writes_is_its_owners_alone(instance: Path) -> None:
    for _ in range(2):
        with create_app().app_context():
            upgrade()
            written = sorted(path.name for path in instance.iterdir())
            assert {"secret_key", "portal.sqlite3", "portal.sqlite3-wal"} <= set(written)
            assert [name for name in written if mode(instance / name) & 0o077] == []
            assert mode(instance) == 0o700
            for name in written:  # as an older version left them
                (instance / name).chmod(0o644)
            told = dict(doctor.CHECKS)["files' modes"]() or ""
            assert str(instance / "secret_key") in told
            assert "chmod 600" in told
            db.session.remove()
            db.engine.dispose()


@pytest.mark.parametrize("name", config.SECRETS)
def test_a_secret_may_come_from_a_file(
    instance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    value = {"DATABASE_URL": "sqlite:///x", "SMTP_URL": "smtp://127.0.0.1:9"}.get(name, "s" * 40)
    file = tmp_path / "secret"
    file.write_text(f"{value}\n")
    monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(f"{name}_FILE", str(file))
    found = config.from_environment()
    assert value in (found.get(name), found["SQLALCHEMY_DATABASE_URI"], *(found.get(name) or ()))
    monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured, match=f"Both {name} and {name}_FILE are set"):
        config.from_environment()
    monkeypatch.delenv(name)
    file.write_text("\n")
    with pytest.raises(Misconfigured, match=f"{name}_FILE .* is empty"):
        config.from_environment()
    file.unlink()
    with pytest.raises(Misconfigured, match=f"{name}_FILE .* cannot be read"):
        config.from_environment()


def test_every_setting_that_doctor_must_not_print_may_come_from_a_file() -> None:
    source = Path(config.__file__).read_text()
    assert not [name for name in config.SECRETS if f'env.get("{name}"' in source]


@pytest.mark.parametrize(("key", "fault"), [("k" * 31, True), ("k" * 32, False)])
def test_a_short_key_is_refused_outside_the_sandbox(key: str, fault: bool) -> None:
    settings = {"SANDBOX": False, "SECRET_KEY": key}
    try:
        create_app(settings)
        said = ""
    except Misconfigured as refusal:
        said = str(refusal.message)
    assert ("SECRET_KEY is shorter than 32 characters" in said) == fault
    assert key not in said


def test_old_keys_still_verify_and_only_the_new_one_signs(app: Flask, business: Made) -> None:
    app.config["SECRET_KEY"] = OLD
    client = signed_in(app, business)
    device = client.get_cookie("my_qlik_device")
    assert device is not None
    app.config.update(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=[OLD])
    assert client.get("/billing").status_code == 200
    with app.test_request_context(headers={"Cookie": f"my_qlik_device={device.value}"}):
        assert limits._known_device(business.email)
    limits_cookie = limits._signer().dumps(["x", []])
    app.config["SECRET_KEY_FALLBACKS"] = []
    with app.test_request_context(headers={"Cookie": f"my_qlik_device={device.value}"}):
        assert not limits._known_device(business.email)
    assert limits._signer().loads(limits_cookie) == ["x", []]


def test_a_form_that_was_open_while_the_key_changed_is_accepted(app: Flask) -> None:
    url = app.config["SQLALCHEMY_DATABASE_URI"]

    def portal(key: str, *old: str) -> Flask:
        return create_app({"SECRET_KEY": key, "SECRET_KEY_FALLBACKS": list(old), "SQLALCHEMY_DATABASE_URI": url})

    portals = portal(OLD), portal(NEW, OLD), portal(NEW)
    before = portals[0].test_client()
    page = before.get("/sign-in").text
    token = page.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
    session = before.get_cookie("my_qlik")
    assert session is not None
    for after, status in zip(portals[1:], (303, 400), strict=True):
        client = after.test_client()
        client.set_cookie("my_qlik", session.value)
        assert client.post("/language", data={"locale": "en", "csrf_token": token}).status_code == status
    for used in portals:
        with used.app_context():
            db.session.remove()
            db.engine.dispose()


def test_an_identifier_has_128_bits() -> None:
    assert len(bytes.fromhex(new_id())) == 16


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost:1"])
def test_a_forged_host_reaches_no_return_address(app: Flask, business: Made, host: str) -> None:
    app.config.update(TRUSTED_HOSTS=None, PUBLIC_URL="http://localhost")
    client = signed_in(app, business)
    session = client.get_cookie("my_qlik")
    assert session is not None
    cookies = {"Cookie": f"my_qlik={session.value}"}
    for path in ("/billing/cards/new",):
        answer = app.test_client(use_cookies=False).post(path, headers={"Host": host, **cookies})
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("http://localhost/sandbox/gateway/")
    for path in ("//evil.example/billing", "/billing//invoices", "/billing/", "/subscriptions/"):
        answer = app.test_client(use_cookies=False).get(path, headers={"Host": host, **cookies})
        assert host not in str(answer.headers)
        assert host not in answer.text


@pytest.mark.parametrize(
    ("public", "asked", "back"),
    [
        ("http://127.0.0.1:8000", "localhost:8000", "http://localhost:8000"),
        ("http://localhost:8000", "127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000", "[::1]:8000", "http://[::1]:8000"),
        ("http://127.0.0.1:8000", "localhost:8001", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000", "localhost.evil.example:8000", "http://127.0.0.1:8000"),
        ("https://my-qlik.example.test", "localhost", "https://my-qlik.example.test"),
    ],
)
def test_the_gateway_sends_back_to_the_loopback_name_that_was_asked_for(
    app: Flask, public: str, asked: str, back: str
) -> None:
    app.config.update(TRUSTED_HOSTS=None, PUBLIC_URL=public)
    with app.test_request_context("/", headers={"Host": asked}):
        assert urls.return_url("billing.card_return") == f"{back}/billing/cards/return"


def test_no_address_is_made_of_the_host_that_was_asked_for() -> None:
    """`url_for(_external=True)`, `request.url_root` and the like take the client's word for the host."""
    forbidden = ("_external=", "request.url_root", "request.host_url", "request.base_url", "request.url,")
    sources = list(Path(config.__file__).parent.rglob("*.py"))
    assert [path.name for path in sources if any(word in path.read_text() for word in forbidden)] == []


@pytest.fixture
def https(app: Flask) -> FlaskClient:
    app.config.update(PUBLIC_URL="https://my-qlik.example.test", SESSION_COOKIE_SECURE=True)
    return app.test_client()


def test_the_language_is_kept_for_this_host_alone_under_https(https: FlaskClient) -> None:
    answer = https.post("/language", data={"locale": "en"}, base_url="https://localhost")
    (kept,) = (one for one in answer.headers.getlist("Set-Cookie") if one.startswith("__Host-locale="))
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(kept.split("; "))
    assert "Domain" not in kept
    assert '<html lang="en">' in https.get("/sign-in", base_url="https://localhost").text


def test_the_old_cookie_of_the_language_is_read_once(https: FlaskClient) -> None:
    https.set_cookie("locale", "en")
    answer = https.get("/sign-in", base_url="https://localhost", headers={"Accept-Language": "fr"})
    assert '<html lang="en">' in answer.text
    assert https.get_cookie("locale") is None
    assert '<html lang="en">' in https.get("/sign-in", base_url="https://localhost").text
    https.set_cookie("locale", "fr")  # such as a neighbouring host may set
    assert '<html lang="en">' in https.get("/sign-in", base_url="https://localhost").text
