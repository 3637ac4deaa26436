"""Renew, steps 2 to 4: the stepper with its cost beside it. The purchase goes on in `purchase`."""

from functools import lru_cache

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from .. import formats, service
from ..auth import me
from ..domain.subscription import BelowActiveUsers, projected_seats, renewal_target
from ..ports import ports
from ..sentences import explain
from . import FRAGMENT_HEADERS, wants_fragment
from .forms import SeatsForm, asked_seats, parse_seats

blueprint = Blueprint("renew", __name__, url_prefix="/subscriptions/<subscription_id>/renew")


@blueprint.get("")
def stepper(subscription_id: str) -> ResponseReturnValue:
    if wants_fragment():
        return _cost(subscription_id, request.args.get("seats", ""))
    subscription = service.load(me().account_id, subscription_id)
    return _stepper(subscription_id, asked_seats(projected_seats(subscription.facts())))


@blueprint.post("")
def choose_seats(subscription_id: str) -> ResponseReturnValue:
    form = SeatsForm()
    service.load(me().account_id, subscription_id)
    if not form.validate():
        return _stepper(subscription_id, form.seats.data or "", form, 422)
    try:
        quote_id = service.quote_renewal(me().account_id, subscription_id, form.number)
    except BelowActiveUsers as refusal:
        subscription = service.load(me().account_id, subscription_id)
        form.seats.errors = [explain(refusal, subscription).sentence]
        return _stepper(subscription_id, form.seats.data or "", form, refusal.status)
    return redirect(
        url_for("purchase.payment", subscription_id=subscription_id, procedure="renew", quote_id=quote_id), 303
    )


def _cost(subscription_id: str, text: str) -> ResponseReturnValue:
    """The fragment beside the stepper; the number is priced as it stands in the field, never corrected."""
    seats = parse_seats(text)
    cost = service.cost(me().account_id, subscription_id, seats or 1)
    response = make_response(_cost_fragment(formats.language(), cost if seats else None, seats), 200 if seats else 422)
    response.vary.update(FRAGMENT_HEADERS)
    return response


@lru_cache(maxsize=2048)
def _cost_fragment(_language: str, cost: service.Cost | None, seats: int | None) -> str:
    """A pure function of the price, the number and the language, so it is rendered once for each."""
    return render_template("renew/_cost.html", cost=cost, seats=seats)


def _stepper(subscription_id: str, text: str, form: SeatsForm | None = None, status: int = 200) -> ResponseReturnValue:
    subscription = service.load(me().account_id, subscription_id)
    facts, today = subscription.facts(), ports().clock.now(subscription.account).date()
    target = renewal_target(facts, today)
    seats = parse_seats(text)
    form = form or SeatsForm(formdata=None, data={"seats": text})
    return render_template(
        "renew/page.html",
        form=form,
        subscription=subscription,
        facts=facts,
        target=target,
        seats=seats,
        cost=service.cost(me().account_id, subscription_id, seats) if seats else None,
    ), status
