"""The language. It is stored in a cookie and, for a signed-in owner, with the owner, whose mails use it."""

from flask import Blueprint, Response, abort, request
from flask.typing import ResponseReturnValue

from .. import locale_cookie, urls
from ..access import drafts, identity, sign_in
from ..config import LOCALES

blueprint = Blueprint("preferences", __name__)


@blueprint.post("/language")
@identity.public
def language() -> ResponseReturnValue:
    locale = request.form.get("locale", "")
    if locale not in LOCALES:
        abort(400)
    if "form" in request.args:  # sent by the button of a form, with its fields
        drafts.keep(request.args["form"], request.form)
    sign_in.remember_locale(locale)
    response = Response(status=303, headers={"Location": urls.safe_next(request.values.get("next"))})
    locale_cookie.remember(response, locale)
    return response
