"""« Abonnements »: the list of tiles, and the page of one subscription."""

from zoneinfo import ZoneInfo

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from ..access.identity import me
from ..sentences.checks import check_sentence, payment_sentence, verdict_sentence
from ..sentences.timeline import timeline_sentences
from ..subscriptions import loading, outlook, summary

blueprint = Blueprint("subscriptions", __name__)
blueprint.context_processor(lambda: {"section": "subscriptions"})
blueprint.add_app_template_global(check_sentence)
blueprint.add_app_template_global(payment_sentence)


@blueprint.get("/")
def home() -> ResponseReturnValue:
    return redirect(url_for("subscriptions.index"))


@blueprint.get("/subscriptions")
def index() -> ResponseReturnValue:
    tiles = [summary.summary(subscription) for subscription in loading.load_all(me().account_id)]
    return render_template("subscriptions/index.html", tiles=tiles)


@blueprint.get("/subscriptions/<subscription_id>")
def page(subscription_id: str) -> ResponseReturnValue:
    subscription = loading.load(me().account_id, subscription_id)
    facts, tile = subscription.facts, summary.summary(subscription)
    return render_template(
        "subscriptions/page.html",
        tile=tile,
        checks=[check_sentence(check, tile) for check in tile.checks],
        verdict=verdict_sentence(tile.checks),
        timeline=timeline_sentences(outlook.timeline(subscription, tile.today, tile.card), tile),
        periods=[(facts.period(ordinal), seats) for ordinal, seats in sorted(facts.seats.items(), reverse=True)],
        as_of=subscription.active_users_as_of.astimezone(ZoneInfo(subscription.account.zone)),
    )
