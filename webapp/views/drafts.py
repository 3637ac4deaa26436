"""What was typed and not sent: kept while its owner signs in again, and discarded on wish."""

from typing import TypeVar

from flask import Blueprint, abort, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict
from wtforms import Field

from .. import urls
from ..access import drafts, identity
from ..access.identity import needs
from ..domain.permissions import Procedure
from .forms import PortalForm

blueprint = Blueprint("drafts", __name__, url_prefix="/drafts")
needs(Procedure.OWN)(blueprint)
Form = TypeVar("Form", bound=PortalForm)


@blueprint.post("/keep")
@identity.public
def keep() -> ResponseReturnValue:
    """Leads back to the page of the form, over the sign-in page if the session has ended."""
    drafts.keep(request.args.get("form", ""), request.form)
    return redirect(urls.safe_next(request.args.get("next")), 303)


@blueprint.post("/discard")
def discard() -> ResponseReturnValue:
    kept = drafts.kept_of(request.args.get("form")) or abort(400)
    drafts.forget(kept.form)
    return redirect(urls.safe_next(request.args.get("next")), 303)


def restored(form: Form, name: str) -> Form:
    """The form with what its owner had typed into it, if that is kept and differs from what the form shows."""
    fields = drafts.find(name)
    if fields is None:
        return form
    typed = type(form)(formdata=MultiDict(fields))
    typed.restored = any(_text(typed[field]) != _text(form[field]) for field in fields)
    return typed if typed.restored else form


def _text(field: Field) -> str:
    return str(field.data or "").replace("\r\n", "\n")
