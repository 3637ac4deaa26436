"""A small Stripe on loopback: what the portal asks of the API, answered in its published shapes, over real HTTP.

It keeps idempotency keys as Stripe does (the first answer again, faults included; other words under a key are refused),
refuses parameters that the SDK's version of the API does not know, and fails when a test says so.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from stripe import params as known_params
from stripe.params import checkout as checkout_params

from . import stripe_shapes as shapes
from .stripe_shapes import Shape

SECRET_KEY, WEBHOOK_SECRET = "sk_test_7mJuPfZsBzc3JkrANrFrcDqC", "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH"
Answer = tuple[int, Shape]
FAULTS = {  # what is answered instead; a fault of Stripe's own is kept under the idempotency key
    "500": (500, shapes.error("api_error", None, "Something went wrong on Stripe's end.")),
    "429": (429, shapes.error("invalid_request_error", "rate_limit", "Request rate limit exceeded.")),
    "409": (409, shapes.error("invalid_request_error", "lock_timeout", "This object cannot be accessed right now.")),
    "401": (401, shapes.error("invalid_request_error", None, "Invalid API Key provided: sk_test_*********qC")),
    "403": (403, shapes.error("invalid_request_error", None, "The provided key does not have the permissions.")),
    "400": (
        400,
        shapes.error("invalid_request_error", "parameter_unknown", "Received unknown parameter: x", param="x"),
    ),
}


class Asked(NamedTuple):
    method: str
    path: str
    params: Shape
    idempotency_key: str | None


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, told: Shape) -> None:
        self.answer = status, told


def invalid(message: str, code: str | None = None, **more: Any) -> Refused:
    return Refused(400, shapes.error("invalid_request_error", code, message, **more))


class Stripe:
    """What it keeps, and what tests do to it. `during`: called before each answer."""

    def __init__(self) -> None:
        self.lock, self.released = threading.RLock(), threading.Event()
        self.url = ""
        self.reset()

    def reset(self) -> None:
        self.released.set()
        self.released = threading.Event()
        self.numbers = count(1)
        self.customers: dict[str, Shape] = {}
        self.methods: dict[str, Shape] = {}
        self.behaviours: dict[str, str] = {}
        self.sessions: dict[str, Shape] = {}
        self.setups: dict[str, Shape] = {}
        self.intents: dict[str, Shape] = {}
        self.charges: dict[str, Shape] = {}
        self.refunds: dict[str, Shape] = {}
        self.kept: dict[str, tuple[Shape, Answer]] = {}
        self.faults: list[tuple[str, str]] = []
        self.asked: list[Asked] = []
        self.refund_status = "succeeded"
        self.during: Callable[[], object] = lambda: None

    # What a test does.

    def fail(self, how: str, at: str = "", times: int = 1) -> None:
        """The next calls whose method and path end so: "silent", "silent_after", "dropped", or a key of FAULTS."""
        self.faults += [(at, how)] * times

    def card(self, owner: str | None, behaves: str = "accepted", brand: str = "visa", last4: str = "4242") -> str:
        named = f"pm_{next(self.numbers):024}"
        self.methods[named] = shapes.payment_method(named, owner, brand, last4, "Camille Martin")
        self.behaviours[named] = behaves
        return named

    def enter_card(self, session: str, behaves: str = "accepted", **card: str) -> str:
        """What the owner does on Checkout's page."""
        page = self.sessions[session]
        token = self.card(page["customer"], behaves, **card)
        named = f"seti_{next(self.numbers):024}"
        self.setups[named] = shapes.setup_intent(named, page["customer"], token, "succeeded")
        page.update(setup_intent=named, status="complete")
        return token

    def authenticate(self, page: str, confirmed: bool) -> None:
        """What the owner says on the bank's page."""
        intent = self.intents[re.findall(r"payment_intent=(pi_\w+)", page)[0]]
        if intent["status"] != "requires_action":
            return
        intent["next_action"] = None
        if confirmed:
            self._succeed(intent)
        else:
            method = self.methods[intent["payment_method"]]
            intent.update(status="requires_payment_method", payment_method=None)
            intent["last_payment_error"] = shapes.unauthenticated(method)

    def forget_keys(self) -> None:
        """What Stripe does after a day."""
        self.kept.clear()

    def captured(self) -> list[int]:
        """Cents of each charge that was made."""
        return [intent["amount"] for intent in self.intents.values() if intent["status"] == "succeeded"]

    def event(self, kind: str, about: Shape) -> Shape:
        return shapes.event(f"evt_{next(self.numbers):024}", kind, about)

    # What the API does.

    def answer(self, asked: Asked) -> Answer:
        with self.lock:
            key = asked.idempotency_key
            if key and asked.method == "POST" and key in self.kept:
                before, said = self.kept[key]
                if before != {"path": asked.path, **asked.params}:
                    message = "Keys for idempotent requests can only be used with the same parameters."
                    return 400, shapes.error("idempotency_error", None, message)
                return said
            said = self._done(asked)
            if key and asked.method == "POST":
                self.kept[key] = {"path": asked.path, **asked.params}, json.loads(json.dumps(said))
            return said

    def _done(self, asked: Asked) -> Answer:
        for pattern, names, allowed, do in ROUTES:
            method, _, path = pattern.partition(" ")
            found = re.fullmatch(path, asked.path)
            if found and method == asked.method:
                unknown = {name.partition("[")[0] for name in asked.params} - allowed
                if unknown:
                    told = invalid(f"Received unknown parameter: {unknown}", "parameter_unknown", param=min(unknown))
                    return told.answer
                try:
                    return 200, do(self, *found.groups(), asked.params)
                except Refused as refused:
                    return refused.answer
                except KeyError as missing:
                    message = f"No such {names}: {missing}"
                    return 404, shapes.error("invalid_request_error", "resource_missing", message, param="id")
        return 404, shapes.error("invalid_request_error", None, f"Unrecognized request URL ({asked.path}).")

    def _customer(self, told: Shape) -> Shape:
        named = f"cus_{next(self.numbers):014}"
        self.customers[named] = shapes.customer(named, told)
        return self.customers[named]

    def _session(self, told: Shape) -> Shape:
        if "allowed_payment_method_types" not in told and "currency" not in told:
            raise invalid("currency is required", "parameter_missing", param="currency")
        assert told["customer"] in self.customers
        named = f"cs_test_a1{next(self.numbers):056}"
        self.sessions[named] = shapes.checkout_session(named, told)
        return self.sessions[named]

    def _show_session(self, named: str, told: Shape) -> Shape:
        page = dict(self.sessions[named])
        if told.get("expand") == ["setup_intent.payment_method"] and page["setup_intent"]:
            setup = dict(self.setups[page["setup_intent"]])
            setup["payment_method"] = self.methods.get(setup["payment_method"])
            page["setup_intent"] = setup
        return page

    def _show_method(self, named: str, _told: Shape) -> Shape:
        return self.methods[named]

    def _detach(self, named: str, _told: Shape) -> Shape:
        if self.methods[named]["customer"] is None:
            raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.")
        self.methods[named]["customer"] = None
        return self.methods[named]

    def _intent(self, told: Shape) -> Shape:
        assert told["customer"] in self.customers
        if int(told["amount"]) < 50:
            raise invalid("Amount must be at least €0.50 eur", "amount_too_small", param="amount")
        named = f"pi_{next(self.numbers):024}"
        self.intents[named] = shapes.payment_intent(named, {"created": int(time.time()), **told})
        return self.intents[named]

    def _show_intent(self, named: str, _told: Shape) -> Shape:
        return self.intents[named]

    def _change_intent(self, named: str, told: Shape) -> Shape:
        self.intents[named]["metadata"] |= told["metadata"]
        return self.intents[named]

    def _intents(self, told: Shape) -> Shape:
        rows = [
            intent
            for intent in reversed(self.intents.values())
            if intent["customer"] == told.get("customer", intent["customer"])
            and intent["created"] >= int(told.get("created", {}).get("gte", 0))
        ]
        if told.get("expand") == ["data.latest_charge"]:
            rows = [row | {"latest_charge": self.charges.get(row["latest_charge"])} for row in rows]
        return self._page("/v1/payment_intents", rows, told)

    def _page(self, url: str, rows: list[Shape], told: Shape) -> Shape:
        ids = [row["id"] for row in rows]
        since = ids.index(told["starting_after"]) + 1 if "starting_after" in told else 0
        until = since + int(told.get("limit", 10))
        return shapes.listed(url, rows[since:until], until < len(rows))

    def _confirm(self, named: str, told: Shape) -> Shape:
        intent, method = self.intents[named], self.methods[told["payment_method"]]
        if intent["status"] not in ("requires_payment_method", "requires_confirmation"):
            message = f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}."
            raise invalid(message, "payment_intent_unexpected_state", payment_intent=intent)
        if method["customer"] != intent["customer"]:
            message = (
                "The provided PaymentMethod was previously used … or was detached from a Customer. It may not be used."
            )
            raise invalid(message, None)
        behaves, absent = self.behaviours[method["id"]], told.get("off_session") == "true"
        if behaves == "accepted":
            intent["payment_method"] = method["id"]
            return self._succeed(intent)
        if behaves == "challenge" and not absent:
            intent.update(status="requires_action", payment_method=method["id"], last_payment_error=None)
            intent["next_action"] = shapes.redirect(intent, told["return_url"])
            return intent
        intent["last_payment_error"] = shapes.declined(
            "authentication_required" if behaves == "challenge" else behaves, method
        )
        raise Refused(402, {"error": intent["last_payment_error"] | {"payment_intent": dict(intent)}})

    def _succeed(self, intent: Shape) -> Shape:
        named = f"ch_{next(self.numbers)}"
        self.charges[named] = shapes.charge(named, intent, self.methods[intent["payment_method"]])
        intent.update(status="succeeded", amount_received=intent["amount"], latest_charge=named)
        intent["last_payment_error"] = None
        return intent

    def _cancel(self, named: str, _told: Shape) -> Shape:
        intent = self.intents[named]
        if intent["status"] in ("succeeded", "canceled", "processing"):
            message = f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}."
            raise invalid(message, "payment_intent_unexpected_state", payment_intent=intent)
        intent.update(status="canceled", canceled_at=1795450100, next_action=None)
        return intent

    def _refund(self, told: Shape) -> Shape:
        intent = self.intents[told["payment_intent"]]
        gone = sum(row["amount"] for row in self.refunds.values() if row["payment_intent"] == intent["id"])
        if gone == intent["amount"]:
            raise invalid("Charge ch_1 has already been refunded.", "charge_already_refunded")
        if int(told["amount"]) > intent["amount"] - gone:
            raise invalid("Refund amount is greater than unrefunded amount on charge", None, param="amount")
        named = f"re_{next(self.numbers):024}"
        self.refunds[named] = shapes.refund(named, told, intent, self.refund_status)
        return self.refunds[named]

    def _refunds(self, told: Shape) -> Shape:
        rows = [row for row in reversed(self.refunds.values()) if row["payment_intent"] == told["payment_intent"]]
        return self._page("/v1/refunds", rows, told)


