"""What a browser is given to make or show a passkey. Each answer begins one ceremony."""

from flask import Blueprint, Response, abort
from flask.typing import ResponseReturnValue

from ..access import passkeys
from ..access.identity import public
from ..access.passkeys import Purpose

blueprint = Blueprint("passkeys", __name__, url_prefix="/passkeys")


@blueprint.get('/<any("sign-in", factor, proof, add):purpose>')
@public
def options(purpose: Purpose) -> ResponseReturnValue:
    """A script asks for it when the button is pressed. 404 where nobody is who could begin it."""
    return Response(passkeys.options(purpose) or abort(404), content_type="application/json")
