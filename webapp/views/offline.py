"""The page that `static/worker.js` stores in the browser and shows when the portal cannot be reached."""

from flask import Blueprint, g, render_template
from flask.typing import ResponseReturnValue

from ..access.identity import public

blueprint = Blueprint("offline", __name__)


@blueprint.get("/offline/<any(fr, en):locale>")
@public
def page(locale: str) -> ResponseReturnValue:
    g.owner, g.page_locale = None, locale  # another person may use the browser later
    return render_template("errors/offline.html")
