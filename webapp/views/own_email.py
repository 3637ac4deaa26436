"""« Modifier l’adresse e-mail »: a member's own, which changes once the link in a mail to the new one is confirmed."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import EmailField, Field
from wtforms.validators import InputRequired

from .. import pasting
from ..access.identity import me, needs, needs_proof
from ..domain.permissions import Procedure
from ..domain.refusals import EmailTaken, SameEmail
from ..sentences.refusals import explain
from ..team import own_email
from ..words import gettext, lazy_gettext
from .forms import PortalForm, check_email

blueprint = Blueprint("own_email", __name__, url_prefix="/account/email")
needs(Procedure.OWN)(blueprint)


class EmailForm(PortalForm):
    email = EmailField(
        lazy_gettext("New e-mail address"),
        [InputRequired(lazy_gettext("Enter an e-mail address."))],
        filters=[pasting.trimmed],
        render_kw={"autocomplete": "email", "maxlength": 254},
    )

    def validate_email(self, field: Field) -> None:
        check_email(field)


@blueprint.get("")
def page() -> ResponseReturnValue:
    return _page(EmailForm())


@blueprint.post("")
@needs_proof
def request() -> ResponseReturnValue:
    form = EmailForm()
    if not form.validate():
        return _page(form, 422)
    try:
        own_email.request(me(), form.email.data or "")
    except (SameEmail, EmailTaken) as refusal:
        form.email.errors = [explain(refusal).sentence]
        return _page(form, 422)
    flash(
        gettext(
            "We have sent an e-mail to %(email)s. Open the link in it to confirm the address; until then nothing "
            "changes.",
            email=form.email.data,
        )
    )
    return redirect(url_for("own_email.page"), 303)


@blueprint.post("/withdraw")
def withdraw() -> ResponseReturnValue:
    own_email.withdraw(me())
    flash(gettext("The new address has been withdrawn: your e-mail address stays the same."))
    return redirect(url_for("sessions.page"), 303)


@blueprint.get("/<token>")
def open_link(token: str) -> ResponseReturnValue:
    """The link in the mail. Only the button on its page changes anything, as programs that scan mails open links."""
    return _confirm_page(token)


@blueprint.post("/<token>")
def confirm(token: str) -> ResponseReturnValue:
    try:
        email = own_email.confirm(me(), token)
    except EmailTaken as refusal:
        return _confirm_page(token, refusal.status, explain(refusal).sentence)
    flash(
        gettext(
            "You now sign in with %(email)s. We have told the previous address, and all other sessions have been "
            "ended.",
            email=email,
        )
    )
    return redirect(url_for("sessions.page"), 303)


def _page(form: EmailForm, status: int = 200) -> ResponseReturnValue:
    return render_template("own-email/page.html", form=form, pending=own_email.pending(me())), status


def _confirm_page(token: str, status: int = 200, refused: str = "") -> ResponseReturnValue:
    opened = own_email.open_link(me(), token)
    return render_template("own-email/confirm.html", opened=opened, token=token, refused=refused), status
