"""Single sign-on with a well-behaved provider in its own process, and with one that misbehaves."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import OctKey
from sqlalchemy import update

from e2e.portal import free_port
from tests.servers.provider import OTHER_KEY, Provider, provider_of_our_own
from tests.support.faces import provider as configured
from tests.support.world import dump, signed_in, subscription
from webapp.access import members
from webapp.access import provider as identity_provider
from webapp.db import db, transaction
from webapp.models.access import MemberSession, SignInKey
from webapp.models.accounts import Member
from webapp.sandbox.scenarios import Made

START, BACK = "/sign-in/provider", "/sign-in/provider/callback"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """The address of oidc-provider-mock, started by its own command."""
    port = free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, env={**os.environ, "NO_COLOR": "1"}, **quiet)  # type: ignore[call-overload]
    try:
        session = requests.Session()
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=_patient()))
        session.get(f"http://127.0.0.1:{port}/jwks", timeout=10)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


def _patient() -> Any:
    from urllib3.util.retry import Retry

    return Retry(connect=10, backoff_factor=0.05)


@pytest.fixture
def provider(app: Flask) -> Iterator[Provider]:
    with provider_of_our_own() as provider, configured(app, provider.issuer):
        yield provider


def begin(app: Flask, target: str = "") -> tuple[FlaskClient, str]:
    client = app.test_client()
    client.set_cookie("locale", "en")
    sent = client.get(START, query_string={"next": target} if target else {})
    assert sent.status_code == 303, sent.text
    return client, sent.headers["Location"]


def come_back(app: Flask, provider: Provider, target: str = "") -> tuple[FlaskClient, Any]:
    client, location = begin(app, target)
    return client, client.get(BACK, query_string=provider.go(location))


def cookie(client: FlaskClient) -> str:
    cookie = client.get_cookie("my_qlik")
    return cookie.value if cookie else ""


def agree(location: str, sub: str, **form: str) -> str:
    """Signs in at oidc-provider-mock; returns the callback's address."""
    answer = requests.post(location, data={"sub": sub, **form}, allow_redirects=False, timeout=10)
    address = urlsplit(answer.headers["Location"])
    assert address.path == BACK
    return f"{address.path}?{address.query}"


def test_an_owner_signs_in_and_out_at_a_provider(app: Flask, business: Made, issuer: str) -> None:
    claims = {"email": business.email.upper(), "email_verified": True}
    requests.put(f"{issuer}/users/camille", json=claims, timeout=10).raise_for_status()
    asked = f"/subscriptions/{subscription(business)}/renew?seats=14"
    with configured(app, issuer):
        client, location = begin(app, asked)
        query = parse_qs(urlsplit(location).query)
        assert (query["code_challenge_method"], query["response_type"]) == (["S256"], ["code"])
        assert query["scope"] == ["openid email"], "no more than is needed"
        assert query["redirect_uri"] == ["http://localhost" + BACK]
        way_back = agree(location, "camille")
        begun = cookie(client)
        back = client.get(way_back)
        assert (back.status_code, back.headers["Location"]) == (303, asked)
        page = client.get(asked)
        assert business.email in page.text
        assert f"form-action 'self' {issuer};" in page.headers["Content-Security-Policy"]
        gone = client.post("/sign-out")
        there = urlsplit(gone.headers["Location"])
        ended = parse_qs(there.query)
        assert gone.headers["Location"].startswith(f"{issuer}/oauth2/end_session?")
        assert ended["post_logout_redirect_uri"] == ["http://localhost/sign-in"]
        assert ended["id_token_hint"][0].count(".") == 2
        assert requests.get(gone.headers["Location"], timeout=10).status_code == 200
        assert client.get("/subscriptions").status_code == 303
        client.set_cookie("my_qlik", begun)  # the callback again: its code was already used
        before = dump()
        replayed = client.get(way_back)
        assert (replayed.status_code, "has expired" in replayed.text) == (400, True)
        assert dump() == before


def test_who_gives_up_at_the_provider_is_told_so(app: Flask, issuer: str) -> None:
    with configured(app, issuer):
        client, location = begin(app)
        answer = client.get(agree(location, "", action="deny"))
        assert (answer.status_code, "declined or cancelled there" in answer.text) == (403, True)
        assert f'href="{START}?again=1"' in answer.text
        assert "prompt=login" in client.get(f"{START}?again=1").headers["Location"]


