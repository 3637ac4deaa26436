"""The account manager, for what a plan does not let the owner do here."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from ..auth import me
from ..db import db
from ..models import Account

blueprint = Blueprint("contact", __name__)


@blueprint.get("/contact")
def page() -> ResponseReturnValue:
    return render_template("contact/page.html", account=db.session.get_one(Account, me().account_id))
