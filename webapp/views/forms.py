"""The fields that several forms share."""

import re
from typing import Any

from flask import request
from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from wtforms import Field, StringField
from wtforms.validators import StopValidation
from wtforms.widgets import NumberInput

from ..domain import seats as seat_rules
from ..formats import number
from ..sentences.refusals import Explained

ORDINAL = re.compile(r"[0-9]{1,6}", re.ASCII)  # small enough for any database to compare


def parse_ordinal(text: str) -> int | None:
    """The number of a period, from an address."""
    return int(text) if ORDINAL.fullmatch(text) else None


def seats_sentence() -> str:
    return gettext("Enter a whole number from 1 to %(most)s.", most=number(seat_rules.MAX_SEATS))


def printable(text: str, but: str = "") -> bool:
    """No control, line break or mark that reorders or hides text, save those in `but`."""
    return all(letter.isprintable() or letter in but for letter in text)


def _whole_seats(_form: FlaskForm, field: Field) -> None:
    if seat_rules.parse_seats(field.data or "") is None:
        raise StopValidation(seats_sentence())


class PortalForm(FlaskForm):
    """Reads form fields alone: a body of JSON or a file where text belongs is an empty field."""

    def __init__(self, **given: Any) -> None:
        given.setdefault("formdata", request.form if request.method == "POST" else None)
        super().__init__(**given)


class SeatsForm(PortalForm):
    """The stepper. `seats` is kept as typed, so that the refusal is read beside what was written."""

    seats = StringField(lazy_gettext("Number of paid users"), [_whole_seats], widget=NumberInput(step="1"))

    refused_at: int | None = None  # business time in seconds, where too few seats were asked for
    way_on: Explained | None = None  # beside a refusal, where another page is meant

    @property
    def number(self) -> int:
        return int(self.seats.data or 0)


def asked_seats(default: int) -> str:
    """The number in the address, moved by − or + where no script did it."""
    text = request.args.get("seats", str(default))
    step = request.args.get("step")
    if step in ("-1", "1") and re.fullmatch(r"-?[0-9]{1,6}", text, re.ASCII):
        return str(int(text) + int(step))
    return text
