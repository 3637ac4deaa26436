"""Passkeys: adding one, signing in with one, and those that must be refused."""

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.support import team
from tests.support.authenticator import Authenticator, halfway, is_in, options, with_passkey
from tests.support.world import dump, signed_in, words
from webapp.access import passkeys
from webapp.adapters.clock import machine_now
from webapp.db import db
from webapp.domain.access import CHALLENGE_LIFETIME
from webapp.models.access import SignInKey
from webapp.models.second_factor import Passkey
from webapp.operation.restored import restored
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made


def show(client: FlaskClient, key: Authenticator, purpose: str = "sign-in", **given: Any) -> int:
    """Shows the passkey at the page of that purpose; returns the status, 303 if it was accepted."""
    paths = {"sign-in": "/sign-in/passkey", "factor": "/sign-in/factor/passkey"}
    credential = key.get({**options(client, purpose), **given})
    return client.post(paths[purpose], data={"credential": credential}).status_code


def test_adding_a_passkey_gives_recovery_codes_and_it_is_listed(app: Flask, business: Made) -> None:
    client = signed_in(app, business)
    asked = options(client, "add")
    assert (asked["rp"]["id"], asked["attestation"]) == ("localhost", "none")
    assert asked["user"]["name"] == business.email
    with_passkey(client)
    page = words(client.get("/second-factor").text)
    assert "Camille" in page
    assert "10 recovery codes left" in page
    assert [one["type"] for one in options(client, "add")["excludeCredentials"]] == ["public-key"]


@pytest.mark.service
def test_a_passkey_signs_in_without_a_password_and_as_a_second_factor(app: Flask, business: Made) -> None:
    key = with_passkey(signed_in(app, business))
    alone, after_password = app.test_client(), halfway(app, business)
    assert options(alone, "sign-in")["userVerification"] == "required"
    assert options(alone, "sign-in")["allowCredentials"] == []
    assert show(alone, key) == 303
    assert is_in(alone)
    assert show(after_password, key, "factor") == 303
    assert is_in(after_password)


def test_without_a_pin_it_is_a_factor_and_no_sign_in(app: Flask, business: Made) -> None:
    key = with_passkey(signed_in(app, business), verifies=False)
    assert show(app.test_client(), key) == 422
    assert show(halfway(app, business), key, "factor") == 303


def test_a_passkey_of_another_account_or_member_is_no_factor(app: Flask, business: Made) -> None:
    with_passkey(signed_in(app, business))
    stranger = with_passkey(signed_in(app, scenarios.make("business")))
    colleague = with_passkey(team.browser(app, team.add(business, "viewer")))
    for key in (stranger, colleague, Authenticator()):
        client = halfway(app, business)
        assert show(client, key, "factor") == 422
        assert not is_in(client)


def test_a_passkey_that_claims_to_be_somebody_elses_is_refused(app: Flask, business: Made) -> None:
    key, other = with_passkey(signed_in(app, business)), with_passkey(signed_in(app, scenarios.make("business")))
    other.handle = key.handle
    assert show(app.test_client(), other) == 422
    other.id, other.key = key.id, other.key  # its name with another key
    assert show(app.test_client(), other) == 422


@pytest.mark.parametrize("origin", ["https://evil.example.test", "http://localhost:81", "https://localhost", "null"])
def test_another_origin_is_refused(app: Flask, business: Made, origin: str) -> None:
    client = signed_in(app, business)
    before = dump()
    form = {"name": "x", "credential": Authenticator(origin).create(options(client, "add"))}
    assert client.post("/second-factor/passkeys", data=form).status_code == 422
    assert dump() == before
    key = with_passkey(client)
    key.origin = origin
    assert show(app.test_client(), key) == 422


def test_another_relying_party_is_refused(app: Flask, business: Made) -> None:
    key = with_passkey(signed_in(app, business))
    key.rp_id = "example.test"
    assert show(app.test_client(), key) == 422


@pytest.mark.parametrize(
    ("public", "asked", "party"),
    [
        (
            "https://my-qlik.example.test",
            "https://evil.example.test/",
            ("my-qlik.example.test", "https://my-qlik.example.test"),
        ),
        (
            "https://my-qlik.example.test:443",
            "http://localhost/",
            ("my-qlik.example.test", "https://my-qlik.example.test"),
        ),
        ("https://q.example.test:8443/p", "http://x/", ("q.example.test", "https://q.example.test:8443")),
        ("http://127.0.0.1:8000", "http://localhost:8000/", ("localhost", "http://localhost:8000")),
        ("http://127.0.0.1:8000", "http://evil.example.test/", None),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/", None),
        ("http://[::1]:8000", "http://[::1]:8000/", None),
    ],
)
def test_the_host_header_is_believed_on_this_machine_only(
    app: Flask, monkeypatch: pytest.MonkeyPatch, public: str, asked: str, party: tuple[str, str] | None
) -> None:
    monkeypatch.setitem(app.config, "PUBLIC_URL", public)
    monkeypatch.setitem(app.config, "TRUSTED_HOSTS", None)
    with app.test_request_context("/", base_url=asked):
        assert passkeys.relying_party() == party


def test_a_challenge_is_used_once(app: Flask, business: Made) -> None:
    key, client = with_passkey(signed_in(app, business)), app.test_client()
    given = options(client, "sign-in")
    with client.session_transaction() as cookie:
        kept = cookie["passkey"]
    assert client.post("/sign-in/passkey", data={"credential": key.get(given)}).status_code == 303
    thief = app.test_client()
    with thief.session_transaction() as cookie:
        cookie["passkey"] = kept  # a copy of the cookie, from before
    assert thief.post("/sign-in/passkey", data={"credential": key.get(given)}).status_code == 422


