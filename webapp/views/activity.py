"""The account's activity: who did what and when, and the security events, each filtered, paged, and as CSV."""

import re
import tempfile
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from flask import Blueprint, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import Field, StringField
from wtforms.validators import StopValidation

from .. import spreadsheet
from ..access.identity import me, needs
from ..accounts import activity, billing_information, people
from ..accounts.activity import Narrowing
from ..accounts.people import Known
from ..domain.permissions import Procedure
from ..invoices.archives import Spooled
from ..models.activity import Activity
from ..models.trail import SecurityEvent
from ..sentences.labels import ACTIVITY_SUBJECTS, SECURITY_SUBJECT_OF, SECURITY_SUBJECTS, SUBJECTS
from ..words import gettext, lazy_gettext
from . import trail_words
from .downloads import CSV, send_file
from .forms import PortalForm
from .fragments import FRAGMENT_HEADERS, wants_fragment

blueprint = Blueprint("activity", __name__, url_prefix="/activity")
needs(Procedure.SEE)(blueprint)
blueprint.context_processor(lambda: {"section": "activity"})
PAGE_SIZE, CSV_BATCH = 50, 500
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class Trail(NamedTuple):
    """One of the two lists. `subjects`: of each kind of row, and by name, what is chosen from."""

    name: str
    table: Any
    subject_of: dict[str, str]
    subjects: dict[str, Any]


CHANGES = Trail("changes", Activity, ACTIVITY_SUBJECTS, SUBJECTS)
SECURITY = Trail("security", SecurityEvent, SECURITY_SUBJECT_OF, SECURITY_SUBJECTS)


class DaysForm(PortalForm):
    """The first and the last day of what is shown, in the address."""

    since = StringField(lazy_gettext("From"), name="from")
    until = StringField(lazy_gettext("To"), name="to")

    def validate_since(self, field: Field) -> None:
        self._check(field)

    def validate_until(self, field: Field) -> None:
        self._check(field)
        first, last = parse_day(self.since.data), parse_day(field.data)
        if first and last and last < first:
            raise StopValidation(gettext("The last day comes before the first: choose a later one."))

    def _check(self, field: Field) -> None:
        if field.data and parse_day(field.data) is None:
            raise StopValidation(gettext("Enter a day such as 2027-01-31, or nothing."))


def parse_day(text: str | None) -> date | None:
    """A day that has a day before and after it."""
    try:
        day = date.fromisoformat(text) if text and DAY.fullmatch(text) else None
    except ValueError:
        return None
    return day if day and 1 < day.year < 9999 else None


class Chosen(NamedTuple):
    """What the address asks for. Without `narrowed`, a day is wrong."""

    trail: Trail
    form: DaysForm
    about: str
    person: str
    known: dict[str, Known]
    zone: ZoneInfo
    narrowed: Narrowing | None

    @property
    def parameters(self) -> dict[str, str]:
        given = {"about": self.about, "person": self.person}
        given |= {"from": self.form.since.data or "", "to": self.form.until.data or ""}
        return {name: value for name, value in given.items() if value}


@blueprint.get("")
def page() -> ResponseReturnValue:
    return _page(_chosen(CHANGES))


@blueprint.get("/security")
def security() -> ResponseReturnValue:
    """« Sécurité »: one's own events; those of all members for whoever may watch them."""
    return _page(_chosen(SECURITY))


@blueprint.get("/changes.csv")
def changes_csv() -> ResponseReturnValue:
    return _csv(_chosen(CHANGES), gettext("activity.csv"))


@blueprint.get("/security.csv")
def security_csv() -> ResponseReturnValue:
    return _csv(_chosen(SECURITY), gettext("security.csv"))


def _sees_all(trail: Trail) -> bool:
    return trail is not SECURITY or me().may(Procedure.WATCH)


