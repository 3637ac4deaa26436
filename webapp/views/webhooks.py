"""Receives the gateway's events. The answer is a status without a page."""

import logging

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue

from ..access.identity import public
from ..ports import ForgedEvent, OutcomeUnknown, ports
from ..purchases import gateway_events

log = logging.getLogger(__name__)
blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")


@blueprint.post("/stripe")
@public
def stripe() -> ResponseReturnValue:
    """200: done, or ignored; 400: not signed by Stripe; 503: Stripe must send it again."""
    reader = ports().gateway_events
    if reader is None:
        abort(404)
    try:
        event = reader.read_event(request.get_data(), request.headers.get("Stripe-Signature", ""))
    except ForgedEvent as fault:
        log.warning(
            "a notification at %s was refused (%s): if Stripe sent it, check STRIPE_WEBHOOK_SECRET and this clock",
            request.path,
            fault,
        )
        return "", 400
    try:
        if event is not None:
            gateway_events.handle(event)
    except OutcomeUnknown:
        return "", 503
    return "", 200
