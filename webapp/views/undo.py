"""« Annuler la demande »: undo a reduction or a cancellation before it takes effect."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from ..access.identity import me, needs
from ..domain.permissions import Procedure
from ..ports import ports
from ..subscriptions import loading, service
from ..words import gettext
from .confirmation import ConfirmForm, confirmation, done

blueprint = Blueprint("undo", __name__, url_prefix="/subscriptions/<subscription_id>")
needs(Procedure.CHANGE)(blueprint)
blueprint.context_processor(lambda: {"section": "subscriptions"})
PROCEDURES = {"reduction": "undo-reduction", "cancellation": "undo-cancellation"}
ADDRESS = '/<any("undo-reduction", "undo-cancellation"):procedure>/<change_id>'


@blueprint.get(ADDRESS)
def confirm(subscription_id: str, procedure: str, change_id: str) -> ResponseReturnValue:
    return _confirmation(subscription_id, change_id)


@blueprint.post(ADDRESS)
def undo(subscription_id: str, procedure: str, change_id: str) -> ResponseReturnValue:
    form = ConfirmForm()
    if not form.validate():
        return _confirmation(subscription_id, change_id, form, 422)
    kind = service.withdraw(me().account_id, subscription_id, change_id)
    sentences = {
        "reduction": gettext("Your reduction request has been undone."),
        "cancellation": gettext("Your cancellation request has been undone."),
    }
    return done(subscription_id, sentences[kind])


def _confirmation(
    subscription_id: str, change_id: str, form: ConfirmForm | None = None, status: int = 200
) -> ResponseReturnValue:
    subscription = loading.load(me().account_id, subscription_id)
    change = service.load_change(me().account_id, subscription_id, change_id)
    service.check_withdrawal(subscription, change, ports().clock.now(subscription.account).date())
    return confirmation(PROCEDURES[change.kind], subscription, form, status, change=change)