def _chosen(trail: Trail) -> Chosen:
    """Subjects and persons that are none filter nothing."""
    form = DaysForm(formdata=request.args, meta={"csrf": False})
    for field in (form.since, form.until):
        field.data = (field.data or "").strip()
    about, person = request.args.get("about", ""), request.args.get("person", "")
    known = people.of_account(me().account_id)
    zone = ZoneInfo(billing_information.account_of(me().account_id).zone)
    about = about if about in trail.subjects else ""
    person = person if person in known and _sees_all(trail) else ""
    narrowed = None
    if form.validate():
        narrowed = Narrowing(
            [kind for kind, subject in trail.subject_of.items() if subject == about] if about else None,
            person if _sees_all(trail) else me().member_id,
            _midnight(parse_day(form.since.data), zone),
            _midnight(parse_day(form.until.data), zone, later=1),
        )
    return Chosen(trail, form, about, person, known, zone, narrowed)


def _midnight(day: date | None, zone: ZoneInfo, later: int = 0) -> datetime | None:
    """The instant at which the day begins, or one so many days later."""
    return datetime.combine(day + timedelta(days=later), time(), zone) if day else None


def _page(chosen: Chosen) -> ResponseReturnValue:
    """The whole page, or what a changed filter needs of it."""
    rows: Any = []
    if chosen.narrowed:
        before = request.args.get("before")
        rows = activity.newest(me().account_id, before, PAGE_SIZE + 1, chosen.narrowed, chosen.trail.table)
    fragment = wants_fragment()
    content = render_template(
        "activity/_changed.html" if fragment else "activity/page.html",
        chosen=chosen,
        here="activity.security" if chosen.trail is SECURITY else "activity.page",
        people=_choices(chosen),
        rows=[trail_words.told(row, chosen.known, chosen.zone) for row in rows[:PAGE_SIZE]],
        change=trail_words.change,
        older=rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None,
    )
    response = make_response(content, 200 if chosen.narrowed else 422)
    response.vary.update(FRAGMENT_HEADERS)
    if fragment:
        endpoint = "activity.security" if chosen.trail is SECURITY else "activity.page"
        response.headers["HX-Push-Url"] = url_for(endpoint, **chosen.parameters)  # type: ignore[arg-type]
    return response


def _choices(chosen: Chosen) -> list[tuple[str, str]]:
    """The persons to filter by; none where only one's own events are shown."""
    if not _sees_all(chosen.trail):
        return []
    acting = [one for one in chosen.known.values() if one.kind != "address"]
    return [(one.id, one.name or one.email or trail_words.erased()) for one in acting]


def _csv(chosen: Chosen, name: str) -> ResponseReturnValue:
    """The filtered list as a file, newest first; the page that says what is wrong with a day. HEAD reads nothing."""
    if chosen.narrowed is None:
        return _page(chosen)
    return send_file(None if request.method == "HEAD" else _spooled(chosen, chosen.narrowed), name, CSV)


def _spooled(chosen: Chosen, narrowed: Narrowing) -> Spooled:
    (written, writer), file = spreadsheet.begin(), tempfile.TemporaryFile()  # noqa: SIM115  whoever sends it closes it
    who = gettext("Member") if chosen.trail is SECURITY else gettext("Who")
    writer.writerow([gettext("Date"), gettext("Time"), gettext("What"), who, gettext("Browser"), gettext("Details")])
    last = None
    while rows := activity.newest(me().account_id, last, CSV_BATCH, narrowed, chosen.trail.table):
        for row in rows:
            one = trail_words.told(row, chosen.known, chosen.zone)
            facts = (f"{label}{gettext(':')} {trail_words.change(old, new)}" for label, old, new in one.facts)
            cells = (one.title, one.who, one.browser, "; ".join(facts))
            writer.writerow([one.iso_day, one.time, *map(spreadsheet.safe_cell, cells)])
        file.write(spreadsheet.take(written))
        last = rows[-1].id
    file.write(spreadsheet.take(written))
    size = file.tell()
    file.seek(0)
    return Spooled(file, size)
