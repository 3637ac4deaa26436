"""A provider's person stays the same person, and local passwords are off where a new portal has a provider."""

from pathlib import Path

import pytest
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import select, update

from tests.access.test_sso import come_back
from tests.access.test_sso import provider as provider  # the fixture
from tests.servers.provider import Provider
from tests.support.databases import fresh_database
from tests.support.log_lines import Lines
from tests.support.world import dump
from webapp import create_app
from webapp.access import local_passwords, sign_in
from webapp.access.provider import VerifiedIdentity
from webapp.config import DEMO_EMAIL, from_environment
from webapp.db import db, transaction
from webapp.models.access import KeptDefault, ProviderIdentity
from webapp.models.accounts import Member
from webapp.operation import doctor
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made


def said(part: str) -> str:
    return dict(doctor.CHECKS)[part]() or ""


def test_the_first_sign_in_binds_the_owner_to_the_providers_person(
    app: Flask, business: Made, provider: Provider
) -> None:
    provider.claims = {"email": business.email, "sub": "camille"}
    for _ in range(2):
        client, answer = come_back(app, provider)
        assert answer.status_code == 303
    (bound,) = db.session.scalars(select(ProviderIdentity))
    assert (bound.issuer, bound.subject) == (provider.issuer, "camille")
    assert client.get("/billing").status_code == 200


def test_another_person_with_the_same_email_is_refused(
    app: Flask, business: Made, provider: Provider, log: Lines
) -> None:
    provider.claims = {"email": business.email, "sub": "camille"}
    come_back(app, provider)
    before, provider.claims = dump(), {"email": business.email, "sub": "somebody else"}
    client, answer = come_back(app, provider)
    assert (answer.status_code, "is already linked here to a different" in answer.text) == (403, True)
    assert client.get("/billing").status_code == 303
    assert dump() == before
    (line,) = log.of_event("sign-in by the provider: another subject came with the e-mail of an owner who is bound")
    assert line["level"] == "warning"
    assert business.email not in "".join(log.lines)


def test_the_same_person_stays_the_owner_under_a_new_email(app: Flask, business: Made, provider: Provider) -> None:
    other = scenarios.make("business")
    provider.claims = {"email": business.email, "sub": "camille"}
    come_back(app, provider)
    for email in ("renamed@example.test", other.email):
        provider.claims = {"email": email, "sub": "camille"}
        client, answer = come_back(app, provider)
        assert answer.status_code == 303
        assert business.email in client.get("/billing").text


def test_another_provider_binds_anew(app: Flask, business: Made) -> None:
    with app.test_request_context():
        for issuer, subject, outcome in (
            ("https://one.test", "a", "signed_in"),
            ("https://two.test", "a", "signed_in"),
            ("https://two.test", "b", "another"),
            ("https://one.test", "c", "another"),
        ):
            vouched = VerifiedIdentity(issuer, subject, business.email, "token")
            assert sign_in.sign_in_as(vouched) == outcome


def test_the_operator_unbinds_a_person_who_was_made_anew_there(app: Flask, business: Made, provider: Provider) -> None:
    provider.claims = {"email": business.email, "sub": "camille"}
    come_back(app, provider)
    runner = app.test_cli_runner()
    assert runner.invoke(args=["unbind-owner", "--email", "nobody@example.test"]).exit_code == 1
    done = runner.invoke(args=["unbind-owner", "--email", business.email.upper()])
    assert (done.exit_code, "signs in next" in done.output) == (0, True)
    provider.claims = {"email": business.email, "sub": "camille anew"}
    assert come_back(app, provider)[1].status_code == 303


@pytest.fixture
def undecided(app: Flask, provider: Provider) -> Flask:
    """A provider is configured, and LOCAL_PASSWORDS is not set."""
    app.config["LOCAL_PASSWORDS"] = None
    return app


def test_a_new_portal_with_a_provider_has_no_local_passwords(undecided: Flask, business: Made) -> None:
    client = undecided.test_client()
    assert not local_passwords.are_on()
    assert 'type="password"' not in client.get("/sign-in").text
    form = {"email": business.email, "password": business.password}
    assert client.post("/sign-in", data=form).status_code == 404
    assert client.post("/password/forgotten", data={"email": business.email}).status_code == 404
    assert said("local passwords") == ""


def test_an_upgraded_portal_keeps_them_and_doctor_says_so(undecided: Flask, business: Made) -> None:
    with transaction() as session:
        session.add(KeptDefault(name="local_passwords"))
    assert local_passwords.are_on()
    assert 'type="password"' in undecided.test_client().get("/sign-in").text
    assert said("local passwords").startswith("LOCAL_PASSWORDS is not set")
    for value in (True, False):
        undecided.config["LOCAL_PASSWORDS"] = value
        assert (local_passwords.are_on(), said("local passwords")) == (value, "")


def test_without_a_provider_they_are_on(app: Flask) -> None:
    app.config["LOCAL_PASSWORDS"] = None
    assert (local_passwords.are_on(), said("local passwords")) == (True, "")


@pytest.mark.parametrize(("value", "read"), [(None, None), ("1", True), ("0", False)])
def test_the_setting_is_read(monkeypatch: pytest.MonkeyPatch, value: str | None, read: bool | None) -> None:
    monkeypatch.delenv("LOCAL_PASSWORDS", raising=False)
    if value:
        monkeypatch.setenv("LOCAL_PASSWORDS", value)
    assert from_environment()["LOCAL_PASSWORDS"] is read


@pytest.mark.service
@pytest.mark.parametrize("owners", [0, 1])
def test_the_migration_tells_an_upgraded_portal_from_a_new_one(tmp_path: Path, owners: int) -> None:
    with fresh_database(tmp_path) as url, create_app({"SQLALCHEMY_DATABASE_URI": url}).app_context():
        upgrade()
        for _ in range(owners):
            scenarios.make("business")
        db.session.remove()
        downgrade(revision="0010")
        upgrade()
        assert len(db.session.scalars(select(KeptDefault.name)).all()) == owners
        db.session.remove()
        db.engine.dispose()


def test_the_demo_account_is_made_in_the_sandbox_only(stripe_app: Flask) -> None:
    done = stripe_app.test_cli_runner().invoke(args=["demo"])
    assert (done.exit_code, "exists in the sandbox only" in done.output) == (1, True)
    assert db.session.scalars(select(Member.id)).all() == []


@pytest.mark.parametrize("email", [DEMO_EMAIL, "zoe@example.test", "zoe@acme.example.test"])
def test_doctor_finds_accounts_that_everybody_knows(stripe_app: Flask, email: str) -> None:
    made = scenarios.make("business", email="zoe@acme.test")
    assert said("test accounts") == ""
    with transaction() as session:
        session.execute(update(Member).where(Member.account_id == made.account).values(email=email))
    assert email in said("test accounts")


def test_doctor_lets_the_sandbox_have_them(app: Flask, business: Made) -> None:
    assert said("test accounts") == ""
