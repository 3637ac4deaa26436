"""Renew: the stepper. The payment pages are in `purchase`."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from ..access.identity import me, needs
from ..domain.permissions import Procedure
from ..domain.subscription import projected_seats, renewal_target
from ..ports import ports
from ..purchases import quotes
from ..subscriptions import loading
from . import stepper as steppers
from .forms import SeatsForm
from .fragments import wants_fragment

blueprint = Blueprint("renew", __name__, url_prefix="/subscriptions/<subscription_id>/renew")
needs(Procedure.CHANGE)(blueprint)
blueprint.context_processor(lambda: {"section": "subscriptions"})


@blueprint.get("")
def stepper(subscription_id: str) -> ResponseReturnValue:
    return steppers.cost_fragment("renew", subscription_id) if wants_fragment() else _page(subscription_id)


@blueprint.post("")
def choose_seats(subscription_id: str) -> ResponseReturnValue:
    return steppers.continue_to_payment("renew", subscription_id, quotes.quote_renewal, _page)


def _page(subscription_id: str, form: SeatsForm | None = None, status: int = 200) -> ResponseReturnValue:
    subscription = loading.load(me().account_id, subscription_id)
    facts, today = subscription.facts, ports().clock.now(subscription.account).date()
    target, seats = renewal_target(facts, today), projected_seats(facts)
    return steppers.page("renew", subscription, today, target.period, seats, form, status, days_left=target.days_left)
