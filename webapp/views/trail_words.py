"""The records of the trail in words, in the reader's language."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from .. import formats
from ..accounts import people
from ..accounts.people import Known
from ..formats import ngettext
from ..models.activity import Activity
from ..models.trail import SecurityEvent
from ..sentences.labels import (
    ACTIVITIES,
    ACTIVITY_FACTS,
    CASE_SUBJECTS,
    ROLES,
    SECURITY_DETAILS,
    SECURITY_EVENTS,
)
from ..words import gettext
from .billing_info import LANGUAGES

CODES: dict[str, Callable[[str], object]] = {  # stored as codes, shown in words
    "subject": lambda code: CASE_SUBJECTS.get(code, code),
    "country": formats.country,
    "role": lambda code: ROLES.get(code, code),
    "document_locale": lambda code: LANGUAGES.get(code, code),
}
PORTAL = "My Qlik"


class Told(NamedTuple):
    """One record: `facts` are labels with the value before and after. `document`: the number of what was issued."""

    day: str
    time: str
    iso_day: str
    title: str
    who: str
    browser: str
    facts: list[tuple[str, str, str]]
    document: str


def erased() -> str:
    return gettext("Erased member")


def told(row: Activity | SecurityEvent, known: Mapping[str, Known], zone: ZoneInfo) -> Told:
    is_event, at = isinstance(row, SecurityEvent), row.at.astimezone(zone)
    who = PORTAL if row.person_id is None else row.by or erased()
    after = {} if isinstance(row, SecurityEvent) else row.after
    return Told(
        formats.day(at),
        formats.clock_time(at),
        at.date().isoformat(),
        _title(row),
        who,
        ", ".join(filter(None, (row.browser, row.system))),
        _event_facts(row) if isinstance(row, SecurityEvent) else _facts(row, known),
        "" if is_event else str(after.get("invoice") or after.get("credit_note") or ""),
    )


def _title(row: Activity | SecurityEvent) -> str:
    if isinstance(row, SecurityEvent):
        return str(SECURITY_EVENTS.get(row.kind, row.kind))
    return str(ACTIVITIES.get(row.what, row.what))


def _event_facts(row: SecurityEvent) -> list[tuple[str, str, str]]:
    facts = []
    if row.detail:
        label = gettext("Procedure") if row.kind == "not_permitted" else gettext("Method")
        facts.append((label, "", str(SECURITY_DETAILS.get(row.detail, row.detail))))
    if row.kind == "sessions_ended":
        facts.append((gettext("Sessions"), "", formats.number(row.times)))
    elif row.times > 1:
        facts.append((gettext("Within an hour"), "", ngettext("%(n)s time", "%(n)s times", row.times)))
    return facts


def _facts(row: Activity, known: Mapping[str, Known]) -> list[tuple[str, str, str]]:
    """The changed values of a record."""
    before, after = (_with_card(people.with_addresses(one, known, erased())) for one in (row.before, row.after))
    names = [name for name in ACTIVITY_FACTS if name in before or name in after]
    return [(str(ACTIVITY_FACTS[name]), _formatted(name, before, row), _formatted(name, after, row)) for name in names]


def _with_card(values: dict[str, Any]) -> dict[str, Any]:
    """Brand and digits are one thing: the card."""
    if "last4" not in values:
        return values
    card = formats.card_name(str(values.get("brand", "")), str(values["last4"]))
    return {name: value for name, value in values.items() if name not in ("brand", "last4")} | {"card": card}


def _formatted(name: str, values: dict[str, Any], row: Activity) -> str:
    """One value, formatted; "" if it is missing."""
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


def change(before: str, after: str) -> str:
    """A value that changed, as one text."""
    return f"{before} → {after}" if before and after and before != after else after or before