def _names(params: Any) -> set[str]:
    """The parameters that the SDK's version of the API knows."""
    return set(params.__annotations__)


P = known_params
ROUTES: list[tuple[str, str, set[str], Callable[..., Shape]]] = [
    ("POST /v1/customers", "customer", _names(P.CustomerCreateParams), Stripe._customer),
    ("POST /v1/checkout/sessions", "session", _names(checkout_params.SessionCreateParams), Stripe._session),
    (r"GET /v1/checkout/sessions/(\w+)", "session", {"expand"}, Stripe._show_session),
    (r"GET /v1/payment_methods/(\w+)", "PaymentMethod", {"expand"}, Stripe._show_method),
    (r"POST /v1/payment_methods/(\w+)/detach", "PaymentMethod", {"expand"}, Stripe._detach),
    ("POST /v1/payment_intents", "customer", _names(P.PaymentIntentCreateParams), Stripe._intent),
    ("GET /v1/payment_intents", "customer", _names(P.PaymentIntentListParams), Stripe._intents),
    (r"GET /v1/payment_intents/(\w+)", "payment_intent", {"expand"}, Stripe._show_intent),
    (r"POST /v1/payment_intents/(\w+)", "payment_intent", _names(P.PaymentIntentUpdateParams), Stripe._change_intent),
    (r"POST /v1/payment_intents/(\w+)/confirm", "intent", _names(P.PaymentIntentConfirmParams), Stripe._confirm),
    (r"POST /v1/payment_intents/(\w+)/cancel", "intent", _names(P.PaymentIntentCancelParams), Stripe._cancel),
    ("POST /v1/refunds", "charge", _names(P.RefundCreateParams), Stripe._refund),
    ("GET /v1/refunds", "charge", _names(P.RefundListParams), Stripe._refunds),
]


