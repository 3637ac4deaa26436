"""Documents of any months for the accountant, such as a quarter or a fiscal year: as a ZIP, or as a journal alone."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import Field, SelectField
from wtforms.validators import StopValidation

from ..access.identity import me, needs
from ..domain.permissions import Procedure
from ..formats import month_name
from ..invoices import archives
from ..invoices.spans import Span, months_between, parse_month, quarters_until, write_month
from ..words import gettext, lazy_gettext
from .downloads import send_archive, send_journal
from .forms import PortalForm
from .fragments import FRAGMENT_HEADERS, wants_fragment

blueprint = Blueprint("export", __name__, url_prefix="/billing/invoices")
needs(Procedure.SEE)(blueprint)
blueprint.context_processor(lambda: {"section": "billing"})


class SpanForm(PortalForm):
    """Two months, in the address or in a form. `months`: those that can be chosen, by value."""

    first = SelectField(lazy_gettext("First month"), name="from", validate_choice=False)
    last = SelectField(lazy_gettext("Last month"), name="to", validate_choice=False)

    def choose_from(self, extent: Span) -> None:
        self.months = {write_month(month): month for month in months_between(extent.first, extent.last)}
        choices = {value: month_name(month) for value, month in reversed(self.months.items())}
        for field in (self.first, self.last):
            field.choices = choices if field.data in choices else {"": gettext("Choose…"), **choices}

    def validate_first(self, field: Field) -> None:
        self._check(field)

    def validate_last(self, field: Field) -> None:
        self._check(field)
        first = self.months.get(self.first.data)
        if first is not None and self.months[field.data] < first:
            sentence = gettext(
                "The last month comes before the first: choose %(month)s or later.", month=month_name(first)
            )
            raise StopValidation(sentence)

    def _check(self, field: Field) -> None:
        if parse_month(field.data or "") is None or field.data not in self.months:
            raise StopValidation(gettext("Choose a month from the list."))

    @property
    def span(self) -> Span:
        """After validation."""
        return Span.of_months(self.months[self.first.data], self.months[self.last.data])


@blueprint.get("/export")
def page() -> ResponseReturnValue:
    """The months, how many documents they have, and what can be downloaded."""
    return _with_span(_in_address(), _page)


@blueprint.post("/export")
def prepare() -> ResponseReturnValue:
    """Makes some of the missing documents. With scripts, the page repeats this until none is missing."""

    def prepared(form: SpanForm, extent: Span) -> ResponseReturnValue:
        archives.prepare(me().account_id, form.span)
        if wants_fragment():
            return _answer("invoices/_progress.html", **_progress(form.span), going_on=True)
        return redirect(url_for("export.page", **_parameters(form.span)), 303)

    return _with_span(SpanForm(), prepared)


@blueprint.get("/export.zip")
def archive() -> ResponseReturnValue:
    """The documents as a ZIP. Missing ones are made first; HEAD makes none."""
    return _with_span(_in_address(), lambda form, _extent: send_archive(form.span))


@blueprint.get("/export.csv")
def journal() -> ResponseReturnValue:
    """The journal alone."""
    return _with_span(_in_address(), lambda form, _extent: send_journal(form.span))


def _in_address() -> SpanForm:
    """Without months in the address, the year of the newest document is chosen."""
    return SpanForm(formdata=request.args, meta={"csrf": False})


def _with_span(form: SpanForm, act: Callable[[SpanForm, Span], ResponseReturnValue]) -> ResponseReturnValue:
    """What `act` does with the months that are chosen, or the page that says what is wrong with them."""
    extent = archives.extent(me().account_id)
    if extent is None:
        return _answer("invoices/export.html", form=form, extent=None)
    if request.method in ("GET", "HEAD") and not request.args.keys() & {"from", "to"}:
        newest = Span.of_year(extent.last.year)
        first, last = max(newest.first, extent.first), min(newest.last, extent.last)
        form.first.data, form.last.data = write_month(first), write_month(last)
    form.choose_from(extent)
    if form.validate() and archives.count(me().account_id, form.span).all == 0:
        form.first.errors = [gettext("No invoice or credit note was issued in these months.")]
    return _page(form, extent) if form.errors else act(form, extent)


def _page(form: SpanForm, extent: Span) -> Response:
    shown = {} if form.errors else _progress(form.span)
    response = _answer("invoices/export.html", form=form, extent=extent, usual=_usual(extent), **shown)
    response.status_code = 422 if form.errors else 200
    return response


def _answer(template: str, **context: object) -> Response:
    response = make_response(render_template(template, **context))
    response.vary.update(FRAGMENT_HEADERS)
    return response


def _progress(span: Span) -> dict[str, object]:
    """What `invoices/_progress.html` shows. The downloads are buttons of the form, so they follow its months."""
    return {
        "progress": archives.progress(me().account_id, span),
        "prepare": url_for("export.prepare"),
        "fields": _parameters(span),
    }


def _parameters(span: Span) -> dict[str, Any]:
    return {"from": write_month(span.first), "to": write_month(span.last)}


def _usual(extent: Span) -> list[tuple[str, Mapping[str, str]]]:
    """The newest years with their quarters, within the months that can be chosen."""
    spans = []
    for year in range(extent.last.year, max(extent.first.year, extent.last.year - 2) - 1, -1):
        whole = Span.of_year(year)
        quarters = quarters_until(min(whole.last, extent.last))
        spans += [(gettext("Q%(n)s %(year)s", n=n, year=year), quarter) for n, quarter in quarters]
        spans.append((str(year), whole))
    return [
        (label, _parameters(Span(_not_before(span.first, extent), min(span.last, extent.last))))
        for label, span in spans
        if span.last >= extent.first
    ]


def _not_before(day: date, extent: Span) -> date:
    return max(day, extent.first)
