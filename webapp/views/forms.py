"""What several forms share: the base class, the number of seats, and checks of text."""

import re
from typing import Any

from flask import request
from flask_wtf import FlaskForm
from wtforms import Field, StringField
from wtforms.validators import InputRequired, Length, StopValidation
from wtforms.widgets import NumberInput

from .. import addresses, pasting
from ..domain import seats as seat_rules
from ..formats import number
from ..sentences.refusals import Explained
from ..subscriptions.cost import WHOLE, Share
from ..words import gettext, lazy_gettext

LONGEST_EMAIL = 254
ORDINAL = re.compile(r"[0-9]{1,6}", re.ASCII)  # small enough for any database to compare


def parse_ordinal(text: str) -> int | None:
    """The ordinal of a period; None if it is not a number."""
    return int(text) if ORDINAL.fullmatch(text) else None


def parse_share(days_left: str, days: str) -> Share:
    """The days that are charged of a period, as the page has them; the whole period if they make no sense."""
    if not (ORDINAL.fullmatch(days_left) and ORDINAL.fullmatch(days) and 0 < int(days_left) <= int(days)):
        return WHOLE
    return Share(int(days_left), int(days))


def check_email(field: Field) -> None:
    """The address of one person; it is stored as mail servers take it."""
    try:
        field.data = addresses.parse(field.data or "")
    except addresses.WrongAddress as wrong:
        sentence = gettext("Use letters without accents before the @.") if wrong.accented else ""
        raise StopValidation(sentence or gettext("This is not an e-mail address: check it.")) from None
    if len(field.data) > LONGEST_EMAIL:
        raise StopValidation(gettext("This is not an e-mail address: check it."))


def seats_sentence() -> str:
    return gettext("Enter a whole number from 1 to %(most)s.", most=number(seat_rules.MAX_SEATS))


def printable(text: str, allowed: str = "") -> bool:
    """Whether a text has no control character, line break, or mark that reorders or hides text, except `allowed`."""
    return all(letter.isprintable() or letter in allowed for letter in text)


def _whole_seats(_form: FlaskForm, field: Field) -> None:
    if seat_rules.parse_seats(field.data or "") is None:
        raise StopValidation(seats_sentence())


class PortalForm(FlaskForm):
    """Reads form fields alone: a body of JSON or a file where text belongs is an empty field."""

    restored = False  # whether it shows what its owner had typed before

    def __init__(self, **given: Any) -> None:
        given.setdefault("formdata", request.form if request.method == "POST" else None)
        super().__init__(**given)


class CodeForm(PortalForm):
    """A code of an authenticator app."""

    code = StringField(
        lazy_gettext("Code"),
        [InputRequired(lazy_gettext("Enter the code that your app shows.")), Length(max=40)],
        description=lazy_gettext("from your authenticator app"),
        render_kw={"autocomplete": "one-time-code", "inputmode": "numeric"},
    )


def wrong_code() -> str:
    return gettext("This code is not valid, or it has already been used. Wait for the next one.")


class SeatsForm(PortalForm):
    """The stepper. `seats` is the text as typed, so that the page can show it beside the error."""

    seats = StringField(
        lazy_gettext("Number of paid users"),
        [_whole_seats],
        filters=[pasting.whole_number],
        widget=NumberInput(step="1"),
    )

    refused_at: int | None = (
        None  # Unix time in the account's clock; set if fewer seats than active users were asked for
    )
    way_on: Explained | None = None  # a link to another page, for a refusal that has one

    @property
    def number(self) -> int:
        """The number of seats, after validation."""
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
