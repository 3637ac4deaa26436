"""The account manager, for what a plan does not let the owner do here."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from .. import billing
from ..auth import me

blueprint = Blueprint("contact", __name__)


@blueprint.get("/contact")
def page() -> ResponseReturnValue:
    return render_template("contact/page.html", account=billing.account_of(me().account_id))