def decoded(form: str) -> Shape:
    """`a[b]=c` as a dictionary in one, `a[0]=c` as a list."""
    told: Shape = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        outer, _, inner = name.partition("[")
        if not inner:
            told[outer] = value
        elif inner.rstrip("]").isdigit():
            told.setdefault(outer, []).append(value)
        else:
            told.setdefault(outer, {})[inner.rstrip("]")] = value
    return told


class Handler(BaseHTTPRequestHandler):
    stripe: Stripe
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the body would wait 40 ms for the head to be acknowledged

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self._serve(urlsplit(self.path).query)

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())

    def _serve(self, form: str) -> None:
        stripe, path = self.stripe, urlsplit(self.path).path
        asked = Asked(self.command, path, decoded(form), self.headers.get("Idempotency-Key"))
        stripe.asked.append(asked)
        stripe.during()
        fault = next((found for found in stripe.faults if f"{self.command} {path}".endswith(found[0])), None)
        if fault:
            stripe.faults.remove(fault)
        how, released = fault[1] if fault else "", stripe.released
        if self.headers.get("Authorization") != f"Bearer {SECRET_KEY}":
            how = "401"
        replayed = asked.idempotency_key in stripe.kept
        if how in FAULTS:
            said = FAULTS[how]
            if how == "500" and asked.idempotency_key:
                stripe.kept.setdefault(asked.idempotency_key, ({"path": path, **asked.params}, said))
        elif how not in ("silent", "dropped"):
            said = stripe.answer(asked)
        if how.startswith("silent"):
            released.wait(10)  # the client gives up first
        if how.startswith("silent") or how == "dropped":
            self.close_connection = True
            return
        body = json.dumps(said[1]).encode()
        self.send_response(said[0])
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Request-Id": "req_1"}
        for name, value in headers.items() | ({("Idempotent-Replayed", "true")} if replayed else set()):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving() -> Iterator[Stripe]:
    """One that runs until the block ends."""
    stripe = Stripe()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"stripe": stripe}))
    server.daemon_threads = True
    stripe.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield stripe
    finally:
        stripe.released.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
