"""A small Stripe: it answers what the portal asks of the API in the API's published shapes.

Idempotency keys work as at Stripe: the first answer is repeated, faults included, and other parameters under a known
key are refused. Parameters that the SDK's version of the API does not know are refused, too.
"""

import json
import re
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

from stripe import params as known_params
from stripe.params import checkout as checkout_params

from tests.servers import stripe_shapes as shapes
from tests.servers.stripe_shapes import Shape

SECRET_KEY, WEBHOOK_SECRET = "sk_test_7mJuPfZsBzc3JkrANrFrcDqC", "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH"
Answer = tuple[int, Shape]


class Asked(NamedTuple):
    method: str
    path: str
    params: Shape
    idempotency_key: str | None


class Refused(Exception):
    """Ends a request with an error."""

    def __init__(self, status: int, body: Shape) -> None:
        self.answer = status, body


def invalid(message: str, code: str | None = None, **more: Any) -> Refused:
    return Refused(400, shapes.error("invalid_request_error", code, message, **more))


class Stripe:
    """The stored objects, and what tests do. `during` is called before each answer."""

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
        """Makes the next calls to paths that end so fail: "silent", "silent_after", "dropped", or a key of FAULTS."""
        self.faults += [(at, how)] * times

    def card(self, owner: str | None, behaves: str = "accepted", brand: str = "visa", last4: str = "4242") -> str:
        named = f"pm_{next(self.numbers):024}"
        self.methods[named] = shapes.payment_method(named, owner, brand, last4, "Camille Martin")
        self.behaviours[named] = behaves
        return named

    def enter_card(self, session: str, behaves: str = "accepted", **card: str) -> str:
        """Enters a card on Checkout's page, as the owner does."""
        page = self.sessions[session]
        token = self.card(page["customer"], behaves, **card)
        named = f"seti_{next(self.numbers):024}"
        self.setups[named] = shapes.setup_intent(named, page["customer"], token, "succeeded")
        page.update(setup_intent=named, status="complete")
        return token

    def authenticate(self, page: str, confirmed: bool) -> None:
        """Answers on the bank's page, as the owner does."""
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
        """Forgets all idempotency keys, as Stripe does after a day."""
        self.kept.clear()

    def captured(self) -> list[int]:
        """The amount of each charge, in cents."""
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
            match = re.fullmatch(path, asked.path)
            if match and method == asked.method:
                unknown = {name.partition("[")[0] for name in asked.params} - allowed
                if unknown:
                    unknown_parameter = invalid(
                        f"Received unknown parameter: {unknown}", "parameter_unknown", param=min(unknown)
                    )
                    return unknown_parameter.answer
                try:
                    return 200, do(self, *match.groups(), asked.params)
                except Refused as refused:
                    return refused.answer
                except KeyError as missing:
                    message = f"No such {names}: {missing}"
                    return 404, shapes.error("invalid_request_error", "resource_missing", message, param="id")
        return 404, shapes.error("invalid_request_error", None, f"Unrecognized request URL ({asked.path}).")

    def _customer(self, params: Shape) -> Shape:
        named = f"cus_{next(self.numbers):014}"
        self.customers[named] = shapes.customer(named, params)
        return self.customers[named]

    def _session(self, params: Shape) -> Shape:
        if "allowed_payment_method_types" not in params and "currency" not in params:
            raise invalid("currency is required", "parameter_missing", param="currency")
        assert params["customer"] in self.customers
        named = f"cs_test_a1{next(self.numbers):056}"
        self.sessions[named] = shapes.checkout_session(named, params)
        return self.sessions[named]

    def _show_session(self, named: str, params: Shape) -> Shape:
        page = dict(self.sessions[named])
        if params.get("expand") == ["setup_intent.payment_method"] and page["setup_intent"]:
            setup = dict(self.setups[page["setup_intent"]])
            setup["payment_method"] = self.methods.get(setup["payment_method"])
            page["setup_intent"] = setup
        return page

    def _show_method(self, named: str, _params: Shape) -> Shape:
        return self.methods[named]

    def _detach(self, named: str, _params: Shape) -> Shape:
        if self.methods[named]["customer"] is None:
            raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.")
        self.methods[named]["customer"] = None
        return self.methods[named]

    def _intent(self, params: Shape) -> Shape:
        assert params["customer"] in self.customers
        if int(params["amount"]) < 50:
            raise invalid("Amount must be at least €0.50 eur", "amount_too_small", param="amount")
        named = f"pi_{next(self.numbers):024}"
        self.intents[named] = shapes.payment_intent(named, {"created": int(time.time()), **params})
        return self.intents[named]

    def _show_intent(self, named: str, _params: Shape) -> Shape:
        return self.intents[named]

    def _change_intent(self, named: str, params: Shape) -> Shape:
        self.intents[named]["metadata"] |= params["metadata"]
        return self.intents[named]

    def _intents(self, params: Shape) -> Shape:
        rows = [
            intent
            for intent in reversed(self.intents.values())
            if intent["customer"] == params.get("customer", intent["customer"])
            and intent["created"] >= int(params.get("created", {}).get("gte", 0))
        ]
        if params.get("expand") == ["data.latest_charge"]:
            rows = [row | {"latest_charge": self.charges.get(row["latest_charge"])} for row in rows]
        return self._page("/v1/payment_intents", rows, params)

    def _page(self, url: str, rows: list[Shape], params: Shape) -> Shape:
        ids = [row["id"] for row in rows]
        since = ids.index(params["starting_after"]) + 1 if "starting_after" in params else 0
        until = since + int(params.get("limit", 10))
        return shapes.listed(url, rows[since:until], until < len(rows))

    def _confirm(self, named: str, params: Shape) -> Shape:
        intent, method = self.intents[named], self.methods[params["payment_method"]]
        if intent["status"] not in ("requires_payment_method", "requires_confirmation"):
            message = f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}."
            raise invalid(message, "payment_intent_unexpected_state", payment_intent=intent)
        if method["customer"] != intent["customer"]:
            message = (
                "The provided PaymentMethod was previously used … or was detached from a Customer. It may not be used."
            )
            raise invalid(message, None)
        behaves, absent = self.behaviours[method["id"]], params.get("off_session") == "true"
        if behaves == "accepted":
            intent["payment_method"] = method["id"]
            return self._succeed(intent)
        if behaves == "challenge" and not absent:
            intent.update(status="requires_action", payment_method=method["id"], last_payment_error=None)
            intent["next_action"] = shapes.redirect(intent, params["return_url"])
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

    def _cancel(self, named: str, _params: Shape) -> Shape:
        intent = self.intents[named]
        if intent["status"] in ("succeeded", "canceled", "processing"):
            message = f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}."
            raise invalid(message, "payment_intent_unexpected_state", payment_intent=intent)
        intent.update(status="canceled", canceled_at=1795450100, next_action=None)
        return intent

    def _refund(self, params: Shape) -> Shape:
        intent = self.intents[params["payment_intent"]]
        gone = sum(row["amount"] for row in self.refunds.values() if row["payment_intent"] == intent["id"])
        if gone == intent["amount"]:
            raise invalid("Charge ch_1 has already been refunded.", "charge_already_refunded")
        if int(params["amount"]) > intent["amount"] - gone:
            raise invalid("Refund amount is greater than unrefunded amount on charge", None, param="amount")
        named = f"re_{next(self.numbers):024}"
        self.refunds[named] = shapes.refund(named, params, intent, self.refund_status)
        return self.refunds[named]

    def _refunds(self, params: Shape) -> Shape:
        rows = [row for row in reversed(self.refunds.values()) if row["payment_intent"] == params["payment_intent"]]
        return self._page("/v1/refunds", rows, params)


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
