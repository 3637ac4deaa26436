"""What the log says of requests and faults, and that it holds nothing personal."""

import json
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.support.faces import walk
from tests.support.log_lines import Lines
from tests.support.visitors import HX
from tests.support.world import post, signed_in, step, subscription
from webapp.access import members
from webapp.config import Misconfigured, check
from webapp.db import db, transaction
from webapp.models.accounts import Member
from webapp.models.mail import Message
from webapp.operation import logs
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made


@pytest.fixture
def broken(app: Flask, business: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the contact page fail with personal data in its hands."""

    def page() -> str:
        with transaction():
            members.add_member(
                Member(
                    account_id=business.account,
                    role="manager",
                    name="Zoé Lambda",
                    email=business.email,
                    password_hash="x",
                )
            )
        return ""

    monkeypatch.setitem(app.view_functions, "contact.page", page)


def test_a_request_is_one_line(app: Flask, client: FlaskClient, business: Made, log: Lines) -> None:
    answer = client.get(f"/subscriptions/{subscription(business)}/renew?seats=14", headers=HX)
    (line,) = log.of_event()
    took = line.pop("ms")
    assert isinstance(took, float)
    assert 0 < took < 10_000
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", str(line.pop("at")))
    assert line == {
        "level": "info",
        "logger": "webapp.operation.logs",
        "event": "request",
        "request_id": answer.headers["X-Request-ID"],
        "method": "GET",
        "endpoint": "renew.stepper",
        "status": 200,
        "account": business.account,
        "actor": "owner",
    }


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_are_not_told(app: Flask, log: Lines, path: str) -> None:
    assert app.test_client().get(path).status_code == 200
    assert log.lines == []


@pytest.mark.parametrize(
    ("header", "given", "kept"),
    [
        ("X-Request-ID", "abc-123.DEF_456", True),
        ("X-Request-ID", "short", False),
        ("X-Request-ID", "x" * 65, False),
        ("X-Request-ID", 'a"quote-and-more', False),
        ("", "abc-123.DEF_456", False),
    ],
)
def test_a_request_has_the_name_that_a_trusted_proxy_gave_it(
    app: Flask, log: Lines, header: str, given: str, kept: bool
) -> None:
    app.config["REQUEST_ID_HEADER"] = header
    answer = app.test_client().get("/sign-in", headers={"X-Request-ID": given})
    assert (answer.headers["X-Request-ID"] == given) == kept
    assert log.of_event()[0]["request_id"] == answer.headers["X-Request-ID"]


def test_a_fault_of_ours_names_its_request_on_the_page_and_in_the_log(
    client: FlaskClient, business: Made, broken: None, log: Lines
) -> None:
    for headers in ({}, HX):
        answer = client.get("/contact", headers=headers)
        assert answer.status_code == 500
        assert answer.headers["X-Request-ID"] in answer.text
    for secret in (business.email, "Zoé Lambda", "IntegrityError", "INSERT", "Traceback"):
        assert secret not in answer.text
    faults = [line for text in log.lines[::2] if (line := json.loads(text)).get("fault")]
    assert [line["request_id"] for line in faults][-1] == answer.headers["X-Request-ID"]
    assert "IntegrityError: " in faults[0]["fault"][0]
    assert "test_logs.py:" in faults[0]["fault"][0], "where it happened"
    assert personal(log, [business.email, "Zoé Lambda"]) == []


def personal(log: Lines, secrets: list[str]) -> list[str]:
    return [line for line in log.lines for secret in secrets if secret in line]


def test_nothing_personal_is_told_whatever_an_owner_does(app: Flask, log: Lines) -> None:
    walk(app, "fr")
    made = scenarios.make("business")
    owner = signed_in(app, made)
    owner.post("/sign-in", data={"email": made.email, "password": "a wrong password"})
    owner.post("/contact", data={"message": "Mon numéro est secret.", "subject": "billing"})
    entry = owner.post("/billing/cards/new").headers["Location"].removeprefix("http://localhost")
    for number in ("4242424242424242", "4111 1111 1111 1111", "4000000000000002"):
        owner.post(entry, data={"number": number, "expiry": "12/39", "code": "123", "holder": "Zoé Lambda"})
    owner.get("/billing/invoices?search=PO-SECRET")
    payment = owner.post(f"/subscriptions/{subscription(made)}/renew", data={"seats": "14"}).headers["Location"]
    quote = payment.split("/")[-2]
    owner.post(payment, data={"card": made.cards[0]})
    post(app, f"/{made.account}/gateway", next="decline")
    owner.post(step(made, quote, "pay"), data={"attempt": "1"})
    owner.get("/billing/invoices/\0")
    owner.get(f"/{made.email}")
    assert len(log.of_event()) > 300
    about_people = {row.recipient for row in db.session.scalars(select(Message))} | {made.email, made.password}
    secrets = [
        "@example.test",
        "4242424242424242",
        "4111 1111",
        "4000000000000002",
        "Camille",
        "Martin",
        "Zoé",
        "Lambda",
        "Beaumont",
        "quai des Analyses",
        "12 rue",
        "FR41900300401",
        "Sophie",
        "wrong password",
        "secret",
        "SECRET",
        "seats=",
        "next=",
        "/subscriptions/",
        "csrf",
        "token",
        *about_people,
    ]
    assert personal(log, secrets) == []


def test_what_an_exception_quotes_is_masked() -> None:
    for said in (
        "Ann@example.test is taken",
        "postgresql://user:hunter2@host/name",
        "card 4242 4242 4242 4242",
        "got 'x y'",
    ):
        cause = logs.causes(ValueError(said))[0]
        assert "…" in cause
        assert not any(secret in cause for secret in ("Ann", "hunter2", "4242", "x y"))


def test_the_form_of_the_log_is_one_of_two(app: Flask) -> None:
    with pytest.raises(Misconfigured, match="LOG_FORMAT"):
        check({**app.config, "LOG_FORMAT": "xml"})
