"""An invitation that is accepted at the organisation's identity provider."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.servers.provider import Provider, provider_of_our_own
from tests.support.faces import provider as configured
from tests.support.invitations import invited
from tests.support.world import signed_in
from webapp.db import db
from webapp.models.access import ProviderIdentity
from webapp.models.accounts import Member
from webapp.models.team import Invitation
from webapp.sandbox.scenarios import Made

BACK = "/sign-in/provider/callback"
NADIA = "nadia@example.test"


@pytest.fixture
def provider(app: Flask) -> Iterator[Provider]:
    with provider_of_our_own() as provider, configured(app, provider.issuer):
        yield provider


def come_back(app: Flask, provider: Provider, link: str, email: str) -> tuple[FlaskClient, int, str]:
    """Opens the link, goes to the provider, and returns as the person of this e-mail."""
    browser = app.test_client()
    browser.set_cookie("locale", "en")
    provider.claims["email"] = email
    assert f'href="{link}/provider"' in browser.get(link).text
    assert browser.get(f"{link}/provider").headers["Location"] == "/sign-in/provider"
    there = browser.get("/sign-in/provider").headers["Location"]
    answer = browser.get(BACK, query_string=provider.go(there))
    return browser, answer.status_code, answer.text


def test_the_invited_person_becomes_a_member_and_is_bound(app: Flask, business: Made, provider: Provider) -> None:
    link = invited(app, business, signed_in(app, business), NADIA, "accountant")
    browser, status, text = come_back(app, provider, link, NADIA.upper())
    assert status == 303, text
    assert browser.get("/contact").status_code == 200
    member = db.session.scalars(select(Member).where(Member.email == NADIA)).one()
    bound = db.session.scalars(select(ProviderIdentity.member_id)).all()
    assert (member.role, member.id in bound) == ("accountant", True)
    assert db.session.scalars(select(Invitation)).all() == []


def test_another_person_does_not(app: Flask, business: Made, provider: Provider) -> None:
    link = invited(app, business, signed_in(app, business), NADIA)
    _browser, status, text = come_back(app, provider, link, "eve@example.test")
    assert (status, "The invitation is not for eve@example.test" in text) == (403, True)
    assert db.session.scalars(select(Member.email)).all() == [business.email]
    assert db.session.scalars(select(Invitation.email)).all() == [NADIA]


def test_without_local_passwords_the_form_takes_none(app: Flask, business: Made, provider: Provider) -> None:
    link = invited(app, business, signed_in(app, business), NADIA)
    app.config["LOCAL_PASSWORDS"] = False
    browser = app.test_client()
    assert 'name="password"' not in browser.get(link).text
    browser.post(link, data={"name": "Nadia", "password": "quatre mots bien longs"})
    assert db.session.scalars(select(Member.email)).all() == [business.email]
