"""Local passwords: « Modifier le mot de passe », « Mot de passe oublié » and the mailed link."""

from flask import Blueprint, abort, flash, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString, gettext, lazy_gettext
from flask_wtf import FlaskForm
from wtforms import EmailField, Field, PasswordField
from wtforms.validators import EqualTo, InputRequired, Length, StopValidation

from .. import pasting
from ..access import identity, local_passwords, passwords, sessions
from ..access.identity import me, needs
from ..domain import access
from ..domain.permissions import Procedure
from ..formats import minutes
from .forms import PortalForm

blueprint = Blueprint("passwords", __name__, url_prefix="/password")
needs(Procedure.OWN)(blueprint)
LINK = "reset"  # key in the browser's session: keeps the token out of the address of the page


@blueprint.before_request
def _require_local_passwords() -> None:
    if not local_passwords.are_on():
        abort(404)


def _check_new_password(form: FlaskForm, field: Field) -> None:
    if problem := passwords.find_problem(field.data or "", form.email, passwords.names_of(form.email)):
        raise StopValidation(problem)


class NewPasswordForm(PortalForm):
    email = ""  # of the owner; a new password may not contain it
    new = PasswordField(
        lazy_gettext("New password"),
        [InputRequired(lazy_gettext("Enter a new password.")), _check_new_password],
        description=LazyString(passwords.hint),
        render_kw={"autocomplete": "new-password"},
    )
    again = PasswordField(
        lazy_gettext("Confirm new password"),
        [EqualTo("new", lazy_gettext("The passwords do not match: enter the new password again."))],
        render_kw={"autocomplete": "new-password"},
    )


class ChangeForm(NewPasswordForm):
    current = PasswordField(
        lazy_gettext("Current password"),
        [InputRequired(lazy_gettext("Enter your current password.")), Length(max=200)],
        render_kw={"autocomplete": "current-password"},
    )


class ForgottenForm(PortalForm):
    email = EmailField(
        lazy_gettext("E-mail"),
        [InputRequired(lazy_gettext("Enter your e-mail address.")), Length(max=254)],
        filters=[pasting.trimmed],
        render_kw={"autocomplete": "username"},
    )


@blueprint.get("")
def page() -> ResponseReturnValue:
    return render_template("passwords/change.html", form=ChangeForm())


@blueprint.post("")
def change() -> ResponseReturnValue:
    form = ChangeForm()
    form.email = me().email
    if not form.validate():
        return render_template("passwords/change.html", form=form), 422
    if not passwords.change(me(), form.current.data or "", form.new.data or ""):
        form.current.errors = [gettext("This is not your current password.")]
        return render_template("passwords/change.html", form=form), 422
    flash(gettext("Your password has been changed. All other sessions have been ended."))
    return redirect(url_for("sessions.page"), 303)


@blueprint.get("/forgotten")
@identity.public
def forgotten() -> ResponseReturnValue:
    return render_template("passwords/forgotten.html", form=ForgottenForm())


@blueprint.post("/forgotten")
@identity.public
def send_link() -> ResponseReturnValue:
    form = ForgottenForm()
    if not form.validate():
        return render_template("passwords/forgotten.html", form=form), 422
    passwords.request_reset(form.email.data or "")
    flash(
        gettext(
            "If this address is used to sign in to My Qlik, we have just e-mailed a link to it. "
            "The link works for %(time)s.",
            time=minutes(access.RESET_LIFETIME),
        )
    )
    return redirect(url_for("sign_in.page"), 303)


@blueprint.get("/reset/<token>")
@identity.public
def open_link(token: str) -> ResponseReturnValue:
    """The link in the mail. Opening it does not use it up, because programs that scan mails open links, too."""
    session[LINK] = token
    return redirect(url_for("passwords.reset_page"), 303)


@blueprint.get("/reset")
@identity.public
def reset_page() -> ResponseReturnValue:
    email = passwords.email_of_link(session.get(LINK, ""))
    return render_template("passwords/reset.html", form=NewPasswordForm(), email=email) if email else _invalid_link()


@blueprint.post("/reset")
@identity.public
def reset() -> ResponseReturnValue:
    token, form = session.get(LINK, ""), NewPasswordForm()
    form.email = passwords.email_of_link(token) or ""
    if not form.email:
        return _invalid_link()
    if not form.validate():
        return render_template("passwords/reset.html", form=form, email=form.email), 422
    if not passwords.reset(token, form.new.data or ""):
        return _invalid_link()
    sessions.end_current()
    flash(gettext("Your password has been changed. Sign in with the new one."))
    return redirect(url_for("sign_in.page"), 303)


def _invalid_link() -> ResponseReturnValue:
    """The link was used, is too old or never existed. The page offers to send another one."""
    sentence = gettext(
        "This link no longer works: it has already been used or is more than %(time)s old. Request a new one.",
        time=minutes(access.RESET_LIFETIME),
    )
    return render_template("passwords/forgotten.html", form=ForgottenForm(), refused=sentence), 410
