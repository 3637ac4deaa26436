"""Reads the events that Stripe sends: whether Stripe signed them, and what they are about."""

import json

import stripe

from ...ports import ForgedEvent, GatewayEvent
from .customers import account_of
from .words import TOPICS

SIGNATURE_AGE_MAX = 300  # seconds; an older event is refused
FORGED = (
    stripe.SignatureVerificationError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)


def read_event(body: bytes, signature: str, secret: str) -> GatewayEvent | None:
    """None if it is of a type that the portal ignores, or of nobody's. Raises ForgedEvent."""
    try:
        stripe.WebhookSignature.verify_header(body, signature, secret, SIGNATURE_AGE_MAX)
        event = json.loads(body)
        subject = TOPICS.get(event["type"])
        about = event["data"]["object"]
        said = about.get("metadata") or {}
        named = about.get("client_reference_id") if subject == "card" else said.get("key")
        account, customer = said.get("account"), about.get("customer")
        if not isinstance(event["id"], str):
            raise TypeError
    except FORGED as fault:
        raise ForgedEvent(type(fault).__name__) from None
    if subject is None or not isinstance(named, str):
        return None
    if not isinstance(account, str):  # of an intent or a card page of versions up to 0.7
        account = account_of(customer) if isinstance(customer, str) else ""
    return GatewayEvent(event["id"], subject, account, named) if account else None
