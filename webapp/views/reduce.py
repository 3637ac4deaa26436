"""Reduce seats: the stepper, and the confirmation with « Je comprends » and « Confirmer »."""

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from .. import pasting
from ..access.identity import me, needs
from ..domain.permissions import Procedure
from ..domain.refusals import ActiveUsersUnknown, BelowActiveUsers, NotFewerSeats
from ..domain.seats import parse_seats
from ..domain.subscription import check_reduction, projected_seats
from ..ports import ports
from ..subscriptions import loading, service
from ..words import gettext
from . import stepper as steppers
from .confirmation import ConfirmForm, confirmation, done
from .forms import SeatsForm
from .fragments import wants_fragment

blueprint = Blueprint("reduce", __name__, url_prefix="/subscriptions/<subscription_id>/reduce")
needs(Procedure.CHANGE)(blueprint)
blueprint.context_processor(lambda: {"section": "subscriptions"})


@blueprint.get("")
def stepper(subscription_id: str) -> ResponseReturnValue:
    return steppers.cost_fragment("reduce", subscription_id) if wants_fragment() else _page(subscription_id)


@blueprint.post("")
def choose_seats(subscription_id: str) -> ResponseReturnValue:
    """« Continuer »: checks the number, then redirects to the confirmation."""
    form = SeatsForm()
    if not form.validate():
        return _page(subscription_id, form, 422)
    try:
        service.check_reduce(me().account_id, subscription_id, form.number)
    except (BelowActiveUsers, NotFewerSeats, ActiveUsersUnknown) as refusal:
        steppers.refuse(form, refusal, loading.load(me().account_id, subscription_id))
        return _page(subscription_id, form, refusal.status)
    return redirect(url_for("reduce.confirm", subscription_id=subscription_id, seats=form.number), 303)


@blueprint.get("/confirm")
def confirm(subscription_id: str) -> ResponseReturnValue:
    return _confirmation(subscription_id, pasting.whole_number(request.args.get("seats")))


@blueprint.post("/confirm")
def reduce(subscription_id: str) -> ResponseReturnValue:
    seats = pasting.whole_number(request.form.get("seats"))
    form = ConfirmForm()
    if parse_seats(seats) is None or not form.validate():
        return _confirmation(subscription_id, seats, form, 422)
    service.reduce(me().account_id, subscription_id, int(seats))
    return done(subscription_id, gettext("Your reduction request has been saved."))


def _page(subscription_id: str, form: SeatsForm | None = None, status: int = 200) -> ResponseReturnValue:
    subscription = loading.load(me().account_id, subscription_id)
    facts, today = subscription.facts, ports().clock.now(subscription.account).date()
    check_reduction(facts, today)
    period, seats = facts.period(facts.next_unpaid), projected_seats(facts)
    return steppers.page("reduce", subscription, today, period, seats, form, status)


def _confirmation(
    subscription_id: str, text: str, form: ConfirmForm | None = None, status: int = 200
) -> ResponseReturnValue:
    """The confirmation: the seats before and after, the day, the cost and the saving."""
    subscription, seats = loading.load(me().account_id, subscription_id), parse_seats(text)
    if seats is None:  # the stepper shows what is wrong with it
        check_reduction(subscription.facts, ports().clock.now(subscription.account).date())
        return redirect(url_for("reduce.stepper", subscription_id=subscription_id, seats=text), 303)
    reduction = service.preview_reduction(subscription, seats)
    return confirmation("reduce", subscription, form, status, seats=seats, reduction=reduction)
