"""Cookies and links of versions up to 0.7 name no account: they work until they end."""

import pytest
from flask import Flask
from sqlalchemy import select, update

from tests.support.world import post, signed_in
from webapp.access import tokens
from webapp.db import db, transaction
from webapp.models.access import MemberSession, PasswordReset
from webapp.sandbox.scenarios import Made

OLD = "a-token_without-its-account"
NEW = "quatre mots bien longs"

pytestmark = pytest.mark.service


def grow_old(table: type[MemberSession] | type[PasswordReset]) -> None:
    """Makes the token of the only row one of an older version."""
    with transaction() as session:
        session.execute(update(table).values(token_hash=tokens.hash_token(OLD)))


def test_a_session_goes_on_and_can_be_ended(app: Flask, business: Made) -> None:
    client = signed_in(app, business)
    grow_old(MemberSession)
    with client.session_transaction() as cookie:
        cookie["token"] = OLD
    assert client.get("/subscriptions").status_code == 200
    client.post("/sign-out")
    assert db.session.scalars(select(MemberSession.id)).all() == []
    assert client.get("/subscriptions").status_code == 303


@pytest.mark.parametrize("token", ["", "unknown", "no.account", ".", f"{OLD}."])
def test_a_token_of_nobody_leads_to_the_sign_in(app: Flask, business: Made, token: str) -> None:
    client = signed_in(app, business)
    with client.session_transaction() as cookie:
        cookie["token"] = token
    assert client.get("/subscriptions").status_code == 303


def test_a_link_sets_one_password(app: Flask, business: Made) -> None:
    client = app.test_client()
    client.post("/password/forgotten", data={"email": business.email})
    grow_old(PasswordReset)
    client.get(f"/password/reset/{OLD}")
    form = {"new": NEW, "again": NEW}
    assert [client.post("/password/reset", data=form).status_code for _ in range(2)] == [303, 410]
    post(app, f"/{business.account}/clock", advance="PT1M")


def test_a_new_token_names_its_account(app: Flask, business: Made) -> None:
    client = signed_in(app, business)
    with client.session_transaction() as cookie:
        assert cookie["token"].startswith(f"{business.account}.")
