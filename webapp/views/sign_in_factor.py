"""After the right password, the second factor: a code, a passkey or a recovery code. Only then is a member in."""

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from .. import urls
from ..access import halfway, passkeys, recovery_codes, second_factor
from ..access.identity import SignedIn, public
from ..formats import ngettext
from ..words import gettext, lazy_gettext
from .forms import CodeForm, PortalForm, wrong_code

blueprint = Blueprint("sign_in_factor", __name__, url_prefix="/sign-in/factor")


class RecoveryForm(PortalForm):
    recovery = StringField(
        lazy_gettext("Recovery code"),
        [InputRequired(lazy_gettext("Enter one of your recovery codes.")), Length(max=60)],
        render_kw={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"},
    )


@blueprint.before_request
def _require_password() -> ResponseReturnValue | None:
    if g.halfway is None:
        target = urls.safe_next(request.values.get("next"))
        return redirect(target if g.member else url_for("sign_in.page", next=target), 303)
    return None


@blueprint.get("")
@public
def page() -> ResponseReturnValue:
    return _page(CodeForm())


@blueprint.post("")
@public
def submit() -> ResponseReturnValue:
    form, member = CodeForm(), _member()
    if not form.validate():
        return _page(form, 422)
    if not halfway.by_app(member, form.code.data or ""):
        form.code.errors = [wrong_code()]
        return _page(form, 422)
    return _go_on()


@blueprint.post("/passkey")
@public
def by_passkey() -> ResponseReturnValue:
    if not halfway.by_passkey(_member(), request.form.get("credential", "")):
        return _page(CodeForm(formdata=None), 422, refused=gettext("This passkey was not accepted."))
    return _go_on()


@blueprint.get("/recovery")
@public
def recovery() -> ResponseReturnValue:
    return _recovery_page(RecoveryForm())


@blueprint.post("/recovery")
@public
def recover() -> ResponseReturnValue:
    form, member = RecoveryForm(), _member()
    if not form.validate():
        return _recovery_page(form, 422)
    if not halfway.by_recovery_code(member, form.recovery.data or ""):
        form.recovery.errors = [gettext("This is not one of your recovery codes, or it has already been used.")]
        return _recovery_page(form, 422)
    left = recovery_codes.left(member)
    flash(
        ngettext("You have %(n)s recovery code left.", "You have %(n)s recovery codes left.", left)
        + " "
        + gettext("If you have lost your phone or your key, remove it under Sign-in & sessions.")
    )
    return _go_on()


def _member() -> SignedIn:
    member: SignedIn = g.halfway
    return member


def _go_on() -> ResponseReturnValue:
    return redirect(urls.safe_next(request.form.get("next")), 303)


def _page(form: CodeForm, status: int = 200, refused: str = "") -> ResponseReturnValue:
    factors = second_factor.of_member(_member())
    return render_template(
        "sign-in-factor/page.html",
        form=form,
        refused=refused,
        target=request.values.get("next", ""),
        app=factors.app,
        passkeys=bool(factors.passkeys) and passkeys.relying_party() is not None,
    ), status


def _recovery_page(form: RecoveryForm, status: int = 200) -> ResponseReturnValue:
    target = request.values.get("next", "")
    return render_template("sign-in-factor/recovery.html", form=form, target=target), status
