"""The stepper that renew, add and reduce share: the number of paid users, with its cost beside it."""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo

from flask import make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from .. import pasting
from ..access.identity import me
from ..domain import subscription as rules
from ..domain.periods import Period
from ..domain.refusals import ActiveUsersUnknown, BelowActiveUsers, NotMoreSeats, Refusal
from ..domain.seats import parse_seats
from ..models.subscriptions import Subscription
from ..ports import ports
from ..sentences.refusals import at_least, enter_fewer, enter_more, explain
from ..subscriptions import cost as costs
from ..subscriptions import loading
from ..words import language
from . import tier_picture
from .forms import SeatsForm, asked_seats, parse_ordinal, parse_share, seats_sentence
from .fragments import FRAGMENT_HEADERS


def cost_fragment(procedure: str, subscription_id: str) -> ResponseReturnValue:
    """The cost of the number in the field, which is never corrected. 422 if it is not a valid number."""
    seats = parse_seats(pasting.whole_number(request.args.get("seats")))
    ordinal = parse_ordinal(request.args.get("ordinal", ""))
    share = parse_share(request.args.get("left", ""), request.args.get("days", ""))
    paying = parse_ordinal(request.args.get("paying", ""))
    adding = procedure == "add"
    cost = costs.cost(me().account_id, subscription_id, seats or 1, ordinal, adding=adding, share=share, paying=paying)
    text = _rendered(language(), procedure, cost if seats else None, seats)
    response = make_response(text, 200 if seats else 422)
    response.vary.update(FRAGMENT_HEADERS)
    return response


@lru_cache(maxsize=2048)
def _rendered(_language: str, procedure: str, cost: costs.Cost | None, seats: int | None) -> str:
    """The HTML depends on these parameters only, so it is cached."""
    return render_template(
        "stepper/_cost.html", procedure=procedure, seats=seats, at_least=at_least, **_parts(procedure, cost, seats)
    )


def _parts(procedure: str, cost: costs.Cost | None, seats: int | None) -> dict[str, object]:
    """What the fragment and the page show of a cost; only a `cost` of None if the number is not valid."""
    if cost is None or seats is None:
        return {"cost": None, "seats_sentence": seats_sentence()}
    return {
        "cost": cost,
        "fault": _fault(procedure, cost, seats),
        "mark": tier_picture.mark(cost, seats),
        "rows": tier_picture.rows(cost),
        "difference": tier_picture.difference(cost, seats),
    }


def _fault(procedure: str, cost: costs.Cost, seats: int) -> str:
    """Why Continue would refuse this number; "" if it would not. The live region says it at once."""
    paid_seats = cost.before.seats if cost.before else 0
    if procedure == "add":
        return enter_more(paid_seats) if seats <= paid_seats else ""
    if seats < cost.active_users or (procedure == "reduce" and cost.active_users >= paid_seats):
        return at_least(cost.active_users)
    return enter_fewer(paid_seats) if procedure == "reduce" and seats >= paid_seats else ""


def page(
    procedure: str,
    subscription: Subscription,
    today: date,
    period: Period,
    start: int,
    form: SeatsForm | None = None,
    status: int = 200,
    days_left: int | None = None,
    **context: object,
) -> ResponseReturnValue:
    """The page of a procedure, with the number in the form or the address, else `start`.

    The cost is compared with the current one: for an addition, that of the period it adds to; otherwise that of the
    last paid period. `context` is passed to the template.
    """
    facts = subscription.facts
    compared = min(period.ordinal, facts.last_paid)
    counted = subscription.active_users_as_of.astimezone(ZoneInfo(subscription.account.zone))
    text = asked_seats(start) if form is None else form.seats.data or ""
    seats = parse_seats(text)
    share = costs.WHOLE if days_left is None else costs.Share(days_left, period.days)
    paying = period.ordinal if period.ordinal > facts.next_unpaid else None  # a lapse leaves earlier ones unpaid
    cost = costs.cost_of(subscription, seats or 1, compared, adding=procedure == "add", share=share, paying=paying)
    return render_template(
        f"{procedure}/page.html",
        procedure=procedure,
        form=form or SeatsForm(formdata=None, data={"seats": text}),
        subscription=subscription,
        facts=facts,
        period=period,
        seats=seats,
        before=cost.before,
        columns=tier_picture.columns(cost),
        rows_height=tier_picture.rows_height(cost),
        at_least=at_least,
        compared=compared,
        share=share,
        paying=paying,
        days_left=days_left,
        is_today=compared == facts.ordinal_on(today),
        counted=counted,
        wait=rules.ACTIVE_USERS_LAG,
        counted_today=counted.date() == today,
        **_parts(procedure, cost if seats else None, seats),
        **context,
    ), status


def continue_to_payment(
    procedure: str,
    subscription_id: str,
    quote: Callable[[str, str, int], str],
    whole_page: Callable[[str, SeatsForm, int], ResponseReturnValue],
) -> ResponseReturnValue:
    """« Continuer »: stores a quote and redirects to its payment page, or shows what is wrong with the number.

    `quote` stores the quote and returns its id. `whole_page` renders the procedure's page.
    """
    form = SeatsForm()
    if not form.validate():
        return whole_page(subscription_id, form, 422)
    try:
        quote_id = quote(me().account_id, subscription_id, form.number)
    except (BelowActiveUsers, NotMoreSeats, ActiveUsersUnknown) as refusal:
        refuse(form, refusal, loading.load(me().account_id, subscription_id))
        return whole_page(subscription_id, form, refusal.status)
    payment_url = url_for("purchase.payment", subscription_id=subscription_id, procedure=procedure, quote_id=quote_id)
    return redirect(payment_url, 303)


def refuse(form: SeatsForm, refusal: Refusal, subscription: Subscription) -> None:
    """Shows a refusal of the number at its field, with a link if there is one."""
    explained = explain(refusal, subscription)
    form.seats.errors = [explained.sentence]
    if isinstance(refusal, BelowActiveUsers):
        form.refused_at = int(ports().clock.now(subscription.account).timestamp())
    form.way_on = None if isinstance(refusal, BelowActiveUsers) else explained
