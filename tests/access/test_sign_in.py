"""Sign-in, sign-out, and the way back to the page that was asked for."""

from typing import Literal

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from tests.support.world import dump, signed_in, subscription
from webapp.access import sign_in as signing_in
from webapp.config import LOCALES
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made


def sign_in(client: FlaskClient, email: str, password: str, **form: str):  # type: ignore[no-untyped-def]
    client.set_cookie("locale", "en")
    return client.post("/sign-in", data={"email": email, "password": password, **form})


def cookie(client: FlaskClient) -> str:
    cookie = client.get_cookie("my_qlik")
    assert cookie is not None
    return cookie.value


def test_a_stranger_is_sent_to_sign_in_and_back(app: Flask, business: Made) -> None:
    client = app.test_client()
    asked = f"/subscriptions/{subscription(business)}/renew?seats=14"
    sent = client.get(asked)
    assert (sent.status_code, sent.headers["Location"].startswith("/sign-in?next=")) == (303, True)
    assert client.get(sent.headers["Location"]).status_code == 200
    back = sign_in(client, business.email, business.password, next=asked)
    assert back.headers["Location"] == asked


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/a\r\nX: y",
        "evil",
    ],
)
def test_the_way_back_stays_on_this_origin(app: Flask, business: Made, target: str) -> None:
    answer = sign_in(app.test_client(), business.email, business.password, next=target)
    assert answer.headers["Location"] == "/subscriptions"


def test_every_page_but_the_public_ones_wants_an_owner(app: Flask) -> None:
    """A new route needs a session unless it is marked public."""
    open_to_all = {endpoint for endpoint, view in app.view_functions.items() if getattr(view, "public", False)}
    assert {name for name in open_to_all if not name.startswith("sandbox")} == {
        "invitations.accept",
        "not_me.disown",  # of whoever has the link of a mail
        "not_me.page",
        "invitations.page",
        "invitations.sign_in_at_provider",
        "sign_in.page",
        "sign_in.submit",
        "sign_in.sign_out",
        "sign_in.by_passkey",
        "sign_in_factor.page",  # of whoever has given the right password
        "sign_in_factor.submit",
        "sign_in_factor.by_passkey",
        "sign_in_factor.recovery",
        "sign_in_factor.recover",
        "passkeys.options",
        "preferences.language",
        "drafts.keep",
        "sessions.left",
        "accessibility.page",
        "sso.begin",
        "sso.callback",
        "passwords.forgotten",
        "passwords.send_link",
        "passwords.open_link",
        "passwords.reset_page",
        "passwords.reset",
    }


@pytest.mark.parametrize(("email", "password"), [("nobody@example.test", "x"), (None, "wrong")])
def test_an_unknown_email_and_a_wrong_password_get_the_same_answer(
    app: Flask, business: Made, email: str | None, password: str
) -> None:
    answer = sign_in(app.test_client(), email or business.email, password)
    assert answer.status_code == 422
    assert "Incorrect e-mail or password." in answer.text


def test_an_unknown_email_costs_a_verification_too(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []

    class Spy(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
            verified.append(str(hash))
            return super().verify(hash, password)

    monkeypatch.setattr(signing_in, "hasher", Spy())
    sign_in(app.test_client(), "nobody@example.test", "x")
    assert len(verified) == 1


def test_empty_fields_are_named(app: Flask) -> None:
    answer = sign_in(app.test_client(), "", "")
    assert answer.status_code == 422
    assert "Enter your e-mail address." in answer.text
    assert "Enter your password." in answer.text


def test_the_email_is_known_in_any_case(app: Flask, business: Made) -> None:
    assert sign_in(app.test_client(), f" {business.email.upper()} ", business.password).status_code == 303


def test_the_session_is_another_after_sign_in(app: Flask, business: Made) -> None:
    client = app.test_client()
    client.get("/sign-in")
    client.post("/sign-in", data={"email": business.email, "password": "wrong"})
    before = cookie(client) if client.get_cookie("my_qlik") else ""
    sign_in(client, business.email, business.password)
    first = cookie(client)
    assert first != before
    sign_in(client, business.email, business.password)
    assert cookie(client) != first


def test_a_copied_cookie_dies_with_the_sign_out(app: Flask, business: Made) -> None:
    client = signed_in(app, business)
    thief = app.test_client()
    thief.set_cookie("my_qlik", cookie(client))
    assert thief.get("/subscriptions").status_code == 200
    gone = client.post("/sign-out")
    assert "Clear-Site-Data" in gone.headers
    assert thief.get("/subscriptions").status_code == 303


def test_signing_in_anew_ends_the_session_before(app: Flask, business: Made) -> None:
    client = signed_in(app, business)
    old = cookie(client)
    sign_in(client, business.email, business.password)
    thief = app.test_client()
    thief.set_cookie("my_qlik", old)
    assert thief.get("/subscriptions").status_code == 303


def test_forms_want_this_sessions_token(app: Flask, business: Made) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    client, other = app.test_client(), app.test_client()
    token = other.get("/sign-in").text.split('name="csrf_token" value="')[1].split('"')[0]
    before = dump()
    for form in ({}, {"csrf_token": "x"}, {"csrf_token": token}):
        answer = client.post("/sign-in", data={"email": business.email, "password": business.password, **form})
        assert answer.status_code == 400
        assert "formulaire" in answer.text
    assert dump() == before


def test_the_demo_is_on_the_sign_in_page_of_the_sandbox(app: Flask) -> None:
    assert "camille.martin@example.test" in app.test_client().get("/sign-in").text


@pytest.mark.parametrize(
    ("asked", "chosen", "lang"),
    [("de,en;q=0.8", None, "en"), ("fr-CA", None, "fr"), ("de", None, "fr"), ("", None, "fr"), ("fr", "en", "en")],
)
def test_the_language_is_what_was_chosen_else_what_the_browser_asks_else_french(
    app: Flask, asked: str, chosen: str | None, lang: str
) -> None:
    client = app.test_client()
    if chosen:
        client.post("/language", data={"locale": chosen})
    assert f'<html lang="{lang}">' in client.get("/sign-in", headers={"Accept-Language": asked}).text


def test_the_owners_language_follows_to_another_browser(app: Flask, business: Made) -> None:
    signed_in(app, business).post("/language", data={"locale": "en"})
    elsewhere = app.test_client()
    elsewhere.post("/sign-in", data={"email": business.email, "password": business.password})
    assert '<html lang="en">' in elsewhere.get("/subscriptions", headers={"Accept-Language": "fr"}).text


def test_an_unknown_language_is_refused(app: Flask) -> None:
    assert app.test_client().post("/language", data={"locale": "xx"}).status_code == 400


def test_accounts_do_not_see_each_other(app: Flask, business: Made) -> None:
    other = scenarios.make("enterprise")
    assert "Qlik Sense Business" not in signed_in(app, other).get("/subscriptions").text


@pytest.mark.parametrize("locale", LOCALES)
def test_the_page_is_shown_outside_the_sandbox(stripe_app: Flask, locale: str) -> None:
    """Its link to the sandbox's panel has no address there, and is not reached."""
    answer = stripe_app.test_client().get("/sign-in", headers={"Accept-Language": locale})
    assert answer.status_code == 200
    assert "/sandbox" not in answer.text
