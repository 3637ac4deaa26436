"""Headers and fields that are no addresses: no fault, no long work, and no answer without its headers."""

import json
import logging
import time
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.log_lines import Lines
from tests.support.visitors import HX
from tests.support.world import signed_in, state, subscription
from webapp import urls
from webapp.operation import logs
from webapp.sandbox.scenarios import Made
from webapp.views import errors

LONG = 40_000
NO_ADDRESSES = (
    f"http://[x'{'a' * LONG}]/",
    "http://[x",
    "http://]",
    "//[",
    "http://[v1.]/",
    "http://localhost:port/",
    "http://localhost\u2100/",
    "\0",
    "http://" + "[" * LONG,
    "http://" + "@" * LONG,
)
SOON = 1  # seconds of this thread, whatever else the machine does


@pytest.mark.parametrize("address", NO_ADDRESSES, ids=lambda address: address[:20])
@pytest.mark.parametrize("header", ["Referer", "HX-Current-URL"])
def test_a_header_that_is_no_address_costs_nothing(client: FlaskClient, header: str, address: str) -> None:
    address = address.encode("ascii", "replace").decode().replace("\0", "%00")
    for path in ("/never", "/subscriptions", "/sign-in"):
        client.get(path)  # compiles its templates
        for headers in ({header: address}, {**HX, header: address}):
            began = time.thread_time()
            answer = client.get(path, headers=headers)
            assert time.thread_time() - began < SOON
            assert answer.status_code in (200, 303, 404)


@pytest.mark.parametrize("address", [None, "", *NO_ADDRESSES], ids=lambda address: repr(address)[:20])
def test_no_address_has_no_parts(address: str | None) -> None:
    assert urls.parsed(address).hostname in (None, "localhost")


@pytest.mark.parametrize("told", ["http://[x", NO_ADDRESSES[0]])
def test_a_cancellation_that_was_made_is_told_whatever_the_headers_say(
    app: Flask, client: FlaskClient, business: Made, told: str
) -> None:
    path = f"/subscriptions/{subscription(business)}/cancel"
    answer = client.post(path, data={"understood": "y"}, headers={**HX, "HX-Current-URL": told})
    assert [change["kind"] for change in state(app, business)["subscriptions"][0]["changes"]] == ["cancellation"]
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (200, "/subscriptions")


HOSTILE_LINES = {
    "no at": "a" * LONG,
    "many ats": "a@" * (LONG // 2),
    "only ats": "@" * LONG,
    "long before an at": "a" * LONG + "@",
    "parted": "a,b=c(" * (LONG // 6),
    "quotes": "'" * LONG,
    "quoted": "'a" * (LONG // 2),
    "spaces": " " * LONG,
    "digits": "1" * LONG,
    "spaced digits": "1 " * (LONG // 2),
    "digits and dashes": "1-1 " * (LONG // 4),
    "groups of twelve": "123456789012x" * (LONG // 13),
    "controls": "\x01" * LONG,
    "wide": "é" * LONG,
}


@pytest.mark.parametrize("name", HOSTILE_LINES)
@pytest.mark.parametrize("form", [logs.Json(), logs.Readable("%(levelname)s %(name)s %(message)s")])
def test_a_line_of_the_log_is_short_and_soon_made(name: str, form: logging.Formatter) -> None:
    text = HOSTILE_LINES[name]
    fault = ValueError(text)
    record = logging.LogRecord("webapp", logging.ERROR, __file__, 1, "%s", (text,), (ValueError, fault, None))
    record.details = {"method": text}
    began = time.thread_time()
    line = form.format(record)
    assert time.thread_time() - began < 0.2
    assert max(len(one.encode()) for one in line.splitlines()) <= 2048
    if isinstance(form, logs.Json):
        assert json.loads(line)["level"] == "error"


@pytest.mark.parametrize("size", [10, LONG])
def test_what_is_personal_is_masked_however_long_the_line_is(size: int) -> None:
    masked = logs.masked(f"{'a' * size} to (camille@example.test), 4242 4242 4242 4242 {'b' * size}=zoe@example.test")
    assert not {"camille", "4242", "zoe", "example"} & set(masked.replace("@", " ").replace("…", " … ").split())
    assert "example.test" not in masked


@pytest.fixture
def broken_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> Any:
        raise RuntimeError("the error page itself fails")

    monkeypatch.setattr(errors, "render_template", fails)


def test_an_error_page_that_fails_is_a_plain_sentence(
    app: Flask, business: Made, broken_errors: None, log: Lines
) -> None:
    client = signed_in(app, business)
    for path, status in (("/never", 404), ("/subscriptions/none", 404)):
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (status, "text/plain")
        assert "Page not found" in answer.text
        assert answer.headers["X-Request-ID"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert log.of_event("the error page could not be made")


def test_a_fault_before_the_request_begins_has_its_headers_too(
    app: Flask, business: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Any:
        raise RuntimeError("the session cannot be read")

    monkeypatch.setattr(app.session_interface, "open_session", fails)
    answer = app.test_client().get("/subscriptions")
    assert answer.status_code == 500
    assert answer.headers["X-Request-ID"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/static/css/never.css", {}, 404),
        ("/healthz", {}, 200),
        ("/readyz", {}, 200),
        ("/sign-in", {}, 200),
        ("/sign-in", {"Host": "evil.example"}, 400),
        ("/sign-in", {"Host": "["}, 400),
        ("/sign-in", {"Host": "[::1]"}, 200),
        ("/sign-in", {"Host": "[::1]:8000"}, 200),
        ("/sign-in", {"Host": "[::2]:8000"}, 400),
        ("/sign-in", {"Host": "[::1]:80:00"}, 400),
        ("/sign-in", {"Host": "[::1].evil.example"}, 400),
        ("/billing//invoices", {}, 404),
        ("/%00", {}, 404),
    ],
)
def test_every_answer_has_its_headers_and_its_name(app: Flask, path: str, headers: dict[str, str], status: int) -> None:
    answer = app.test_client().get(path, headers=headers)
    assert answer.status_code == status
    assert answer.headers["X-Request-ID"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "Location" not in answer.headers


def test_a_script_gets_a_fragment_also_for_a_wrong_host(app: Flask) -> None:
    answer = app.test_client().get("/sign-in", headers={"Host": "evil.example", "HX-Request": "true"})
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert answer.headers["HX-Retarget"] == "#flash"
    assert 'role="alert"' in answer.text
    assert "href" not in answer.text, "a link would lead to that host"