def test_an_email_of_no_owner_is_told_and_kept_nowhere(app: Flask, business: Made, provider: Provider) -> None:
    before, provider.claims = dump(), {"email": "stranger@example.test"}
    client, answer = come_back(app, provider)
    assert (answer.status_code, "stranger@example.test does not give access" in answer.text) == (403, True)
    assert "Qlik account manager" in answer.text
    assert dump() == before
    assert "stranger" not in cookie(client)
    assert client.get("/subscriptions").status_code == 303


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_email_that_is_not_verified_signs_nobody_in(
    app: Flask, business: Made, provider: Provider, verified: object
) -> None:
    before, provider.claims = dump(), {"email": business.email, "email_verified": verified}
    _, answer = come_back(app, provider)
    assert (answer.status_code, "has not verified your e-mail address" in answer.text) == (403, True)
    assert dump() == before


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"iss": "https://another.example.test"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"aud": ["portal", "another"], "azp": "another"},
    ],
)
def test_a_token_that_is_not_for_this_sign_in_signs_nobody_in(
    app: Flask, business: Made, provider: Provider, claims: dict[str, object]
) -> None:
    before, provider.claims = dump(), {"email": business.email, **claims}
    _, answer = come_back(app, provider)
    assert (answer.status_code, "could not verify the response" in answer.text) == (502, True)
    assert dump() == before


@pytest.mark.parametrize("alg", ["another key", "HS256", "none"])
def test_a_token_that_the_provider_did_not_sign_signs_nobody_in(
    app: Flask, business: Made, provider: Provider, alg: str
) -> None:
    before, provider.claims = dump(), {"email": business.email}
    if alg == "another key":
        provider.key = OTHER_KEY
    else:
        provider.key, provider.header = OctKey.import_key("secret" * 8), {"alg": "HS256", "kid": "one"}
    if alg == "none":
        signed = provider.token
        provider.token = lambda form: _unsigned(signed(form))  # type: ignore[method-assign]
    _, answer = come_back(app, provider)
    assert answer.status_code == 502
    assert dump() == before


def _unsigned(answer: dict[str, Any]) -> dict[str, Any]:
    from base64 import urlsafe_b64encode

    header = urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    return {**answer, "id_token": f"{header}.{answer['id_token'].split('.')[1]}."}


def test_the_answer_to_another_browsers_sign_in_is_out_of_date(app: Flask, business: Made, provider: Provider) -> None:
    provider.claims = {"email": business.email}
    before, (_, location) = dump(), begin(app)
    calls = len(provider.calls)
    thief = app.test_client()
    for answered in (provider.go(location), {"code": "code"}, {"state": "x"}, {}):
        assert thief.get(BACK, query_string=answered).status_code == 400
    assert (len(provider.calls), dump()) == (calls, before)


def test_the_way_back_after_a_provider_stays_on_this_origin(app: Flask, business: Made, provider: Provider) -> None:
    provider.claims = {"email": business.email}
    _, answer = come_back(app, provider, "https://evil.example")
    assert answer.headers["Location"] == "/subscriptions"


def test_no_connection_is_held_while_the_provider_is_asked(app: Flask, business: Made, provider: Provider) -> None:
    provider.claims, pool, held = {"email": business.email}, db.engine.pool, []
    db.session.remove()
    provider.on_token = lambda: held.append(pool.checkedout())  # type: ignore[attr-defined]
    _, answer = come_back(app, provider)
    assert (answer.status_code, held) == (303, [0])


def test_an_email_that_only_the_userinfo_tells_is_as_good(app: Flask, business: Made, provider: Provider) -> None:
    provider.claims = {"email_verified": None}
    provider.userinfo = {"email": business.email, "email_verified": True}
    assert come_back(app, provider)[1].status_code == 303
    provider.userinfo["sub"] = "another"
    assert come_back(app, provider)[1].status_code == 403


@pytest.mark.parametrize(
    ("path", "status"), [("/.well-known/openid-configuration", 503), ("/token", 503), ("/jwks", 503)]
)
def test_a_provider_that_fails_is_told_with_a_way_to_try_again(
    app: Flask, business: Made, provider: Provider, path: str, status: int
) -> None:
    provider.claims, provider.broken = {"email": business.email}, {path: 500}
    client = app.test_client()
    client.set_cookie("locale", "en")
    answer = client.get(START)
    if answer.status_code == 303:
        answer = client.get(BACK, query_string=provider.go(answer.headers["Location"]))
    else:
        assert f'href="{START}?next=/billing"' in client.get(f"{START}?next=/billing").text, "the way back is kept"
    assert (answer.status_code, "id.example.test is not responding" in answer.text) == (status, True)
    assert f'href="{START}"' in answer.text
    provider.broken = {}
    assert come_back(app, provider)[1].status_code == 303


