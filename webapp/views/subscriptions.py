"""Abonnements: the tiles, and each subscription's own page."""

from zoneinfo import ZoneInfo

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from .. import service
from ..auth import me

blueprint = Blueprint("subscriptions", __name__)


@blueprint.get("/")
def home() -> ResponseReturnValue:
    return redirect(url_for("subscriptions.index"))


@blueprint.get("/subscriptions")
def index() -> ResponseReturnValue:
    tiles = [service.summary(subscription) for subscription in service.load_all(me().account_id)]
    return render_template("subscriptions/index.html", tiles=tiles)


@blueprint.get("/subscriptions/<subscription_id>")
def page(subscription_id: str) -> ResponseReturnValue:
    subscription = service.load(me().account_id, subscription_id)
    facts = subscription.facts()
    return render_template(
        "subscriptions/page.html",
        tile=service.summary(subscription),
        periods=[(facts.period(ordinal), seats) for ordinal, seats in sorted(facts.seats.items(), reverse=True)],
        as_of=subscription.active_users_as_of.astimezone(ZoneInfo(subscription.account.zone)),
    )
