"""Sign-in and sign-out."""

from flask import Blueprint, abort, current_app, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import EmailField, PasswordField
from wtforms.validators import InputRequired, Length

from .. import pasting, urls
from ..access import identity, local_passwords, passkeys, provider, sessions, sign_in
from ..config import DEMO_EMAIL, DEMO_PASSWORD
from ..domain.access import CHALLENGE_LIFETIME
from ..words import gettext, lazy_gettext
from .forms import PortalForm

blueprint = Blueprint("sign_in", __name__)
RENEWED = int(
    0.9 * CHALLENGE_LIFETIME.total_seconds()
)  # when a browser that offers passkeys asks for another challenge


class SignInForm(PortalForm):
    email = EmailField(
        lazy_gettext("E-mail"),
        [InputRequired(lazy_gettext("Enter your e-mail address.")), Length(max=254)],
        filters=[pasting.trimmed],
        render_kw={"autocomplete": "username"},
    )
    password = PasswordField(
        lazy_gettext("Password"),
        [InputRequired(lazy_gettext("Enter your password.")), Length(max=200)],
        render_kw={"autocomplete": "current-password"},
    )


@blueprint.get("/sign-in")
@identity.public
def page() -> ResponseReturnValue:
    if g.member:
        return redirect(urls.safe_next(request.args.get("next")), 303)
    return _page(SignInForm())


@blueprint.post("/sign-in")
@identity.public
def submit() -> ResponseReturnValue:
    if not local_passwords.are_on():
        abort(404)
    form = SignInForm()
    if not form.validate():
        return _page(form, 422)
    begun = sign_in.sign_in(form.email.data or "", form.password.data or "")
    if not begun:
        return _page(form, 422, refused=gettext("Incorrect e-mail or password."))
    if begun == "deactivated":
        return _page(form, 403)
    target = urls.safe_next(request.form.get("next"))
    return redirect(url_for("sign_in_factor.page", next=target) if begun == "factor" else target, 303)


@blueprint.post("/sign-in/passkey")
@identity.public
def by_passkey() -> ResponseReturnValue:
    """Without a password: the passkey asked for a PIN, a finger or a face."""
    if not local_passwords.are_on():
        abort(404)
    begun = sign_in.by_passkey(request.form.get("credential", ""))
    if begun == "deactivated":
        return _page(SignInForm(formdata=None), 403)
    if not begun:
        return _page(SignInForm(formdata=None), 422, refused=gettext("This passkey was not accepted."))
    return redirect(urls.safe_next(request.form.get("next")), 303)


@blueprint.post("/sign-out")
@identity.public
def sign_out() -> ResponseReturnValue:
    """Signs out. If a provider signed the owner in, its session is ended, too, and it redirects to the sign-in page."""
    id_token = sessions.end_current()
    flash(gettext("You are signed out."))
    response = redirect((id_token and provider.end_url(id_token)) or url_for("sign_in.page"), 303)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def _page(form: SignInForm, status: int = 200, refused: str = "") -> ResponseReturnValue:
    local = local_passwords.are_on()
    demo = (DEMO_EMAIL, DEMO_PASSWORD) if current_app.config["SANDBOX"] and local else None
    by_passkey = local and passkeys.relying_party() is not None
    if by_passkey:
        form.email.render_kw = {"autocomplete": "username webauthn"}
    page = render_template(
        "sign-in/page.html",
        form=form,
        refused=refused,
        deactivated=g.get("deactivated"),
        demo=demo,
        target=request.values.get("next", ""),
        local=local,
        provider=provider.is_configured(),
        passkeys=by_passkey,
        offered=RENEWED,
    )
    return page, status
