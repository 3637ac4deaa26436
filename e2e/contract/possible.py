"""What the sandbox's document cannot say of a request that succeeds. Before it is sent, it is changed so.

Each day is in the calendar. A clock moves forward, not for centuries, and never to what is due next, as nothing may be.
An account whose scenario has a pending reduction has more seats than that. Only values that are valid are changed, so
what must be refused still is.
"""

import re
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import schemathesis

from webapp.sandbox.fields import DURATION, GIVEN_INSTANT

LATER = datetime(2028, 1, 15)  # noqa: DTZ001  in the account's zone
_hours = count()


FEW = 20  # values of a long list, such as all time zones: each is tried with every kind of body


@schemathesis.hook
def before_load_schema(_context: Any, document: dict[str, Any]) -> None:
    document["paths"] = _shortened(document["paths"])


def _shortened(part: Any) -> Any:
    if isinstance(part, list):
        return [_shortened(one) for one in part]
    if not isinstance(part, dict):
        return part
    few = {"enum": part["enum"][:: len(part["enum"]) // FEW + 1]} if "enum" in part else {}
    return {name: _shortened(inner) for name, inner in part.items()} | few


@schemathesis.hook
def before_call(_context: Any, case: schemathesis.Case, _options: dict[str, Any]) -> None:
    if isinstance(case.body, dict):
        case.body = possible(case.body)


def possible(body: dict[str, Any]) -> dict[str, Any]:
    changed = dict(body)
    if changed.get("scenario") == "business-reduction-pending" and (changed.get("seats") or changed.get("active")):
        changed["scenario"] = "business"
    if _fits(GIVEN_INSTANT, changed.get("now")):
        changed["now"] = "2027-03-15" + changed["now"][len("2027-03-15") :]
    if changed.get("to") == "next" or _fits(GIVEN_INSTANT, changed.get("to")):
        changed["to"] = (LATER + timedelta(hours=next(_hours))).isoformat()
    if _fits(DURATION, changed.get("advance")):
        changed["advance"] = re.sub("[0-9]+", "0", changed["advance"])  # lest `to` is past
    return changed


def _fits(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
