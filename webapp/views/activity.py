"""What happened on the account: who, when, what, before and after."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from .. import formats
from ..access.identity import me
from ..accounts import activity, billing_information
from ..models.activity import Activity
from ..sentences.labels import ACTIVITIES, ACTIVITY_FACTS, CASE_SUBJECTS
from .billing_info import LANGUAGES

blueprint = Blueprint("activity", __name__, url_prefix="/activity")
PAGE = 50
CODES: dict[str, Callable[[str], object]] = {  # kept as codes, told in words
    "subject": lambda code: CASE_SUBJECTS.get(code, code),
    "country": formats.country,
    "document_locale": lambda code: LANGUAGES.get(code, code),
}


@blueprint.get("")
def page() -> ResponseReturnValue:
    rows = activity.newest(me().account_id, request.args.get("before", type=int), PAGE + 1)
    return render_template(
        "activity/page.html",
        rows=[(row, ACTIVITIES.get(row.what, row.what), _facts(row)) for row in rows[:PAGE]],
        older=rows[PAGE - 1].id if len(rows) > PAGE else None,
        zone=ZoneInfo(billing_information.account_of(me().account_id).zone),
    )


def _facts(row: Activity) -> list[tuple[str, str, str]]:
    """What is told of a row: a name, what was before and what is after, each as the reader's language prints it."""
    names = [name for name in ACTIVITY_FACTS if name in row.before or name in row.after]
    return [
        (str(ACTIVITY_FACTS[name]), _printed(name, row.before, row), _printed(name, row.after, row)) for name in names
    ]


def _printed(name: str, values: dict[str, object], row: Activity) -> str:
    value = values.get(name)
    if value is None:
        return ""
    if name == "total":
        return formats.money(int(str(value)), str(row.after.get("currency", "EUR")))
    if name == "day":
        return formats.day(str(value))
    if name == "end":
        return formats.last_day(str(value))
    if name in CODES:
        return str(CODES[name](str(value)))
    if isinstance(value, int):
        return formats.number(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