def test_a_provider_that_is_silent_is_given_up(
    app: Flask, business: Made, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_provider, "TIMEOUT", 0.2)
    identity_provider.init(app)
    _, location = begin(app)
    silent = threading.Event()
    provider.on_token = lambda: silent.wait(5)
    client, location = begin(app)
    answer = client.get(BACK, query_string=provider.go(location))
    silent.set()
    assert (answer.status_code, "took too long" in answer.text) == (504, True)


def test_a_provider_that_calls_itself_otherwise_is_not_trusted(app: Flask, provider: Provider) -> None:
    provider.metadata = {"issuer": "https://another.example.test"}
    assert app.test_client().get(START).status_code == 502


def test_many_sign_ins_under_way_do_not_fill_the_cookie(app: Flask, business: Made, provider: Provider) -> None:
    provider.claims, client = {"email": business.email}, app.test_client()
    for _ in range(12):
        location = client.get(f"{START}?next=/billing/information").headers["Location"]
    assert len(cookie(client)) < 3000
    assert client.get(BACK, query_string=provider.go(location)).status_code == 303


def test_a_sign_out_ends_here_if_the_provider_cannot_end_it_there(
    app: Flask, business: Made, provider: Provider
) -> None:
    provider.claims = {"email": business.email}
    client, _ = come_back(app, provider)
    assert client.post("/sign-out").headers["Location"] == "/sign-in"  # the provider does not publish one
    provider.metadata = {"end_session_endpoint": f"{provider.issuer}/end"}
    identity_provider.init(app)
    by_password = signed_in(app, business)
    assert by_password.post("/sign-out").headers["Location"] == "/sign-in"
    client, _ = come_back(app, provider)
    assert client.post("/sign-out").headers["Location"].startswith(f"{provider.issuer}/end?")


def test_an_id_token_goes_with_its_session(app: Flask, business: Made, provider: Provider) -> None:
    provider.claims = {"email": business.email}
    come_back(app, provider)
    owner = signed_in(app, business)
    owner.post("/sessions/end-others")
    db.session.rollback()
    assert [session.id_token for session in db.session.query(MemberSession) if session.ended] == [None]


def test_without_local_passwords_the_provider_is_the_only_way_in(
    app: Flask, business: Made, provider: Provider
) -> None:
    app.config["LOCAL_PASSWORDS"] = False
    client = app.test_client()
    page = client.get("/sign-in").text
    assert START in page
    assert 'type="password"' not in page
    form = {"email": business.email, "password": business.password}
    assert client.post("/sign-in", data=form).status_code == 404
    for path in ("/password/forgotten", "/password/reset", "/password/reset/x"):
        assert client.get(path).status_code == 404
    provider.claims = {"email": business.email}
    client, _ = come_back(app, provider)
    assert client.get("/password").status_code == 404
    assert "/password" not in client.get("/sessions").text


def test_without_a_provider_there_is_no_such_page(app: Flask) -> None:
    client = app.test_client()
    assert [client.get(path).status_code for path in (START, BACK)] == [404, 404]
    assert START not in client.get("/sign-in").text


def test_an_old_session_of_a_provider_ends_as_any_other(app: Flask, business: Made, provider: Provider) -> None:
    provider.claims = {"email": business.email}
    client, _ = come_back(app, provider)
    with transaction() as session:
        session.execute(update(MemberSession).values(created_at=business.now.replace(year=2020)))
    assert client.get("/subscriptions").status_code == 303


def test_an_email_that_only_looks_like_an_owners_signs_nobody_in(
    app: Flask, business: Made, provider: Provider
) -> None:
    """The kelvin sign in lower case is the letter k, but the mailbox is another person's."""
    with transaction() as session:
        session.execute(update(Member).values(email="frank@example.test"))
        session.execute(update(SignInKey).values(key_hash=members.email_key("frank@example.test")))
    provider.claims = {"email": "fran\u212a@example.test"}
    client, answer = come_back(app, provider)
    assert answer.status_code == 403
    assert client.get("/billing").status_code == 303
    provider.claims = {"email": "FranK@example.test"}
    assert come_back(app, provider)[1].status_code == 303
