"""The accessibility statement that French law requires. It needs no sign-in."""

from datetime import date

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue

from ..access.identity import public

blueprint = Blueprint("accessibility", __name__)
STATED_ON = date(2026, 11, 23)  # the day of the last accessibility tests


@blueprint.get("/accessibility")
@public
def page() -> ResponseReturnValue:
    email = current_app.config["ACCESSIBILITY_EMAIL"]
    return render_template("accessibility/page.html", stated_on=STATED_ON, email=email)
