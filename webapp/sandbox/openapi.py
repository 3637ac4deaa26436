"""The sandbox's contract as an OpenAPI document, `GET /sandbox/openapi.json`. Tests compare the answers with it."""

from typing import Any

from ..domain.permissions import Role
from ..domain.seats import MAX_SEATS
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
    answers = {str(status): _answer("Done.", schema)}
    if form is not None:
        answers["422"] = _answer("A field is missing or not valid; nothing was changed.", _named("Error"))
    if name not in ("makeAccount", "describe"):
        answers["404"] = _answer("There is no such account.", _named("Error"))
    operation: Schema = {"operationId": name, "summary": summary, "responses": answers}
    if form is not None:
        kinds = ("application/x-www-form-urlencoded", "application/json")
        operation["requestBody"] = {"content": {kind: {"schema": form} for kind in kinds}}
    return operation


def _fields(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


NEW_ACCOUNT = _fields(
    ("scenario",),
    scenario=_one_of(*SCENARIOS),
    now={**TEXT, "description": "Date and time, for example 2027-01-31T09:00:00."},
    tz={**TEXT, "description": "An IANA name, for example Europe/Paris."},
    seats={"type": "integer", "minimum": 1, "maximum": MAX_SEATS},
    active={"type": "integer", "minimum": 0, "maximum": MAX_SEATS},
    term={"type": "integer", "enum": [1, 12], "description": "In months."},
    country={"type": "string", "pattern": "^[A-Z]{2}$", "description": "Of the organisation, for example DE."},
)
CLOCK = _fields(
    advance={**TEXT, "description": "A duration in ISO 8601: PT2M, P31D, P1M."},
    to={**TEXT, "description": "A date and time, or `next`: the next thing that becomes due."},
)
USERS = _fields(active={"type": "integer", "minimum": 0, "maximum": 999_999}, directory=_one_of("up", "down"))
GATEWAY = _fields(next=_one_of("", *FAULTS))


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
                "post": _operation("makeAccount", "Makes an account.", 201, _named("Made"), NEW_ACCOUNT)
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
