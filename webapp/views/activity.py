"""The account's activity: who did what and when, with the values before and after."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from .. import formats
from ..access.identity import me, needs
from ..accounts import activity, billing_information
from ..domain.permissions import Procedure
from ..models.activity import Activity
from ..sentences.labels import ACTIVITIES, ACTIVITY_FACTS, ACTIVITY_SUBJECTS, CASE_SUBJECTS, ROLES, SUBJECTS
from .billing_info import LANGUAGES

blueprint = Blueprint("activity", __name__, url_prefix="/activity")
needs(Procedure.SEE)(blueprint)
blueprint.context_processor(lambda: {"section": "activity"})
PAGE_SIZE = 50
CODES: dict[str, Callable[[str], object]] = {  # stored as codes, shown in words
    "subject": lambda code: CASE_SUBJECTS.get(code, code),
    "country": formats.country,
    "role": lambda code: ROLES.get(code, code),
    "document_locale": lambda code: LANGUAGES.get(code, code),
}


@blueprint.get("")
def page() -> ResponseReturnValue:
    about = request.args.get("about", "")
    kinds = [kind for kind, subject in ACTIVITY_SUBJECTS.items() if subject == about] or None
    rows = activity.newest(me().account_id, request.args.get("before"), PAGE_SIZE + 1, kinds)
    return render_template(
        "activity/page.html",
        about=about if kinds else "",
        subjects=SUBJECTS,
        rows=[(row, ACTIVITIES.get(row.what, row.what), _facts(row)) for row in rows[:PAGE_SIZE]],
        older=rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None,
        zone=ZoneInfo(billing_information.account_of(me().account_id).zone),
    )


def _facts(row: Activity) -> list[tuple[str, str, str]]:
    """The changed values of a row: label, value before and value after, formatted in the reader's language."""
    before, after = _with_card(row.before), _with_card(row.after)
    names = [name for name in ACTIVITY_FACTS if name in before or name in after]
    return [(str(ACTIVITY_FACTS[name]), _formatted(name, before, row), _formatted(name, after, row)) for name in names]


def _with_card(values: dict[str, object]) -> dict[str, object]:
    """Brand and digits are one thing: the card."""
    if "last4" not in values:
        return values
    card = formats.card_name(str(values.get("brand", "")), str(values["last4"]))
    return {name: value for name, value in values.items() if name not in ("brand", "last4")} | {"card": card}


def _formatted(name: str, values: dict[str, object], row: Activity) -> str:
    """One value, formatted; "" if it is missing."""
    value = values.get(name)
    if value is None:
        return ""
    if name == "total":
        return formats.money(int(str(value)), str(row.after.get("currency", "EUR")))
    if name == "day":
        return formats.day(str(value))
    if name == "card":
        return formats.named_card(str(value))
    if name == "end":
        return formats.last_day(str(value))
    if name in CODES:
        return str(CODES[name](str(value)))
    if isinstance(value, int):
        return formats.number(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
