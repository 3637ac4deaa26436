"""« Second facteur »: the authenticator app, passkeys and recovery codes of the signed-in member."""

import re
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from wtforms import HiddenField, StringField
from wtforms.validators import DataRequired, Length, StopValidation

from .. import pasting
from ..access import local_passwords, passkeys, second_factor, sessions, totp
from ..access.identity import me, needs, needs_proof
from ..accounts import billing_information
from ..domain.permissions import Procedure
from ..words import gettext, lazy_gettext
from .forms import CodeForm, PortalForm, printable, wrong_code

blueprint = Blueprint("second_factor", __name__, url_prefix="/second-factor")
needs(Procedure.OWN)(blueprint)
needs_proof(blueprint)
GROUP = 4  # letters of the secret, so that it can be typed


class PasskeyForm(PortalForm):
    name = StringField(
        lazy_gettext("Name of the passkey"),
        [DataRequired(lazy_gettext("Enter a name, such as that of your phone.")), Length(max=60)],
        filters=[pasting.trimmed],
        render_kw={"autocomplete": "off", "maxlength": 60},
    )
    credential = HiddenField()

    def validate_name(self, field: StringField) -> None:
        if not printable(field.data or ""):
            raise StopValidation(gettext("Remove the line breaks and invisible characters."))


@blueprint.get("")
def page() -> ResponseReturnValue:
    return render_template(
        "second-factor/page.html",
        factors=second_factor.of_member(me()),
        passkeys=passkeys.relying_party() is not None,
        named_origin=passkeys.named_origin(),
        zone=ZoneInfo(billing_information.account_of(me().account_id).zone),
        local=local_passwords.are_on(),
    )


@blueprint.post("/app/begin")
def begin_app() -> ResponseReturnValue:
    totp.begin(me())
    return redirect(url_for("second_factor.app"), 303)


@blueprint.get("/app")
def app() -> ResponseReturnValue:
    return _app_page(CodeForm())


@blueprint.post("/app")
def confirm_app() -> ResponseReturnValue:
    form = CodeForm()
    if not form.validate():
        return _app_page(form, 422)
    codes = second_factor.add_app(me(), form.code.data or "")
    if codes is None:
        form.code.errors = [wrong_code()]
        return _app_page(form, 422)
    return _added(gettext("Your authenticator app is set up."), codes)


@blueprint.get("/passkeys")
def passkey() -> ResponseReturnValue:
    browser = ", ".join(filter(None, sessions.browser_and_system(request.user_agent.string)))
    return _passkey_page(PasskeyForm(data={"name": browser}))


@blueprint.post("/passkeys/begin")
def begin_passkey() -> ResponseReturnValue:
    return redirect(url_for("second_factor.passkey"), 303)


@blueprint.post("/passkeys")
def add_passkey() -> ResponseReturnValue:
    form = PasskeyForm()
    if not form.validate():
        return _passkey_page(form, 422)
    try:
        codes = second_factor.add_passkey(me(), form.credential.data or "", form.name.data or "")
    except passkeys.Refused:
        return _passkey_page(form, 422, gettext("The passkey was not added. Try again."))
    return _added(gettext("Your passkey has been added."), codes)


@blueprint.get("/app/remove")
def confirm_removal_of_app() -> ResponseReturnValue:
    return _removal_page("")


@blueprint.post("/app/remove")
def remove_app() -> ResponseReturnValue:
    second_factor.remove_app(me())
    flash(gettext("The authenticator app has been removed."))
    return redirect(url_for("second_factor.page"), 303)


@blueprint.get("/passkeys/<passkey_id>/remove")
def confirm_removal_of_passkey(passkey_id: str) -> ResponseReturnValue:
    return _removal_page(passkey_id)


@blueprint.post("/passkeys/<passkey_id>/remove")
def remove_passkey(passkey_id: str) -> ResponseReturnValue:
    second_factor.remove_passkey(me(), passkey_id)
    flash(gettext("The passkey has been removed."))
    return redirect(url_for("second_factor.page"), 303)


@blueprint.post("/codes")
def new_codes() -> ResponseReturnValue:
    return _codes_page(second_factor.new_codes(me()))


def _app_page(form: CodeForm, status: int = 200) -> ResponseReturnValue:
    import segno

    secret = totp.pending_secret(me())
    if secret is None:
        return redirect(url_for("second_factor.page"), 303)
    picture = segno.make(totp.address(me(), secret), error="m").svg_inline(
        border=4, dark="#000", light="#fff", omitsize=True
    )
    groups = re.findall(f".{{1,{GROUP}}}", secret)
    return render_template(
        "second-factor/app.html",
        form=form,
        picture=Markup(picture),  # noqa: S704  drawn here
        groups=groups,
    ), status


def _passkey_page(form: PasskeyForm, status: int = 200, refused: str = "") -> ResponseReturnValue:
    if passkeys.relying_party() is None:
        return redirect(url_for("second_factor.page"), 303)
    return render_template("second-factor/passkey.html", form=form, refused=refused), status


def _removal_page(passkey_id: str) -> ResponseReturnValue:
    """Of the app, or of the passkey with this id."""
    factors = second_factor.of_member(me())
    passkey = next((passkey for passkey in factors.passkeys if passkey.id == passkey_id), None)
    if passkey is None and (passkey_id or not factors.app):
        return redirect(url_for("second_factor.page"), 303)
    last = factors.app + len(factors.passkeys) == 1
    return render_template("second-factor/remove.html", passkey=passkey, last=last, required=factors.required)


def _added(sentence: str, codes: list[str]) -> ResponseReturnValue:
    """The recovery codes come with the first factor."""
    if codes:
        return _codes_page(codes, sentence)
    flash(sentence)
    return redirect(url_for("second_factor.page"), 303)


def _codes_page(codes: list[str], sentence: str = "") -> ResponseReturnValue:
    return render_template("second-factor/codes.html", codes=codes, sentence=sentence)
