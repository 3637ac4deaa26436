"""The fields that several forms share."""

import re
from typing import Any

from flask import request
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import Field, StringField
from wtforms.validators import StopValidation
from wtforms.widgets import NumberInput

from .. import pasting
from ..domain.pricing import MAX_SEATS
from ..sentences.refusals import Explained

WHOLE_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)
SEATS_SENTENCE = lazy_gettext("Enter a whole number from 1 to 10,000.")


def parse_seats(text: str) -> int | None:
    """1 to 10,000 in ASCII digits; None for anything else (`１２`, `1e3`, `2.5`)."""
    if not WHOLE_NUMBER.fullmatch(text):
        return None
    seats = int(text)
    return seats if 1 <= seats <= MAX_SEATS else None


def parse_ordinal(text: str) -> int | None:
    """A period's, small enough for any database to compare."""
    return int(text) if WHOLE_NUMBER.fullmatch(text) else None


def printable(text: str, but: str = "") -> bool:
    """No control, line break or mark that reorders or hides text, save those in `but`."""
    return all(letter.isprintable() or letter in but for letter in text)


def _whole_seats(_form: FlaskForm, field: Field) -> None:
    if parse_seats(field.data or "") is None:
        raise StopValidation(str(SEATS_SENTENCE))


class PortalForm(FlaskForm):
    """Reads form fields alone: a body of JSON or a file where text belongs is an empty field."""

    restored = False  # whether it shows what its owner had typed before

    def __init__(self, **given: Any) -> None:
        given.setdefault("formdata", request.form if request.method == "POST" else None)
        super().__init__(**given)


class SeatsForm(PortalForm):
    """The stepper. `seats` is kept as typed, so that the refusal is read beside what was written."""

    seats = StringField(
        lazy_gettext("Number of paid users"),
        [_whole_seats],
        filters=[pasting.whole_number],
        widget=NumberInput(step="1"),
    )

    refused_at: int | None = None  # business time in seconds, where too few seats were asked for
    way_on: Explained | None = None  # beside a refusal, where another page is meant

    @property
    def number(self) -> int:
        return int(self.seats.data or 0)


def asked_seats(default: int) -> str:
    """The number in the address. Without scripts, the buttons − and + send `step`; − stops at 1."""
    text = pasting.whole_number(request.args.get("seats", str(default)))
    step = request.args.get("step")
    if not re.fullmatch(r"-?[0-9]{1,6}", text, re.ASCII):
        return text
    if step == "1" or (step == "-1" and int(text) > 1):
        return str(int(text) + int(step))
    return text
