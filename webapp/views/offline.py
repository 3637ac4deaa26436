"""The page that a browser keeps (`static/worker.js`) and shows where the portal cannot be reached."""

from flask import Blueprint, g, render_template
from flask.typing import ResponseReturnValue

from ..access.identity import public

blueprint = Blueprint("offline", __name__)


@blueprint.get("/offline/<any(fr, en):locale>")
@public
def page(locale: str) -> ResponseReturnValue:
    g.owner, g.page_locale = None, locale  # whoever uses the browser next may see it
    return render_template("errors/offline.html")
