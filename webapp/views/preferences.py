"""The language. It is stored in a cookie and, for a signed-in owner, with the owner, whose mails use it."""

from flask import Blueprint, Response, abort, request
from flask.typing import ResponseReturnValue

from .. import locale_cookie, urls
from ..access import identity, sign_in
from ..config import LOCALES

blueprint = Blueprint("preferences", __name__)


@blueprint.post("/language")
@identity.public
def language() -> ResponseReturnValue:
    locale = request.form.get("locale", "")
    if locale not in LOCALES:
        abort(400)
    sign_in.remember_locale(locale)
    response = Response(status=303, headers={"Location": urls.safe_next(request.form.get("next"))})
    locale_cookie.remember(response, locale)
    return response
