"""Where the gateway tells that something happened. It answers programs, with a status and no page."""

import logging

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue

from ..access.identity import public
from ..ports import Forged, OutcomeUnknown, ports
from ..purchases import gateway_events

log = logging.getLogger(__name__)
blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")


@blueprint.post("/stripe")
@public
def stripe() -> ResponseReturnValue:
    """200: done, or of no concern; 400: not Stripe's; 503: to be sent again."""
    notifier = ports().notifier
    if notifier is None:
        abort(404)
    try:
        heard = notifier.heard(request.get_data(), request.headers.get("Stripe-Signature", ""))
    except Forged as fault:
        told = "a notification at %s was refused (%s): if Stripe sent it, check STRIPE_WEBHOOK_SECRET and this clock"
        log.warning(told, request.path, fault)
        return "", 400
    try:
        if heard is not None:
            gateway_events.act_on(heard)
    except OutcomeUnknown:
        return "", 503
    return "", 200
