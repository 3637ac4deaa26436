"""The sandbox's contract as an OpenAPI document, `GET /sandbox/openapi.json`. Tests compare the answers with it."""

from functools import cache
from typing import Any

from babel import Locale

from ..domain.periods import TERMS
from ..domain.permissions import Role
from ..domain.seats import MAX_SEATS
from ..formats import country_codes
from .fields import DURATION, GIVEN_INSTANT, MOST_ACTIVE, zones
from .gateway import FAULTS
from .scenarios import SCENARIOS

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
CENTS: Schema = {"type": "integer", "description": "In cents."}
YES_OR_NO: Schema = {"type": "boolean"}
DAY: Schema = {"type": "string", "format": "date"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
CURRENCY: Schema = {"type": "string", "pattern": "^[A-Z]{3}$"}


def _one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _object(**properties: Schema) -> Schema:
    """Each property is required."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def _named(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


ROLE = _one_of(*Role)
PERIOD = _object(ordinal=WHOLE, seats=WHOLE, start=DAY, end={**DAY, "description": "Exclusive."})
CHANGE = _object(
    kind=_one_of("reduction", "cancellation"),
    seats=_or_null(WHOLE),
    effective_on=DAY,
    state=_one_of("open", "withdrawn", "applied", "superseded"),
)
SUBSCRIPTION = _object(
    id=TEXT,
    plan=_one_of("business", "enterprise"),
    status=_one_of("active", "ending", "past_due", "lapsed", "ended"),
    seats=WHOLE,
    next_seats=_or_null(WHOLE),
    period_start=DAY,
    period_end={**DAY, "description": "Exclusive."},
    periods=_list(PERIOD),
    changes=_list(CHANGE),
)
INVOICE = _object(
    id=TEXT,
    number=TEXT,
    issued_on=DAY,
    net=CENTS,
    tax=CENTS,
    total=CENTS,
    currency=CURRENCY,
    kind=_one_of("invoice", "credit_note"),
    lines=_list(_object(amount=CENTS)),
)
MESSAGE = _object(id=TEXT, to=TEXT, subject=TEXT, text=TEXT, html=TEXT, attachments=_list(TEXT), sent_at=INSTANT)
ACTIVITY = _object(
    at=INSTANT,
    by=_or_null(TEXT),
    what=TEXT,
    subscription=_or_null(TEXT),
    before={"type": "object"},
    after={"type": "object"},
)
STATE = _object(
    now=INSTANT,
    active_users=_or_null(
        {**WHOLE, "description": "Now, in the first subscription's tenant. The portal sees it later."}
    ),
    armed=_or_null({**_one_of(*FAULTS), "description": "What the next charge or refund does."}),
    subscriptions=_list(SUBSCRIPTION),
    cards=_list(_object(id=TEXT, brand=TEXT, last4=TEXT, default=YES_OR_NO, backup=YES_OR_NO)),
    invoices=_list(INVOICE),
    payments=_list(_object(key=TEXT, state=_one_of("pending", "captured", "declined", "cancelled"), amount=CENTS)),
    gateway=_object(
        charges=_list(_object(key=TEXT, amount=CENTS, state=_one_of("captured", "declined"))),
        refunds=_list(_object(key=TEXT, amount=CENTS)),
    ),
    members=_list(_object(email=TEXT, role=ROLE)),
    messages=_list(MESSAGE),
    activity=_list(ACTIVITY),
)
MADE = _object(
    account=TEXT,
    email=TEXT,
    password=TEXT,
    now=INSTANT,
    subscriptions=_object(business=_or_null(TEXT), enterprise=_or_null(TEXT)),
    cards=_list(TEXT),
)
MADE["properties"]["members"] = _list(_object(email=TEXT, password=TEXT, role=ROLE))  # of the scenario `team` only
MADE["properties"]["totp_secret"] = TEXT  # of the scenario `two-factor` only
ERROR = _object(
    error={**TEXT, "description": "The name of the error, the same in every language."},
    message={**TEXT, "description": "A sentence in the language that is asked for."},
)


def _answer(description: str, schema: Schema | None = None) -> Schema:
    content = {"content": {"application/json": {"schema": schema}}} if schema else {}
    return {"description": description, **content}


def _operation(name: str, summary: str, status: int, schema: Schema | None, form: Schema | None = None) -> Schema:
    """`form` are the fields; they may come as a form, in the address or as JSON."""
    done = _answer("Done.", schema)
    if name == "makeAccount":
        done["links"] = {other: _link(other) for other in OF_ACCOUNT}
    answers = {str(status): done}
    if form is not None:
        answers["411"] = _answer("The request does not say how long it is.", _named("Error"))
        answers["413"] = _answer("The request is too long.", _named("Error"))
        answers["422"] = _answer("A field is missing or not valid; nothing was changed.", _named("Error"))
    if name in OF_ACCOUNT:
        answers["404"] = _answer("There is no such account.", _named("Error"))
    operation: Schema = {"operationId": name, "summary": summary, "responses": answers}
    if form is not None:
        operation["requestBody"] = {
            "required": form is not GATEWAY,
            "description": "The fields may be in the address, too.",
            "content": {
                "application/x-www-form-urlencoded": {"schema": form},
                "application/json": {"schema": _with_nulls(form)},
            },
        }
    return operation


OF_ACCOUNT = ("moveClock", "setUsers", "setGateway", "readState", "deleteAccount")


def _link(operation: str) -> Schema:
    """From a new account to what can be done with it."""
    return {"operationId": operation, "parameters": {"account": "$response.body#/account"}}


def _fields(*required: str, **properties: Schema) -> Schema:
    """The fields of a form. An empty one that is not required is as good as none."""
    shown = {name: schema if name in required else _or_empty(schema) for name, schema in properties.items()}
    return {"type": "object", "properties": shown, **({"required": list(required)} if required else {})}


def _or_empty(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"const": ""}]}


def _with_nulls(form: Schema) -> Schema:
    """The same fields as JSON, where null is as good as none."""
    required = form.get("required", ())
    shown = {name: schema if name in required else _or_null(schema) for name, schema in form["properties"].items()}
    return {**form, "properties": shown}


def _whole(least: int, most: int, pattern: str) -> Schema:
    """A number, or its digits, which `pattern` limits in the same way."""
    return {"anyOf": [{"type": "integer", "minimum": least, "maximum": most}, _pattern(pattern)]}


def _pattern(pattern: str, description: str = "") -> Schema:
    described = {"description": description} if description else {}
    return {"type": "string", "pattern": f"^(?:{pattern})$", **described}


def _given(**schemas: Schema) -> Schema:
    return {"required": list(schemas), "properties": schemas}


SEATS_DIGITS = "[1-9][0-9]{0,3}|10000"  # up to MAX_SEATS
WHEN = _pattern(GIVEN_INSTANT.pattern, "Date and time, for example 2027-01-31T09:00:00, in the account's zone.")
ADVANCE = _pattern(DURATION.pattern, "A duration in ISO 8601: PT2M, P31D, P1M.")
TO: Schema = {
    "anyOf": [WHEN, {"const": "next"}],
    "description": "A date and time that is not past, or `next`: the next thing that becomes due. Before `advance`.",
}
CLOCK = _fields(advance=ADVANCE, to=TO) | {"anyOf": [_given(advance=ADVANCE), _given(to=TO)]}
ACTIVE = _whole(0, MOST_ACTIVE, "0|[1-9][0-9]{0,5}")
UP_OR_DOWN = _one_of("up", "down")
USERS = _fields(active=ACTIVE, directory=UP_OR_DOWN) | {"anyOf": [_given(active=ACTIVE), _given(directory=UP_OR_DOWN)]}
GATEWAY = _fields(next=_one_of(*FAULTS)) | {
    "anyOf": [{"required": ["next"]}, {"maxProperties": 0}],  # another field alone is a slip
}


@cache
def _new_account() -> Schema:
    codes = sorted(country_codes(Locale("en")))
    return _fields(
        "scenario",
        scenario=_one_of(*SCENARIOS),
        now=WHEN,
        tz={**_one_of(*sorted(zones())), "description": "Europe/Paris if none is given."},
        seats=_whole(1, MAX_SEATS, SEATS_DIGITS),
        active=_whole(0, MAX_SEATS, f"0|{SEATS_DIGITS}"),
        term={"enum": [*TERMS, *map(str, TERMS)], "description": "In months."},
        country={**_one_of(*codes, *map(str.lower, codes)), "description": "Of the organisation, for example DE."},
    )


def describe() -> Schema:
    """The whole document."""
    users = {
        "anyOf": [_object(active=WHOLE, seen_at=INSTANT), _object(directory=_one_of("up", "down"))],
    }
    of_account = [{"name": "account", "in": "path", "required": True, "schema": TEXT}]
    account = "/sandbox/accounts/{account}"
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "The sandbox of My Qlik",
            "version": "1",
            "description": "Send `Accept: application/json`. No session and no CSRF token is needed.",
        },
        "paths": {
            "/sandbox/accounts": {
                "post": _operation("makeAccount", "Makes an account.", 201, _named("Made"), _new_account())
            },
            account: {
                "parameters": of_account,
                "delete": _operation("deleteAccount", "Removes the account with all that it has.", 204, None),
            },
            f"{account}/clock": {
                "parameters": of_account,
                "post": _operation("moveClock", "Moves the account's clock forward.", 200, _object(now=INSTANT), CLOCK),
            },
            f"{account}/users": {
                "parameters": of_account,
                "post": _operation("setUsers", "Sets the active users of the tenant.", 200, users, USERS),
            },
            f"{account}/gateway": {
                "parameters": of_account,
                "post": _operation(
                    "setGateway",
                    "Decides what the next charge or refund does; empty: nothing unusual.",
                    200,
                    _object(next=_or_null(_one_of(*FAULTS))),
                    GATEWAY,
                ),
            },
            f"{account}/state": {
                "parameters": of_account,
                "get": _operation("readState", "Tells everything that happened.", 200, _named("State")),
            },
            "/sandbox/openapi.json": {
                "get": _operation("describe", "This document.", 200, {"type": "object"}),
            },
        },
        "components": {"schemas": {"State": STATE, "Made": MADE, "Error": ERROR}},
    }
