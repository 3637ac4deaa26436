"""The sandbox's answers, compared with its OpenAPI document; and what the contract promises beside their shape."""

import re
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for
from sqlalchemy import text

from tests.support.world import dump, pay, post, quoted, state
from webapp.db import Base, db
from webapp.domain.seats import MAX_SEATS
from webapp.sandbox import scenarios
from webapp.sandbox.fields import FIRST_YEAR, GIVEN_INSTANT, LAST_YEAR
from webapp.sandbox.openapi import SEATS_DIGITS, describe
from webapp.sandbox.scenarios import SCENARIOS, Made

JSON = {"Accept": "application/json"}
FRENCH = {**JSON, "Accept-Language": "fr"}
ENGLISH = {**JSON, "Accept-Language": "en"}


def strict(schema: Any) -> Any:
    """The schema, which then refuses fields that it does not describe."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = (
        {"additionalProperties": False} if "properties" in schema and set(schema["properties"]) != {"amount"} else {}
    )
    return {**{name: strict(part) for name, part in schema.items()}, **closed}


def check(answer: Any, path: str, method: str) -> None:
    """The answer has a status that the document lists for this operation, and the shape that it gives for it."""
    document = describe()
    operation = document["paths"][path][method]
    assert str(answer.status_code) in operation["responses"], (path, method, answer.status_code)
    content = operation["responses"][str(answer.status_code)].get("content")
    if content is None:
        assert answer.data == b""
        return
    schema = {**strict(content["application/json"]["schema"]), "components": strict(document["components"])}
    Draft202012Validator(schema).validate(answer.json)


def test_the_document_is_well_formed_and_describes_each_route(app: Flask) -> None:
    client = app.test_client()
    answer = client.get("/sandbox/openapi.json")
    document = answer.json
    assert document == describe()
    assert document
    for schema in document["components"]["schemas"].values():
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    routes = {
        (rule.rule.replace("<", "{").replace(">", "}"), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/sandbox/accounts", "/sandbox/openapi"))
    }
    described = {
        (path, method) for path, item in document["paths"].items() for method in item if method != "parameters"
    }
    assert described == routes
    assert document["paths"]["/sandbox/accounts"]["post"]["requestBody"]


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name != "many-invoices"])
def test_every_scenario_answers_as_described(app: Flask, scenario: str) -> None:
    client = app.test_client()
    made = client.post("/sandbox/accounts", data={"scenario": scenario}, headers=JSON)
    check(made, "/sandbox/accounts", "post")
    assert made.json
    account = f"/sandbox/accounts/{made.json['account']}"
    assert client.post(f"{account}/clock", data={"advance": "P1M"}, headers=JSON).status_code == 200
    check(client.get(f"{account}/state", headers=JSON), "/sandbox/accounts/{account}/state", "get")


@pytest.mark.parametrize(
    ("route", "form"),
    [
        ("clock", {"advance": "PT2M"}),
        ("clock", {"to": "next"}),
        ("clock", {"to": "yesterday"}),
        ("clock", {}),
        ("users", {"active": "9"}),
        ("users", {"directory": "down"}),
        ("users", {"active": "many"}),
        ("gateway", {"next": "decline"}),
        ("gateway", {"next": ""}),
        ("gateway", {"next": "explode"}),
        ("gateway", {"down": "1"}),
    ],
)
def test_every_route_answers_as_described(app: Flask, business: Made, route: str, form: dict[str, str]) -> None:
    for account in (business.account, "never"):
        answer = app.test_client().post(f"/sandbox/accounts/{account}/{route}", data=form, headers=JSON)
        check(answer, f"/sandbox/accounts/{{account}}/{route}", "post")


@pytest.mark.service
def test_a_payment_is_in_the_state_with_its_mail_invoice_and_activity(app: Flask, business: Made) -> None:
    post(app, f"/{business.account}/users", active="7")
    post(app, f"/{business.account}/gateway", next="error")
    shown = state(app, business)
    assert (shown["active_users"], shown["armed"]) == (7, "error")
    post(app, f"/{business.account}/gateway", next="")
    pay(app, business, quoted(app, business))
    shown = state(app, business)
    invoice = shown["invoices"][-1]
    (mail,) = (message for message in shown["messages"] if message["attachments"])
    assert sum(line["amount"] for line in invoice["lines"]) == invoice["net"]
    assert invoice["id"]
    assert mail["attachments"] == [f"facture-{invoice['number']}.pdf"]
    assert "<html" in mail["html"]
    assert [record["what"] for record in shown["activity"]]
    check(
        app.test_client().get(f"/sandbox/accounts/{business.account}/state"), "/sandbox/accounts/{account}/state", "get"
    )


def test_only_next_changes_what_is_armed(app: Flask, business: Made) -> None:
    post(app, f"/{business.account}/gateway", next="decline")
    answer = app.test_client().post(f"/sandbox/accounts/{business.account}/gateway", data={"down": "1"}, headers=JSON)
    assert answer.status_code == 422
    assert state(app, business)["armed"] == "decline"


@pytest.mark.parametrize(
    ("now", "advance", "then"),
    [
        ("2027-01-31T09:00:00", "P1M", "2027-02-28T09:00"),
        ("2027-03-15T09:00:00", "P1M", "2027-04-15T09:00"),  # summer time begins: it is nine there, too
        ("2027-01-15T09:00:00", "P12M", "2028-01-15T09:00"),
        ("2027-01-15T09:00:00", "P1M1DT1H", "2027-02-16T10:00"),
    ],
)
def test_the_clock_advances_by_months(app: Flask, now: str, advance: str, then: str) -> None:
    made = post(app, "", scenario="business", now=now)
    assert post(app, f"/{made['account']}/clock", advance=advance)["now"].startswith(then)


def test_the_clock_goes_to_what_is_due_next(app: Flask, business: Made) -> None:
    """The notice seven days ahead, then the renewal."""
    assert post(app, f"/{business.account}/clock", to="next")["now"].startswith("2027-02-08T00:00")
    assert len(state(app, business)["messages"]) == 1
    assert post(app, f"/{business.account}/clock", to="next")["now"].startswith("2027-02-15T00:00")
    assert [payment["state"] for payment in state(app, business)["payments"]] == ["captured"]


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/nothing-here", 404, "not_found"),
        ("GET", "/sandbox/accounts/never/state", 404, "not_found"),
        ("GET", "/sandbox/accounts", 405, "method_not_allowed"),
        ("DELETE", "/sandbox/accounts/never", 404, "not_found"),
        ("POST", "/sandbox/accounts", 422, "invalid"),
    ],
)
def test_errors_are_json_in_the_language_that_is_asked_for(
    app: Flask, method: str, path: str, status: int, error: str
) -> None:
    french = app.test_client().open(path, method=method, headers=FRENCH)
    english = app.test_client().open(path, method=method, headers=ENGLISH)
    for answer in (french, english):
        assert (answer.status_code, answer.content_type) == (status, "application/json")
        assert answer.json
        assert (set(answer.json), answer.json["error"]) == ({"error", "message"}, error)
    assert french.json
    assert english.json
    assert french.json["message"] != english.json["message"]
    if status == 405:
        assert english.headers["Allow"]
    page = app.test_client().open(path, method=method, headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.content_type.startswith("text/html")


@pytest.mark.service
@pytest.mark.parametrize("scenario", ["team", "both", "business-lapsed", "business-backup-card"])
def test_an_account_is_removed_with_all_it_has_and_no_other(app: Flask, scenario: str) -> None:
    scenarios.make("business")
    before = {name: len(rows) for name, rows in dump().items()}
    made = scenarios.make(scenario)
    post(app, f"/{made.account}/clock", advance="P3M")
    answer = app.test_client().delete(f"/sandbox/accounts/{made.account}", headers=JSON)
    check(answer, "/sandbox/accounts/{account}", "delete")
    assert {name: len(rows) for name, rows in dump().items()} == before
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if column.name in ("account_id", "customer"):
                query = text(f'SELECT count(*) FROM "{table.name}" WHERE {column.name} = :id')
                assert db.session.scalar(query, {"id": made.account}) == 0
    assert app.test_client().get(f"/sandbox/accounts/{made.account}/state", headers=JSON).status_code == 404


@pytest.mark.parametrize("body", ["[]", '"next"', "{", "null"])
def test_json_without_fields_is_refused_and_changes_nothing(app: Flask, business: Made, body: str) -> None:
    """An empty form disarms the gateway; a slip in the JSON must not."""
    post(app, f"/{business.account}/gateway", next="decline")
    path = f"/sandbox/accounts/{business.account}/gateway"
    answer = app.test_client().post(path, data=body, content_type="application/json", headers=JSON)
    check(answer, "/sandbox/accounts/{account}/gateway", "post")
    assert (answer.status_code, state(app, business)["armed"]) == (422, "decline")


@pytest.mark.parametrize("wishes", [{"seats": "5"}, {"active": "9"}])
def test_a_reduction_that_cannot_be_is_refused_before_anything_is_made(app: Flask, wishes: dict[str, str]) -> None:
    before = dump()
    form = {"scenario": "business-reduction-pending", **wishes}
    answer = app.test_client().post("/sandbox/accounts", data=form, headers=ENGLISH)
    check(answer, "/sandbox/accounts", "post")
    assert (answer.status_code, dump()) == (422, before)
    assert "8 seats" in (answer.json or {})["message"]


@pytest.mark.parametrize(
    ("route", "body", "status"),
    [
        ("users", {"active": 9.0}, 200),
        ("users", {"active": 9.5}, 422),
        ("users", {"active": "009"}, 422),
        ("clock", {"to": "next", "advance": "soon"}, 422),
        ("clock", {"to": "20270301"}, 422),
        ("clock", {"to": "2027-02-30"}, 422),
        ("clock", {"to": "2027-03-01", "advance": None}, 200),
        ("clock", {"advance": "P"}, 422),
    ],
)
def test_each_field_has_the_form_that_is_described(
    app: Flask, business: Made, route: str, body: dict[str, object], status: int
) -> None:
    answer = app.test_client().post(f"/sandbox/accounts/{business.account}/{route}", json=body, headers=JSON)
    check(answer, f"/sandbox/accounts/{{account}}/{route}", "post")
    assert answer.status_code == status


def test_the_described_digits_and_years_end_where_the_rules_do() -> None:
    digits, instants = re.compile(SEATS_DIGITS), GIVEN_INSTANT
    assert [bool(digits.fullmatch(str(n))) for n in (0, 1, MAX_SEATS, MAX_SEATS + 1)] == [False, True, True, False]
    years = [
        bool(instants.fullmatch(f"{year}-01-15")) for year in (FIRST_YEAR - 1, FIRST_YEAR, LAST_YEAR, LAST_YEAR + 1)
    ]
    assert years == [False, True, True, False]
