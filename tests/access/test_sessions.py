"""Sessions: idle and absolute expiry, what is stored, and the page where the owner ends them."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.support.world import dump, signed_in, statements
from webapp.access import sessions
from webapp.db import db, transaction
from webapp.models.access import MemberSession, PasswordReset, RateLimit
from webapp.ports import ports
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1"
)
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 "
    "Edg/140.0.0.0"
)
CHROME = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
)


def rows() -> list[MemberSession]:
    db.session.rollback()
    return list(db.session.scalars(select(MemberSession).order_by(MemberSession.created_at)))


def age(seen: timedelta, began: timedelta | None = None) -> None:
    """Makes every session older: last used `seen` ago, begun `began` ago."""
    now = ports().clock.system_now()
    with transaction() as session:
        session.execute(update(MemberSession).values(last_seen_at=now - seen, created_at=now - (began or seen)))


def sign_in_page_after(client: FlaskClient) -> str:
    """The sign-in page to which a request without a session is sent."""
    sent = client.get("/billing")
    assert sent.headers["Location"] == "/sign-in?next=/billing"
    return str(client.get(sent.headers["Location"]).text)


def from_browser(app: Flask, made: Made, user_agent: str) -> FlaskClient:
    client = app.test_client()
    client.set_cookie("locale", "en")
    form = {"email": made.email, "password": made.password}
    assert client.post("/sign-in", data=form, headers={"User-Agent": user_agent}).status_code == 303
    return client


def test_a_session_that_is_not_used_for_an_hour_ends_and_says_so(app: Flask, client: FlaskClient) -> None:
    age(timedelta(minutes=59))
    assert client.get("/billing").status_code == 200
    age(timedelta(minutes=60))
    assert "after 60 minutes of inactivity" in sign_in_page_after(client)
    assert client.post("/contact", data={"message": "x" * 20}).status_code == 303
    page = client.get("/sign-in").text
    assert "after 60 minutes of inactivity" in page
    assert "nothing was sent or changed" in page
    app.config["SESSION_IDLE_MINUTES"] = 90
    assert client.get("/billing").status_code == 200


def test_a_session_in_use_ends_after_twelve_hours(client: FlaskClient) -> None:
    age(timedelta(), timedelta(hours=12) - timedelta(seconds=30))
    assert client.get("/billing").status_code == 200
    age(timedelta(), timedelta(hours=12))
    assert "Your session has ended. Sign in to pick up where you left off." in sign_in_page_after(client)


def test_that_it_is_used_is_written_once_in_a_minute(client: FlaskClient) -> None:
    age(timedelta(seconds=50))
    before = dump(counts=True)
    client.get("/subscriptions")
    assert dump(counts=True) == before
    age(timedelta(seconds=61))
    before = dump(counts=True)
    with statements() as asked:
        for _ in range(3):
            client.get("/subscriptions")
    assert sum(statement.startswith("UPDATE") for statement in asked) == 1
    after = dump(counts=True)
    assert {table for table in after if after[table] != before[table]} == {"member_session"}
    assert ports().clock.system_now() - rows()[0].last_seen_at < timedelta(seconds=30)


def test_the_page_lists_the_owners_sessions_and_no_others(app: Flask, business: Made) -> None:
    from_browser(app, scenarios.make("business"), EDGE)
    from_browser(app, business, SAFARI)
    client = from_browser(app, business, FIREFOX)
    page = client.get("/sessions").text
    assert "Firefox, Windows" in page
    assert "Safari, iOS" in page
    assert "Edge" not in page
    own = page.split("Firefox, Windows")[1].split("</li>")[0]
    assert "This session" in own
    assert "<form" not in own
    age(timedelta(hours=1))
    age_of_none = signed_in(app, business).get("/sessions").text
    assert "Safari" not in age_of_none  # expired


@pytest.mark.parametrize(
    ("user_agent", "names"),
    [
        (FIREFOX, ("Firefox", "Windows")),
        (SAFARI, ("Safari", "iOS")),
        (EDGE, ("Edge", "Windows")),
        (CHROME, ("Chrome", "macOS")),
        ("curl/8", ("", "")),
        ("", ("", "")),
        ("<script>", ("", "")),
    ],
)
def test_a_browser_is_named_by_its_family_alone(user_agent: str, names: tuple[str, str]) -> None:
    assert sessions.browser_and_system(user_agent) == names


def test_a_session_that_is_ended_elsewhere_is_sent_to_sign_in_with_the_reason(app: Flask, business: Made) -> None:
    other, client = from_browser(app, business, SAFARI), from_browser(app, business, FIREFOX)
    ended = re.search(r'action="(/sessions/\w+/end)"', client.get("/sessions").text)
    assert ended
    for _ in range(2):  # twice changes nothing
        assert client.post(ended[1]).status_code == 303
    assert "This session was ended from another of your sessions." in sign_in_page_after(other)
    assert client.get("/billing").status_code == 200
    assert "Safari" not in client.get("/sessions").text


def test_every_other_session_can_be_ended_at_once(app: Flask, business: Made) -> None:
    stranger = signed_in(app, scenarios.make("business"))
    others = [signed_in(app, business) for _ in range(2)]
    client = signed_in(app, business)
    assert client.post("/sessions/end-others").status_code == 303
    assert [browser.get("/billing").status_code for browser in (*others, client, stranger)] == [303, 303, 200, 200]
    assert "/sessions/end-others" not in client.get("/sessions").text


def test_another_owners_session_cannot_be_ended(app: Flask, client: FlaskClient) -> None:
    signed_in(app, scenarios.make("business"))
    theirs, before = rows()[-1].id, dump()
    for session_id in (theirs, "nothing", "%00"):
        assert client.post(f"/sessions/{session_id}/end").status_code == 404
    assert dump() == before


def test_a_sign_in_clears_what_is_over(app: Flask, business: Made) -> None:
    signed_in(app, business)
    age(timedelta(hours=13))
    now = ports().clock.system_now()
    with transaction() as session:
        for long_ago, key in ((timedelta(hours=1), "old"), (timedelta(minutes=1), "new")):
            session.add(
                PasswordReset(account_id=business.account, token_hash=key, member_id=None, created_at=now - long_ago)
            )
            session.add(RateLimit(key=key, hits=1, ends_at=now + timedelta(minutes=30) - long_ago))
    signed_in(app, business)
    left = dump(counts=True)
    assert [len(left[table]) for table in ("member_session", "password_reset")] == [1, 1]
    assert not any("'old'" in row for row in left["rate_limit"])
    assert any("'new'" in row for row in left["rate_limit"])


def test_neither_the_token_nor_an_address_is_kept(app: Flask, business: Made) -> None:
    client = signed_in(app, business)
    with client.session_transaction() as session:
        token = session["token"]
    kept = repr(dump(counts=True))
    assert token not in kept
    assert "127.0.0.1" not in kept


@pytest.mark.parametrize(("public_url", "secure"), [("https://portal.example.test", True), ("http://10.0.0.1", False)])
def test_cookies_are_for_https_and_this_host_alone_where_the_portal_has_it(
    app: Flask, business: Made, monkeypatch: pytest.MonkeyPatch, public_url: str, secure: bool
) -> None:
    from webapp.config import from_environment

    monkeypatch.setenv("PUBLIC_URL", public_url)
    app.config.update({name: value for name, value in from_environment().items() if name.startswith("SESSION_COOKIE")})
    answer = app.test_client().post("/sign-in", data={"email": business.email, "password": business.password})
    cookies = answer.headers.getlist("Set-Cookie")
    assert len(cookies) == 2
    for cookie in cookies:
        assert cookie.startswith("__Host-my_qlik" if secure else "my_qlik")
        assert ("Secure" in cookie) is secure
        assert "Domain" not in cookie
        for flag in ("HttpOnly", "Path=/", "SameSite=Lax"):
            assert flag in cookie
