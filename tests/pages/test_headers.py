"""The headers of every answer, scored like Mozilla's HTTP Observatory."""

import re
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from tests.support.faces import STATUSES
from tests.support.visitors import HX
from tests.support.world import signed_in, subscription
from webapp.sandbox import scenarios

# Mozilla's table of 2025 (MDN, "Tests & Scoring"): points lost for what is missing, and earned for what is there.
# Bonuses count from 90 points on. Redirection from http and preloading are left to the proxy.
PENALTIES = {
    "no policy": -25,
    "unsafe script": -20,
    "unsafe eval": -10,
    "insecure scheme": -20,
    "session without Secure": -40,
    "session without HttpOnly": -30,
    "cookie without Secure": -20,
    "SameSite neither Strict nor Lax": -20,
    "cross-origin reading": -50,
    "no HSTS": -20,
    "HSTS under six months": -10,
    "referrer unsafe": -5,
    "script from elsewhere": -50,
    "sniffed": -5,
    "framed": -20,
    "resources for other origins": -20,
}
BONUSES = {
    "policy, default-src 'none'": 10,
    "policy": 5,
    "cookies Secure, HttpOnly, SameSite": 5,
    "referrer private": 5,
    "frame-ancestors": 5,
}
BEST = 100 + sum(BONUSES.values()) - BONUSES["policy"]  # only the better of the two bonuses for a policy
BROAD = {"*", "http:", "https:", "'unsafe-inline'", "data:"}
HALF_A_YEAR = 15_768_000
PRIVATE = {"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}


def policy(header: str) -> dict[str, list[str]]:
    return {words[0]: words[1:] for part in header.split(";") if (words := part.split())}


def marks_of(headers: Any, text: str) -> Iterator[str]:
    """The entries of the table that apply to an answer."""
    csp = policy(headers.get("Content-Security-Policy", ""))
    yield _policy(csp)
    yield from _cookies(headers.getlist("Set-Cookie"))
    yield _strict_transport(headers.get("Strict-Transport-Security", ""))
    yield "referrer private" if headers.get("Referrer-Policy") in PRIVATE else "referrer unsafe"
    frames = "fine" if headers.get("X-Frame-Options") in ("DENY", "SAMEORIGIN") else "framed"
    yield "frame-ancestors" if csp.get("frame-ancestors") == ["'none'"] else frames
    for is_so, what in (
        (headers.get("Access-Control-Allow-Origin"), "cross-origin reading"),
        (re.search(r"<script[^>]+src=[\"']?(https?:)?//", text), "script from elsewhere"),
        (headers.get("X-Content-Type-Options") != "nosniff", "sniffed"),
        (
            headers.get("Cross-Origin-Resource-Policy") not in ("same-origin", "same-site"),
            "resources for other origins",
        ),
    ):
        if is_so:
            yield what


def _policy(csp: dict[str, list[str]]) -> str:
    default = csp.get("default-src", ["*"])
    scripts, objects, styles = (csp.get(name, default) for name in ("script-src", "object-src", "style-src"))
    if not csp:
        return "no policy"
    if BROAD & {*scripts, *objects}:
        return "unsafe script"
    if "'unsafe-eval'" in scripts:
        return "unsafe eval"
    if any(word.startswith("http:") for words in csp.values() for word in words):
        return "insecure scheme"
    if BROAD & {*styles}:
        return "unsafe style"
    return "policy, default-src 'none'" if default == ["'none'"] else "policy"


def _strict_transport(header: str) -> str:
    age = re.search(r"max-age=(\d+)", header)
    return "no HSTS" if not age else "fine" if int(age[1]) >= HALF_A_YEAR else "HSTS under six months"


def _cookies(given: list[str]) -> Iterator[str]:
    cookies = [cookie for header in given for cookie in SimpleCookie(header).values()]
    for cookie in cookies:
        is_session = "my_qlik" in cookie.key
        if not cookie["secure"]:
            yield "session without Secure" if is_session else "cookie without Secure"
        if is_session and not cookie["httponly"]:
            yield "session without HttpOnly"
        if cookie["samesite"] not in ("Strict", "Lax"):
            yield "SameSite neither Strict nor Lax"
    if all(cookie["secure"] and cookie["httponly"] and cookie["samesite"] for cookie in cookies):
        yield "cookies Secure, HttpOnly, SameSite"  # only a site with cookies earns this


def score(headers: Any, text: str = "") -> int:
    marks = set(marks_of(headers, text))
    reached = 100 + sum(points for name, points in PENALTIES.items() if name in marks)
    return max(0, reached) + (sum(BONUSES[name] for name in marks & BONUSES.keys()) if reached >= 90 else 0)


@pytest.fixture
def https(app: Flask) -> Flask:
    app.config.update(PUBLIC_URL="https://my-qlik.example.test", SESSION_COOKIE_SECURE=True)
    return app


def addresses(app: Flask) -> Iterator[tuple[str, str]]:
    """Each route and method; the subscription and the file exist, the other ids do not."""
    made = scenarios.make("business")
    values = {"subscription_id": subscription(made), "filename": "app.css", "account": made.account, "year": 2026}

    def given(rule: Rule) -> dict[str, object]:
        choices = {name: next(iter(getattr(kind, "items", ())), "1" * 20) for name, kind in rule._converters.items()}
        return {name: values.get(name, choices[name]) for name in rule.arguments}

    urls = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods or set()):
            yield method, urls.build(rule.endpoint, given(rule), method=method)


