"""The confirmation of a change: a dialog over the current page, or a page of its own without scripts."""

from flask import Response, flash, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import BooleanField
from wtforms.validators import InputRequired

from ..access.identity import me
from ..models.subscriptions import Subscription
from ..subscriptions import loading, summary
from ..urls import current_page
from ..words import lazy_gettext
from .forms import PortalForm
from .fragments import FRAGMENT_HEADERS, wants_fragment


class ConfirmForm(PortalForm):
    understood = BooleanField(
        lazy_gettext("I understand"), [InputRequired(lazy_gettext("Tick “I understand” to confirm."))]
    )


def confirmation(
    procedure: str, subscription: Subscription, form: ConfirmForm | None, status: int, **context: object
) -> ResponseReturnValue:
    """The body of the dialog, or a page with the tile and the open dialog. `context` is passed to the template."""
    template = f"{procedure}/_dialog.html" if wants_fragment() else "confirmation/page.html"
    tile = summary.summary(subscription)
    body = render_template(
        template, form=form or ConfirmForm(formdata=None), dialog=f"{procedure}/_dialog.html", tile=tile, **context
    )
    response = make_response(body, status)
    response.vary.update(FRAGMENT_HEADERS)
    return response


def done(subscription_id: str, sentence: str) -> ResponseReturnValue:
    """The answer after a change. In the list of subscriptions, the tile is replaced and the dialog is closed.

    Else the owner is redirected to that list or, from there, to the subscription's own page, which shows `sentence`.
    """
    home, page = url_for("subscriptions.index"), url_for("subscriptions.page", subscription_id=subscription_id)
    if wants_fragment() and current_page().path == home:
        tile = summary.summary(loading.load(me().account_id, subscription_id))
        response = make_response(render_template("subscriptions/_done.html", tile=tile, sentence=sentence))
        response.headers["HX-Close-Dialog"] = "true"
        return response
    flash(sentence)
    if wants_fragment():
        return Response(headers={"HX-Redirect": page if current_page().path == page else home})
    return redirect(home, 303)
