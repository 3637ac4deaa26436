"""« Vos e-mails »: which mails the signed-in member gets."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ..access.identity import me, needs
from ..accounts import billing_information
from ..domain.permissions import Procedure
from ..sentences.labels import MAIL_KINDS
from ..team import members
from ..words import gettext
from .forms import PortalForm

blueprint = Blueprint("mails", __name__, url_prefix="/account/mails")
needs(Procedure.OWN)(blueprint)


class MailsForm(PortalForm):
    """A kind is wanted if its box is ticked. `sent` tells a form without a tick from no form."""

    @property
    def is_sent(self) -> bool:
        return "sent" in request.form or "kinds" in request.form


@blueprint.get("")
def page() -> ResponseReturnValue:
    return _page()


@blueprint.post("")
def choose() -> ResponseReturnValue:
    form, wanted = MailsForm(), request.form.getlist("kinds")
    if not form.is_sent or not set(wanted) <= MAIL_KINDS.keys():
        return _page(422, gettext("Choose the e-mails that you want."))
    members.choose_mails(me(), wanted)
    flash(gettext("Your choice of e-mails has been saved."))
    return redirect(url_for("sessions.page"), 303)


def _page(status: int = 200, refused: str = "") -> ResponseReturnValue:
    emails = billing_information.account_of(me().account_id).billing_emails
    page = render_template(
        "team/mails.html",
        kinds=MAIL_KINDS,
        unwanted=members.unwanted_mails(me()),
        is_billed=me().email in (email.casefold() for email in emails),
        refused=refused,
    )
    return page, status