def test_every_route_earns_the_top_of_the_table_whole_and_as_a_fragment(https: Flask) -> None:
    owner = signed_in(https, scenarios.make("business"))
    stranger = https.test_client()
    seen: set[int] = set()
    poor = []
    for method, path in [*addresses(https), ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/never")]:
        if path == "/sign-out":
            continue
        for client in (owner, stranger):
            for headers in ({}, HX):
                answer = client.open(path, method=method, headers=headers, buffered=True)
                seen.add(answer.status_code)
                text = answer.text if answer.mimetype == "text/html" else ""
                if score(answer.headers, text) != BEST:
                    poor.append((method, path, set(marks_of(answer.headers, text)) & PENALTIES.keys()))
                assert "unsafe" not in answer.headers["Content-Security-Policy"]
                assert "Server" not in answer.headers
    assert poor == []
    assert seen >= {200, 303, 401, 404, 405, 422}


@pytest.mark.parametrize("status", [*STATUSES, 502])
def test_every_error_earns_the_top_of_the_table(https: Flask, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    def fails() -> None:
        abort(status)

    owner = signed_in(https, scenarios.make("business"))
    monkeypatch.setitem(https.view_functions, "contact.page", fails)
    for headers in ({}, HX):
        answer = owner.get("/contact", headers=headers)
        assert answer.status_code == status
        assert score(answer.headers, answer.text) == BEST
        assert answer.headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "camera=()" in answer.headers["Permissions-Policy"]


def test_the_language_is_kept_for_https_alone_whatever_the_proxy_tells(https: Flask) -> None:
    answer = https.test_client().post("/language", data={"locale": "en"})
    (kept,) = (cookie for cookie in answer.headers.getlist("Set-Cookie") if cookie.startswith("__Host-locale="))
    assert "Secure" in kept.split("; ")


def test_a_portal_on_http_promises_no_https(client: FlaskClient) -> None:
    assert "Strict-Transport-Security" not in client.get("/subscriptions").headers


def test_the_score_notices_what_is_missing(https: Flask) -> None:
    headers = https.test_client().get("/sign-in").headers
    assert score(headers) == BEST == 125
    for name, points in (
        ("Content-Security-Policy", 25),
        ("Strict-Transport-Security", 20),
        ("X-Content-Type-Options", 5),
        ("Cross-Origin-Resource-Policy", 20),
    ):
        poorer = headers.copy()
        del poorer[name]
        assert score(poorer) <= BEST - points


@pytest.mark.parametrize("path", ["/static/nothing.css", "/static/../x"])
def test_an_error_among_the_static_files_is_kept_nowhere(client: FlaskClient, path: str) -> None:
    """The error page names the owner, and proxies often cache such addresses."""
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (404, "no-store")
