"""Cancel the subscription: the confirmation and the request."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from ..access.identity import me, needs, needs_proof
from ..domain.permissions import Procedure
from ..domain.subscription import Status, check_cancellation
from ..ports import ports
from ..purchases import payments
from ..subscriptions import loading, service
from ..words import gettext
from .confirmation import ConfirmForm, confirmation, done

blueprint = Blueprint("cancel", __name__, url_prefix="/subscriptions/<subscription_id>/cancel")
needs(Procedure.CHANGE)(blueprint)
needs_proof(blueprint)
blueprint.context_processor(lambda: {"section": "subscriptions"})


@blueprint.get("")
def confirm(subscription_id: str) -> ResponseReturnValue:
    return _confirmation(subscription_id)


@blueprint.post("")
def cancel(subscription_id: str) -> ResponseReturnValue:
    form = ConfirmForm()
    if not form.validate():
        return _confirmation(subscription_id, form, 422)
    given_up = payments.cancel_challenge(me().account_id, subscription_id)
    service.cancel(me().account_id, subscription_id, given_up)
    return done(subscription_id, gettext("Your cancellation request has been saved."))


def _confirmation(subscription_id: str, form: ConfirmForm | None = None, status: int = 200) -> ResponseReturnValue:
    subscription = loading.load(me().account_id, subscription_id)
    facts = subscription.facts
    at_once = check_cancellation(facts, ports().clock.now(subscription.account).date()) is Status.PAST_DUE
    ends_on = facts.paid_until
    return confirmation("cancel", subscription, form, status, ends_on=ends_on, at_once=at_once)
