"""Renew, steps 2 to 4: the stepper. The purchase goes on in `purchase`."""

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from .. import purchase, service
from ..auth import me
from ..domain.subscription import BelowActiveUsers, projected_seats, renewal_target
from ..ports import ports
from . import stepper as steppers
from . import wants_fragment
from .forms import SeatsForm

blueprint = Blueprint("renew", __name__, url_prefix="/subscriptions/<subscription_id>/renew")


@blueprint.get("")
def stepper(subscription_id: str) -> ResponseReturnValue:
    return steppers.cost_fragment(subscription_id) if wants_fragment() else _page(subscription_id)


@blueprint.post("")
def choose_seats(subscription_id: str) -> ResponseReturnValue:
    form = SeatsForm()
    if not form.validate():
        return _page(subscription_id, form, 422)
    try:
        quote_id = purchase.quote_renewal(me().account_id, subscription_id, form.number)
    except BelowActiveUsers as refusal:
        steppers.refuse(form, refusal, service.load(me().account_id, subscription_id))
        return _page(subscription_id, form, refusal.status)
    where = url_for("purchase.payment", subscription_id=subscription_id, procedure="renew", quote_id=quote_id)
    return redirect(where, 303)


def _page(subscription_id: str, form: SeatsForm | None = None, status: int = 200) -> ResponseReturnValue:
    subscription = service.load(me().account_id, subscription_id)
    facts = subscription.facts()
    target = renewal_target(facts, ports().clock.now(subscription.account).date())
    return steppers.page(
        "renew", subscription, target.period, projected_seats(facts), form, status, days_left=target.days_left
    )
