"""The gateway's own pages: where a card is entered, and the bank's 3-D Secure. The portal never sees a card number."""

import re
from datetime import date
from urllib.parse import urlsplit

from flask import Blueprint, abort, g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext, refresh
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import Field, StringField
from wtforms.validators import InputRequired, Length, Regexp, StopValidation

from ..access import limits
from ..access.identity import public
from ..adapters.clock import machine_now
from ..db import db, new_id
from ..views.forms import PortalForm
from .gateway import TEST_CARDS, gateway_transaction
from .tables import SandboxCard, SandboxCharge, SandboxSetup

blueprint = Blueprint("sandbox_gateway", __name__, url_prefix="/sandbox/gateway")


def _a_name(_form: FlaskForm, field: Field) -> None:
    """No digit of any script, so that no card number is kept as a name."""
    name = field.data or ""
    if not name.isprintable() or any(letter.isnumeric() or letter in "<>" for letter in name):
        raise StopValidation(gettext("Enter the name as it is on the card, without digits."))


def _test_number(_form: FlaskForm, field: Field) -> None:
    field.data = re.sub(r"[ \-]", "", field.data or "")
    if field.data not in TEST_CARDS:
        raise StopValidation(gettext("This is not a test card number: the sandbox accepts only those listed below."))
    if TEST_CARDS[field.data][0] == "refused_at_entry":
        raise StopValidation(gettext("The bank refused this card. Use another one."))


def _expiry(form: "CardForm", field: Field) -> None:
    found = re.fullmatch(r"(0[1-9]|1[0-2]) ?/ ?([0-9]{2})", (field.data or "").strip(), re.ASCII)
    if not found:
        raise StopValidation(gettext("Enter the month and the year as on the card, for example 09/29."))
    form.expires = (2000 + int(found[2]), int(found[1]))
    today: date = machine_now().date()
    if form.expires < (today.year, today.month):
        raise StopValidation(gettext("This card has expired. Use another one."))


class CardForm(PortalForm):
    class Meta(PortalForm.Meta):
        csrf = False  # the reference in the address is what admits

    expires: tuple[int, int]
    number = StringField(
        lazy_gettext("Card number"),
        [InputRequired(lazy_gettext("Enter the card number.")), _test_number],
        render_kw={"autocomplete": "cc-number", "inputmode": "numeric", "maxlength": 23},
    )
    expiry = StringField(
        lazy_gettext("Expiry date"),
        [InputRequired(lazy_gettext("Enter the expiry date.")), _expiry],
        description=lazy_gettext("MM/YY"),
        render_kw={"autocomplete": "cc-exp", "maxlength": 7},
    )
    code = StringField(
        lazy_gettext("Security code"),
        [
            InputRequired(lazy_gettext("Enter the security code.")),
            Regexp(r"^[0-9]{3,4}\Z", message=lazy_gettext("Enter the 3 or 4 digits on the back of the card.")),
        ],
        description=lazy_gettext("3 or 4 digits"),
        render_kw={"autocomplete": "cc-csc", "inputmode": "numeric", "maxlength": 4},
    )
    holder = StringField(
        lazy_gettext("Name on card"),
        [
            InputRequired(lazy_gettext("Enter the name on the card.")),
            Length(max=100),
            _a_name,
        ],
        render_kw={"autocomplete": "cc-name", "maxlength": 100},
    )


def _setup(session: Session, reference: str) -> SandboxSetup:
    setup = session.get(SandboxSetup, reference)
    if setup is None:
        abort(404)
    _may_return_to(setup.return_url)
    g.page_locale = setup.locale
    refresh()
    return setup


def _may_return_to(url: str) -> None:
    """Lets this page's form end in a redirect to the portal, which may live at another origin."""
    portal = urlsplit(url)
    g.form_origin = f"{portal.scheme}://{portal.netloc}"


@blueprint.get("/cards/<reference>")
@public
def card_page(reference: str) -> ResponseReturnValue:
    setup = _setup(db.session(), reference)
    return _card_page(CardForm(), setup)


@blueprint.post("/cards/<reference>")
@public
def enter_card(reference: str) -> ResponseReturnValue:
    limits.count("card", "number", reference)
    form = CardForm()
    with gateway_transaction(reference) as session:
        setup = _setup(session, reference)
        back = setup.return_url
        if setup.card_token is None:
            if not form.validate():
                for field in (form.number, form.code, form.expiry, form.holder):
                    if field in (form.number, form.code) or field.errors:
                        field.data = ""  # a number, or what may be one, is never written back
                return _card_page(form, setup, 422)
            number = form.number.data or ""
            behaviour, brand = TEST_CARDS[number]
            year, month = form.expires
            card = SandboxCard(
                token=new_id(),
                customer=setup.customer,
                behaviour=behaviour,
                brand=brand,
                last4=number[-4:],
                exp_year=year,
                exp_month=month,
                holder=(form.holder.data or "").strip(),
            )
            session.add(card)
            session.flush()
            setup.card_token = card.token
    return redirect(back, 303)


def _card_page(form: CardForm, setup: SandboxSetup, status: int = 200) -> ResponseReturnValue:
    return render_template("sandbox/card.html", form=form, back=setup.return_url, test_cards=TEST_CARDS), status


@blueprint.get("/challenges/<challenge>")
@public
def challenge_page(challenge: str) -> ResponseReturnValue:
    charge = _charge(db.session(), challenge)
    return render_template("sandbox/challenge.html", charge=charge)


@blueprint.post("/challenges/<challenge>")
@public
def answer_challenge(challenge: str) -> ResponseReturnValue:
    key = _charge(db.session(), challenge).key
    db.session.rollback()
    with gateway_transaction(key) as session:
        charge = _charge(session, challenge)
        back = charge.return_url
        if charge.state == "challenged":
            confirmed = request.form.get("answer") == "confirm"
            charge.state = "captured" if confirmed else "declined"
            charge.captured_at = machine_now() if confirmed else None
            charge.code = None if confirmed else "authentication_failed"
    return redirect(back, 303)


def _charge(session: Session, challenge: str) -> SandboxCharge:
    charge = session.query(SandboxCharge).filter_by(challenge=challenge).one_or_none()
    if charge is None:
        abort(404)
    _may_return_to(charge.return_url)
    return charge
