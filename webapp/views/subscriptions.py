"""« Abonnements »: the list of tiles, and the page of one subscription."""

from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ..access.identity import me, needs
from ..access.permission import may_open
from ..domain import right_sizing
from ..domain.permissions import Procedure
from ..domain.subscription import Status
from ..domain.timeline import MOST
from ..invoices import spending
from ..sentences.checks import Link, check_sentence, payment_sentence, verdict_sentence
from ..sentences.timeline import timeline_sentences
from ..subscriptions import loading, outlook, seat_use, spend, summary
from ..subscriptions.history import history
from ..team import handover
from ..words import gettext
from . import seats_picture, spend_picture
from .forms import parse_ordinal

NEWEST = 3  # documents that the page of a subscription lists
blueprint = Blueprint("subscriptions", __name__)
needs(Procedure.SEE)(blueprint)
blueprint.context_processor(lambda: {"section": "subscriptions"})
blueprint.add_app_template_global(check_sentence)
blueprint.add_app_template_global(payment_sentence)


@blueprint.app_template_global()
def offered(link: Link | None) -> bool:
    """Whether the remedy is one for this member. Everybody sees the page of the cards, and not all may change them."""
    if link is None or (link.url == url_for("billing.page") and not me().may(Procedure.BILLING)):
        return False
    return may_open(link.url)


@blueprint.get("/")
def home() -> ResponseReturnValue:
    return redirect(url_for("subscriptions.index"))


@blueprint.get("/subscriptions")
def index() -> ResponseReturnValue:
    subscriptions = loading.load_all(me().account_id)
    tiles = [summary.summary(subscription) for subscription in subscriptions]
    return render_template(
        "subscriptions/index.html",
        tiles=tiles,
        is_offered=handover.is_offered_to(me().member_id, subscriptions),
        **(_at_a_glance(tiles) if len(tiles) > 1 else {}),
    )


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
    past = history(subscription.account_id, subscription.id, MOST, seat_use.since(tile.today))
    use = seat_use.seat_use(subscription, past.active_users, tile.today)
    months = spend.spend_by_month(tile)
    return render_template(
        "subscriptions/page.html",
        tile=tile,
        columns=spend_picture.columns(months),
        highest=spend_picture.highest_of(months),
        months_paid=spend.MONTHS_PAID,
        months_expected=spend.MONTHS_EXPECTED,
        this_month=tile.today.replace(day=1),
        use=use,
        picture=seats_picture.picture(use),
        window=right_sizing.WINDOW_DAYS,
        checks=[check_sentence(check, tile) for check in tile.checks],
        verdict=verdict_sentence(tile.checks),
        timeline=timeline_sentences(outlook.timeline(subscription, tile.today, tile.card, past), tile),
        periods=[(facts.period(ordinal), seats) for ordinal, seats in sorted(facts.seats.items(), reverse=True)],
        documents=past.documents[:NEWEST],
        as_of=subscription.active_users_as_of.astimezone(ZoneInfo(subscription.account.zone)),
    )


@blueprint.post("/subscriptions/<subscription_id>/hide-suggestion")
@needs(Procedure.CHANGE)
def hide_suggestion(subscription_id: str) -> ResponseReturnValue:
    """« Masquer jusqu’à la prochaine période ». The form names the period, which may be over by now."""
    period = parse_ordinal(request.form.get("period", ""))
    if period is not None and seat_use.hide_suggestion(me().account_id, subscription_id, period):
        flash(gettext("The suggestion is hidden until the next period."))
    return redirect(url_for("subscriptions.page", subscription_id=subscription_id), 303)
