"""« Abonnements »: the list of tiles, and the page of one subscription."""

from zoneinfo import ZoneInfo

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from ..access.identity import me, needs
from ..domain.permissions import Procedure
from ..domain.subscription import Status
from ..invoices import spending
from ..sentences.checks import check_sentence, payment_sentence, verdict_sentence
from ..sentences.timeline import timeline_sentences
from ..subscriptions import loading, outlook, spend, summary
from . import spend_picture

blueprint = Blueprint("subscriptions", __name__)
needs(Procedure.SEE)(blueprint)
blueprint.context_processor(lambda: {"section": "subscriptions"})
blueprint.add_app_template_global(check_sentence)
blueprint.add_app_template_global(payment_sentence)


@blueprint.get("/")
def home() -> ResponseReturnValue:
    return redirect(url_for("subscriptions.index"))


@blueprint.get("/subscriptions")
def index() -> ResponseReturnValue:
    tiles = [summary.summary(subscription) for subscription in loading.load_all(me().account_id)]
    return render_template("subscriptions/index.html", tiles=tiles, **(_at_a_glance(tiles) if len(tiles) > 1 else {}))


def _at_a_glance(tiles: list[summary.Summary]) -> dict[str, object]:
    """What the strip above several tiles shows."""
    account_id, today = me().account_id, tiles[0].today
    charged = [tile for tile in tiles if tile.self_service and tile.status == Status.ACTIVE]
    return {
        "today": today,
        "next": min(charged, key=lambda tile: tile.renews_on, default=None),
        "running": [tile for tile in tiles if tile.status != Status.ENDED],
        "spent": sum(spending.spent_by_day(account_id, today.replace(month=1, day=1)).values()),
        "to_do": [tile for tile in tiles if tile.status in (Status.PAST_DUE, Status.LAPSED) or tile.trouble],
    }


@blueprint.get("/subscriptions/<subscription_id>")
def page(subscription_id: str) -> ResponseReturnValue:
    subscription = loading.load(me().account_id, subscription_id)
    facts, tile = subscription.facts, summary.summary(subscription)
    return render_template(
        "subscriptions/page.html",
        tile=tile,
        columns=spend_picture.columns(spend.spend_by_month(tile)),
        months_paid=spend.MONTHS_PAID,
        this_month=tile.today.replace(day=1),
        checks=[check_sentence(check, tile) for check in tile.checks],
        verdict=verdict_sentence(tile.checks),
        timeline=timeline_sentences(outlook.timeline(subscription, tile.today, tile.card), tile),
        periods=[(facts.period(ordinal), seats) for ordinal, seats in sorted(facts.seats.items(), reverse=True)],
        as_of=subscription.active_users_as_of.astimezone(ZoneInfo(subscription.account.zone)),
    )
