"""Every route with hostile headers and fields: no fault of ours, and no answer that takes long."""

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from tests.support.visitors import HX
from tests.support.world import invoice_of, quoted, signed_in, subscription
from webapp.access import limits
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

SLOWEST = 1.0  # seconds
BAD_ADDRESSES = ["http://[x", "//[", "http://localhost:port/", "javascript:alert(1)", "/\\evil", "//evil.example/x"]
VALUES = [
    *BAD_ADDRESSES,
    "",
    " ",
    "%00",
    "%",
    "%ff%fe",
    "'",
    '"><script>',
    "../" * 20,
    "a" * 8000,
    "a@" * 4000,
    "1" * 5000,
    "-1",
    "0",
    "1e999",
    "NaN",
    "9" * 30,
    "2**63",
    "9223372036854775808",
    "\u00e9\u2028\u202e",
    "{{7*7}}",
    "a\r\nb",
    "\t",
    "0x10",
    "true",
    "[]",
    "{}",
    "null",
    "١٢",
    "𝟙",
    "\ud7ff",
    "q=0.1,*;q=x",
    "bytes=0-,-1,5-2",
    'W/"x',
    "Basic !!!",
    "=;=;,",
]
HEADERS = [
    "Referer",
    "HX-Current-URL",
    "HX-Request",
    "HX-Target",
    "HX-Trigger",
    "Accept",
    "Accept-Language",
    "Accept-Encoding",
    "Cookie",
    "Content-Type",
    "Range",
    "If-Range",
    "If-None-Match",
    "If-Modified-Since",
    "Authorization",
    "User-Agent",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "Forwarded",
    "Origin",
    "Host",
    "Stripe-Signature",
    "X-Request-ID",
    "Cache-Control",
    "Transfer-Encoding",
    "Content-Encoding",
    "Expect",
    "Upgrade",
    "Date",
    "Via",
]
FIELDS = [
    "seats",
    "card",
    "attempt",
    "understood",
    "next",
    "locale",
    "email",
    "password",
    "new",
    "again",
    "current",
    "subject",
    "subscription",
    "message",
    "legal_name",
    "country",
    "siren",
    "vat_number",
    "billing_emails",
    "document_locale",
    "reference",
    "number",
    "expiry",
    "code",
    "holder",
    "answer",
    "scenario",
    "now",
    "tz",
    "to",
    "advance",
    "active",
    "directory",
    "before",
    "q",
    "year",
    "kind",
    "order",
    "page",
    "state",
    "error",
    "csrf_token",
    "account",
]


def paths(rule: Rule, known: dict[str, Any], chance: random.Random) -> str:
    """An address of the rule, with an id that exists or something hostile in each of its places."""
    values = {}
    for name, kind in rule._converters.items():
        choices = [*getattr(kind, "items", ())] or [known.get(name, "1" * 32)]
        values[name] = chance.choice(choices)
        if kind.__class__.__name__ == "UnicodeConverter" and chance.random() < 0.3:
            values[name] = chance.choice(VALUES).replace("/", "") or "x"
    built = rule.build(values)
    assert built is not None
    return str(built[1])


def fuzzed(app: Flask, made: Made, count: int, seed: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    chance = random.Random(seed)
    known = {
        "subscription_id": subscription(made),
        "account": made.account,
        "filename": "app.css",
        "year": 2026,
        "quote_id": quoted(app, made),
        "card_id": made.cards[0],
        "invoice_id": invoice_of(made).id,
    }
    left_out = {"sandbox.move_clock", "sandbox.delete_account", "sandbox.remove"}
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint not in left_out]
    for n in range(count):
        rule = rules[n % len(rules)]
        method = chance.choice([*sorted((rule.methods or {"GET"}) - {"OPTIONS", "HEAD"}), "GET", "POST", "PUT", "HEAD"])
        headers = dict(HX) if chance.random() < 0.3 else {}
        for name in chance.sample(HEADERS, chance.randint(0, 4)):
            value = chance.choice(VALUES).replace("\r", "").replace("\n", "")
            headers[name] = value.encode("utf-8", "replace").decode("latin-1")
        fields = {chance.choice(FIELDS): chance.choice(VALUES) for _ in range(chance.randint(0, 6))}
        given: dict[str, Any] = {"headers": headers}
        if method == "POST":
            given["data"] = fields if chance.random() < 0.8 else chance.choice(VALUES).encode("utf-8", "replace")
        else:
            given["query_string"] = fields
        yield method, paths(rule, known, chance), given


def ask(client: FlaskClient, method: str, path: str, given: dict[str, Any]) -> tuple[int, float, Any]:
    began = time.perf_counter()
    answer = client.open(path, method=method, buffered=True, **given)
    return answer.status_code, time.perf_counter() - began, answer.headers


@pytest.mark.parametrize("count", [600, pytest.param(10_000, marks=pytest.mark.slow)])
def test_no_request_fails_or_takes_long(app: Flask, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(limits, "LIMITS", dict.fromkeys(limits.LIMITS, "1000000 per hour"))  # what lies behind is meant
    monkeypatch.setattr(limits, "SANDBOX_LIMITS", {})
    app.config["TRUSTED_HOSTS"] = ["localhost"]
    made = scenarios.make("both")
    owner, stranger = signed_in(app, made), app.test_client()
    bad: list[tuple[float, str, str, dict[str, Any]]] = []
    seen = set()
    for n, (method, path, given) in enumerate(fuzzed(app, made, count, seed=count)):
        client = stranger if n % 5 == 0 else owner
        status, took, headers = ask(client, method, path, given)
        seen.add(status)
        complete = headers.get("X-Request-ID") and headers.get("Content-Security-Policy")
        if status >= 500 or not complete:
            bad.append((status, method, path, given))
        elif took > SLOWEST and ask(client, method, path, given)[1] > SLOWEST:  # not only the machine was busy
            bad.append((took, method, path, given))
        if n % 50 == 49:
            owner = signed_in(app, made)  # some of them sign out
    assert bad == []
    assert seen >= {200, 303, 400, 404, 405}
