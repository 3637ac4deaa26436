"""The link of an invitation: whoever opens it becomes a member with the invited address, which cannot be changed."""

from zoneinfo import ZoneInfo

from flask import Blueprint, flash, g, make_response, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString
from flask_wtf import FlaskForm
from wtforms import Field, PasswordField, StringField
from wtforms.validators import InputRequired, StopValidation

from .. import pasting
from ..access import identity, local_passwords, passwords, provider
from ..domain.refusals import AddressTaken
from ..models.accounts import Member
from ..sentences.labels import ROLE_WORDS
from ..sentences.refusals import explain
from ..team import invitations
from ..team.invitations import Opened
from ..words import gettext, lazy_gettext
from .forms import PortalForm, printable

blueprint = Blueprint("invitations", __name__, url_prefix="/invitations")
LINK = "invitation"  # key in the browser's session, while the person signs in at the identity provider
LONGEST_NAME = Member.__table__.c.name.type.length  # type: ignore[attr-defined]


class AcceptanceForm(PortalForm):
    opened: Opened
    name = StringField(
        lazy_gettext("Your name"),
        [InputRequired(lazy_gettext("Enter your name."))],
        filters=[pasting.line],
        render_kw={"autocomplete": "name", "maxlength": LONGEST_NAME},
    )
    password = PasswordField(
        lazy_gettext("Password"),
        [InputRequired(lazy_gettext("Enter a new password."))],
        description=LazyString(passwords.hint),
        render_kw={"autocomplete": "new-password"},
    )

    def validate_name(self, field: Field) -> None:
        if not printable(field.data) or len(field.data) > LONGEST_NAME:
            raise StopValidation(gettext("Enter your name."))

    def validate_password(self: FlaskForm, field: Field) -> None:
        names = self.name.data or "", self.opened.account.legal_name
        if problem := passwords.find_problem(field.data or "", self.opened.invitation.email, names):
            raise StopValidation(problem)


@blueprint.get("/<token>")
@identity.public
def page(token: str) -> ResponseReturnValue:
    return _page(token, invitations.open_link(token), AcceptanceForm(formdata=None))


@blueprint.post("/<token>")
@identity.public
def accept(token: str) -> ResponseReturnValue:
    opened, form = invitations.open_link(token), AcceptanceForm()
    form.opened = opened
    if g.member is not None or not local_passwords.are_on():
        return _page(token, opened, form)
    if not form.validate():
        return _page(token, opened, form, 422)
    try:
        invitations.accept(token, form.name.data or "", form.password.data or "")
    except AddressTaken as refusal:
        return _page(token, opened, form, 409, explain(refusal).sentence)
    flash(gettext("Welcome! You are now a member of the account of %(name)s.", name=opened.account.legal_name))
    return redirect(url_for("subscriptions.index"), 303)


@blueprint.get("/<token>/provider")
@identity.public
def sign_in_at_provider(token: str) -> ResponseReturnValue:
    """The invitation is accepted on the way back from there, if the person has the invited address."""
    invitations.open_link(token)
    session[LINK] = token
    return redirect(url_for("sso.begin"), 303)


def _page(
    token: str, opened: Opened, form: AcceptanceForm, status: int = 200, refused: str = ""
) -> ResponseReturnValue:
    if g.member is not None:
        status = 409
    body = render_template(
        "team/invitation.html",
        opened=opened,
        form=form,
        refused=refused,
        token=token,
        ends_at=invitations.ends_at(opened.invitation).astimezone(ZoneInfo(opened.account.zone)),
        words=ROLE_WORDS[opened.invitation.role],
        local=local_passwords.are_on(),
        provider=provider.is_configured(),
    )
    return make_response(body, status)
