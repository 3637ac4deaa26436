"""« Plus d’actions » of a card on « Paiement et facturation »: delete it, make it the default, or the backup."""

from flask import Blueprint, Response, flash, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from ..access.identity import me, needs, needs_proof
from ..accounts.billing_information import account_of
from ..domain import refusals
from ..domain.permissions import Procedure
from ..models.cards import Card
from ..ports import ports
from ..purchases import cards, wallet
from ..sentences.refusals import explain
from ..words import gettext
from .fragments import FRAGMENT_HEADERS, wants_fragment

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
    if wants_fragment():  # what can be deleted is asked on a page
        return Response(headers={"HX-Redirect": url_for("cards.confirm_deletion", card_id=card_id)})
    backup = wallet.backup_card(me().account_id)
    is_backup = backup is not None and backup.id == card.id
    return render_template("delete-card/page.html", card=card, is_backup=is_backup)


@blueprint.post("/delete")
def delete(card_id: str) -> ResponseReturnValue:
    try:
        card = cards.delete(me().account_id, card_id)
    except REFUSALS as refusal:
        return _refused(cards.find_card(me().account_id, card_id), refusal)
    flash(gettext("%(card)s has been deleted.", card=card))
    return redirect(url_for("billing.page"), 303)


@blueprint.post("/default")
def make_default(card_id: str) -> ResponseReturnValue:
    made = cards.make_default(me().account_id, card_id)
    sentence = gettext("%(card)s is now the default payment method.", card=made.card)
    if made.was_backup:
        sentence += " " + gettext("There is no longer a backup card.")
    flash(sentence)
    return redirect(url_for("billing.page"), 303)


@blueprint.post("/backup")
def make_backup(card_id: str) -> ResponseReturnValue:
    card = cards.make_backup(me().account_id, card_id)
    flash(
        gettext(
            "%(card)s is now the backup card: it is charged if the default card is declined.",
            card=card,
        )
    )
    return redirect(url_for("billing.page"), 303)


@blueprint.post("/backup/remove")
def remove_backup(card_id: str) -> ResponseReturnValue:
    card = cards.remove_backup(me().account_id, card_id)
    flash(gettext("%(card)s is no longer the backup card.", card=card))
    return redirect(url_for("billing.page"), 303)


def _refused(card: Card, refusal: refusals.DefaultCardKept | refusals.CardInUse) -> ResponseReturnValue:
    """Why the card cannot be deleted, and what to do: a page, or with scripts a dialog over the cards.

    Where one other card could be the default, a button makes it.
    """
    others = [own.card for own in wallet.cards_of(card.account_id) if own.card.id != card.id]
    today = ports().clock.now(account_of(card.account_id)).date()
    usable = [other for other in others if not other.expired(today)]
    response = make_response(
        render_template(
            "delete-card/_dialog.html" if wants_fragment() else "delete-card/page.html",
            card=card,
            refused=explain(refusal),
            only=getattr(refusal, "only", False),
            other=usable[0] if isinstance(refusal, refusals.DefaultCardKept) and len(usable) == 1 else None,
        ),
        refusal.status,
    )
    response.vary.update(FRAGMENT_HEADERS)
    return response
