"""The language. It is stored in a cookie and, for a signed-in owner, with the owner, whose mails use it."""

from flask import Blueprint, abort, current_app, redirect, request
from flask.typing import ResponseReturnValue

from .. import urls
from ..access import drafts, identity, sign_in
from ..config import LOCALES

blueprint = Blueprint("preferences", __name__)
YEAR = 365 * 24 * 3600


@blueprint.post("/language")
@identity.public
def language() -> ResponseReturnValue:
    locale = request.form.get("locale", "")
    if locale not in LOCALES:
        abort(400)
    if "form" in request.args:  # sent by the button of a form, with its fields
        drafts.keep(request.args["form"], request.form)
    sign_in.remember_locale(locale)
    response = redirect(urls.safe_next(request.values.get("next")), 303)
    response.set_cookie(
        "locale",
        locale,
        max_age=YEAR,
        httponly=True,
        samesite="Lax",
        secure=current_app.config["SESSION_COOKIE_SECURE"],
    )
    return response
