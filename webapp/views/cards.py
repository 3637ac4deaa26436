"""« Plus d’actions » of a card on « Paiement et facturation »: delete it, or make it the default."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from ..access.identity import me, needs, needs_proof
from ..domain import refusals
from ..domain.permissions import Procedure
from ..models.cards import Card
from ..purchases import cards
from ..sentences.refusals import explain
from ..words import gettext

blueprint = Blueprint("cards", __name__, url_prefix="/billing/cards/<card_id>")
needs(Procedure.BILLING)(blueprint)
needs_proof(blueprint)
blueprint.context_processor(lambda: {"section": "billing"})
REFUSALS = (refusals.DefaultCardKept, refusals.CardInUse)


@blueprint.get("/delete")
def confirm_deletion(card_id: str) -> ResponseReturnValue:
    card = cards.find_card(me().account_id, card_id)
    try:
        cards.check_deletion(card)
    except REFUSALS as refusal:
        return _refused(card, refusal)
    return render_template("delete-card/page.html", card=card)


@blueprint.post("/delete")
def delete(card_id: str) -> ResponseReturnValue:
    try:
        last4 = cards.delete(me().account_id, card_id)
    except REFUSALS as refusal:
        return _refused(cards.find_card(me().account_id, card_id), refusal)
    flash(gettext("The card ending in %(last4)s has been deleted.", last4=last4))
    return redirect(url_for("billing.page"), 303)


@blueprint.post("/default")
def make_default(card_id: str) -> ResponseReturnValue:
    last4 = cards.make_default(me().account_id, card_id)
    flash(gettext("The card ending in %(last4)s is now the default payment method.", last4=last4))
    return redirect(url_for("billing.page"), 303)


def _refused(card: Card, refusal: refusals.DefaultCardKept | refusals.CardInUse) -> ResponseReturnValue:
    """The page that explains why the card cannot be deleted, and what to do."""
    return render_template(
        "delete-card/page.html", card=card, refused=explain(refusal), only=getattr(refusal, "only", False)
    ), refusal.status
