"""Add seats: the stepper. The payment pages are in `purchase`."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from ..access.identity import me, needs
from ..domain.permissions import Procedure
from ..domain.subscription import check_addition
from ..ports import ports
from ..purchases import quotes
from ..subscriptions import loading
from . import stepper as steppers
from .forms import SeatsForm
from .fragments import wants_fragment

blueprint = Blueprint("add", __name__, url_prefix="/subscriptions/<subscription_id>/add")
needs(Procedure.CHANGE)(blueprint)
blueprint.context_processor(lambda: {"section": "subscriptions"})


@blueprint.get("")
def stepper(subscription_id: str) -> ResponseReturnValue:
    return steppers.cost_fragment("add", subscription_id) if wants_fragment() else _page(subscription_id)


@blueprint.post("")
def choose_seats(subscription_id: str) -> ResponseReturnValue:
    return steppers.continue_to_payment("add", subscription_id, quotes.quote_addition, _page)


def _page(subscription_id: str, form: SeatsForm | None = None, status: int = 200) -> ResponseReturnValue:
    subscription = loading.load(me().account_id, subscription_id)
    facts, today = subscription.facts, ports().clock.now(subscription.account).date()
    check_addition(facts, today)
    current = facts.current(today)
    seats, left = facts.seats[current.ordinal], (current.end - today).days
    return steppers.page(
        "add", subscription, today, current, seats + 1, form, status, today_seats=seats, days_left=left
    )
