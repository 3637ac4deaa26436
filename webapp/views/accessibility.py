"""The accessibility statement that French law asks for, open to everybody."""

from datetime import date

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue

from ..access.identity import public

blueprint = Blueprint("accessibility", __name__)
STATED_ON = date(2026, 11, 23)  # moves when what was tested does


@blueprint.get("/accessibility")
@public
def page() -> ResponseReturnValue:
    email = current_app.config["ACCESSIBILITY_EMAIL"]
    return render_template("accessibility/page.html", stated_on=STATED_ON, email=email)
