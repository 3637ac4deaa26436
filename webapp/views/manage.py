"""« Gérer »: the changes that can be made, as a dialog over the tile, or as a page without scripts."""

from flask import Blueprint, make_response, render_template
from flask.typing import ResponseReturnValue

from ..access.identity import me, needs
from ..domain.permissions import Procedure
from ..domain.subscription import check_self_service
from ..subscriptions import loading, summary
from .fragments import FRAGMENT_HEADERS, wants_fragment

blueprint = Blueprint("manage", __name__, url_prefix="/subscriptions/<subscription_id>/manage")
needs(Procedure.CHANGE)(blueprint)
blueprint.context_processor(lambda: {"section": "subscriptions"})


@blueprint.get("")
def menu(subscription_id: str) -> ResponseReturnValue:
    subscription = loading.load(me().account_id, subscription_id)
    check_self_service(subscription.facts)
    template = "manage/_dialog.html" if wants_fragment() else "confirmation/page.html"
    tile = summary.summary(subscription)
    response = make_response(render_template(template, tile=tile, dialog="manage/_dialog.html"))
    response.vary.update(FRAGMENT_HEADERS)
    return response