def test_a_challenge_is_for_its_purpose_its_session_and_some_minutes(app: Flask, business: Made) -> None:
    client = signed_in(app, business)
    key = with_passkey(client)
    for purpose, of in (("add", client), ("proof", client), ("sign-in", app.test_client())):
        given = options(of, purpose)
        other = halfway(app, business)
        with of.session_transaction() as cookie:
            kept = cookie["passkey"]
        with other.session_transaction() as cookie:
            cookie["passkey"] = kept
        assert other.post("/sign-in/factor/passkey", data={"credential": key.get(given)}).status_code == 422, purpose
    late = app.test_client()
    given = options(late, "sign-in")
    with late.session_transaction() as cookie:
        *kept, at = cookie["passkey"]
        assert abs(at - machine_now().timestamp()) < 60
        cookie["passkey"] = [*kept, at - CHALLENGE_LIFETIME.total_seconds() - 1]
    assert late.post("/sign-in/passkey", data={"credential": key.get(given)}).status_code == 422
    assert app.test_client().post("/sign-in/passkey", data={"credential": key.get(given)}).status_code == 422


def test_a_count_that_does_not_grow_is_a_copy(app: Flask, business: Made) -> None:
    key = with_passkey(signed_in(app, business))
    assert show(app.test_client(), key) == 303
    key.count -= 1
    assert show(app.test_client(), key) == 422
    key.count += 5
    assert show(app.test_client(), key) == 303
    assert db.session.scalars(select(Passkey.sign_count)).one() == key.count


@pytest.mark.parametrize(
    "credential", ["", "{}", "[]", "null", '{"id":"x","rawId":"y"}', "\x00", "9" * 5000, '{"id": 1}']
)
def test_nonsense_is_refused(app: Flask, business: Made, credential: str) -> None:
    client = signed_in(app, business)
    with_passkey(client)
    stranger = app.test_client()
    options(stranger, "sign-in")
    assert stranger.post("/sign-in/passkey", data={"credential": credential}).status_code == 422
    options(client, "add")
    form = {"name": "x", "credential": credential}
    assert client.post("/second-factor/passkeys", data=form).status_code == 422


def test_the_same_passkey_is_not_added_to_two_members(app: Flask, business: Made) -> None:
    key = with_passkey(signed_in(app, business))
    other = signed_in(app, scenarios.make("business"))
    form = {"name": "x", "credential": key.create(options(other, "add"))}
    assert other.post("/second-factor/passkeys", data=form).status_code == 422


def test_a_removed_passkey_signs_nobody_in_and_can_be_added_again(app: Flask, business: Made) -> None:
    client = signed_in(app, business)
    key = with_passkey(client)
    passkey_id = db.session.scalars(select(Passkey.id)).one()
    keys = len(db.session.scalars(select(SignInKey)).all())
    page = f"/second-factor/passkeys/{passkey_id}/remove"
    colleague = team.browser(app, team.add(business, "viewer"))
    assert colleague.post(page).status_code == 404
    assert "Camille" in client.get(page).text
    assert client.post(page).status_code == 303
    assert len(db.session.scalars(select(SignInKey)).all()) == keys  # one more member, one passkey less
    assert show(app.test_client(), key) == 422
    form = {"name": "x", "credential": key.create(options(client, "add"))}
    assert client.post("/second-factor/passkeys", data=form).status_code == 200


def test_after_a_restore_a_passkey_waits_for_a_new_password(app: Flask, business: Made) -> None:
    key = with_passkey(signed_in(app, business))
    assert app.test_cli_runner().invoke(restored, []).exit_code == 0
    assert show(app.test_client(), key) == 422


def test_names_are_plain(app: Flask, business: Made) -> None:
    client = signed_in(app, business)
    for name in ("", " ", "x" * 61, "a\u202eb", "a\nb"):
        form = {"name": name, "credential": Authenticator().create(options(client, "add"))}
        assert client.post("/second-factor/passkeys", data=form).status_code == 422, name


def test_where_passwords_are_off_no_passkey_signs_in(
    app: Flask, business: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = with_passkey(signed_in(app, business))
    client = app.test_client()
    credential = key.get(options(client, "sign-in"))
    monkeypatch.setitem(app.config, "LOCAL_PASSWORDS", False)
    assert client.post("/sign-in/passkey", data={"credential": credential}).status_code == 404


def test_json_of_the_options_is_no_page(app: Flask) -> None:
    answer = app.test_client().get("/passkeys/sign-in")
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(json.loads(answer.text)) >= {"challenge", "rpId"}


@pytest.mark.parametrize(
    ("public", "asked", "section", "link"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000", True, "http://localhost:8000/second-factor"),
        ("http://127.0.0.1:8000", "http://localhost:8000", True, ""),
        ("http://192.0.2.7", "http://192.0.2.7", False, ""),
        ("https://my-qlik.example.test", "http://127.0.0.1:8000", True, ""),
    ],
)
def test_where_no_passkey_can_be_added_the_page_names_the_address_or_is_silent(
    app: Flask,
    business: Made,
    monkeypatch: pytest.MonkeyPatch,
    public: str,
    asked: str,
    section: bool,
    link: str,
) -> None:
    client = signed_in(app, business)
    monkeypatch.setitem(app.config, "PUBLIC_URL", public)
    monkeypatch.setitem(app.config, "TRUSTED_HOSTS", None)
    with client.session_transaction() as cookie:
        kept = dict(cookie)
    there = app.test_client()
    with there.session_transaction(base_url=asked) as cookie:
        cookie.update(kept)
    page = there.get("/second-factor", base_url=asked).text
    assert "Second factor" in page or "Second facteur" in page
    assert ('id="keys"' in page) is section
    assert f'href="{link}"' in page if link else "http://localhost" not in page
