"""Reads what a tester's request asks for: fields, dates, durations and the account."""

import re
from datetime import MAXYEAR, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from flask import request

from ..db import NotFound, db
from ..domain.periods import boundary
from ..models.accounts import Account
from ..words import gettext
from .tables import SandboxAccount

FIRST_YEAR, LAST_YEAR = 2000, 9000
MOST_ACTIVE = 999_999
# What is sent, as the OpenAPI document says it, too. Whether the calendar has the day is another question.
GIVEN_INSTANT = re.compile(
    r"(?:[2-8][0-9]{3}|9000)-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])?)?"
)
DURATION = re.compile(
    r"P(?=.*[0-9])(?:([0-9]{1,3})M)?(?:([0-9]{1,4})D)?"
    r"(?:T(?:([0-9]{1,6})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,8})S)?)?"
)


class BadRequest(Exception):
    """A field is missing or not valid. The message is the sentence to show."""


def field(name: str) -> str:
    """A field of the form, the address or a JSON object, trimmed; "" if it is missing. Raises BadRequest."""
    value = request.values.get(name) or _body().get(name)
    if isinstance(value, float) and value.is_integer():  # JSON knows one kind of number: 9.0 is 9
        value = int(value)
    return "" if value is None else str(value).strip()


def given_fields() -> set[str]:
    """The names of the request's fields, also of those that are empty. Raises BadRequest."""
    return {*request.values, *_body()}


def _body() -> dict[str, object]:
    """Empty if nothing was sent as JSON. Raises BadRequest for JSON that has no fields, lest it be taken for none."""
    if not request.is_json or not request.get_data():
        return {}
    try:
        body = request.get_json(silent=True)
    except RecursionError:
        body = None
    if not isinstance(body, dict):
        raise BadRequest(gettext("Send the fields as one JSON object."))
    return body


def whole_number(text: str, least: int, most: int) -> int:
    """Raises ValueError, also for 007 and for digits of other scripts."""
    if not re.fullmatch(r"0|[1-9][0-9]{0,5}", text, re.ASCII) or not least <= int(text) <= most:
        raise ValueError(text)
    return int(text)


@cache
def zones() -> frozenset[str]:
    """The names of the time zones that an account can be in."""
    return frozenset(available_timezones() - {"localtime"})  # the machine's own is no name to rely on


def find_account(account_id: str) -> Account:
    """An account that was made for testers. Raises NotFound."""
    if db.session.get(SandboxAccount, account_id) is None:
        raise NotFound(account_id)
    return db.session.get_one(Account, account_id)


def parse_instant(text: str) -> datetime:
    """A date and time in ISO 8601, naive if it names no zone. Raises BadRequest."""
    try:
        instant = datetime.fromisoformat(text if GIVEN_INSTANT.fullmatch(text) else "")
    except ValueError:
        raise BadRequest(gettext("Give a date and time such as 2027-01-31T09:00:00.")) from None
    check_year(instant)
    return instant


def check_year(instant: datetime) -> None:
    """Raises BadRequest for an early date, and for one so late that the periods after it could not be computed."""
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise BadRequest(gettext("Give a year from %(first)s to %(last)s.", first=FIRST_YEAR, last=LAST_YEAR))


def add_duration(now: datetime, text: str, zone: ZoneInfo) -> datetime:
    """`now` plus a duration in ISO 8601, of months, days, hours, minutes and seconds. Raises BadRequest.

    A month later is the same time of the same day of the next month, or of its last day.
    """
    match = DURATION.fullmatch(text)
    if not match:
        raise BadRequest(
            gettext("Give advance= a duration such as PT2M, P31D or P1M, or to= a date and time, or to=next.")
        )
    months, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    try:
        if months:
            now = datetime.combine(boundary(now.date(), months, 1), now.time(), zone)
        later = now + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except (OverflowError, ValueError):  # beyond the calendar
        later = now.replace(year=MAXYEAR)
    check_year(later)
    return later
