"""The gateway's pages: the card page and the bank's 3-D Secure page. The portal never sees a card number."""

import re
from datetime import date
from urllib.parse import urlsplit

from flask import Blueprint, abort, g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import refresh
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import Field, StringField
from wtforms.validators import InputRequired, Length, Regexp, StopValidation

from ..access import limits
from ..access.identity import public
from ..adapters.clock import machine_now
from ..db import db, new_id
from ..views.forms import PortalForm
from ..words import gettext, lazy_gettext
from .gateway import TEST_CARDS, gateway_transaction
from .tables import SandboxCard, SandboxCharge, SandboxSetup

blueprint = Blueprint("sandbox_gateway", __name__, url_prefix="/sandbox/gateway")


def _check_name(_form: FlaskForm, field: Field) -> None:
    """Refuses digits of any script, so that nobody stores a card number as a name."""
    name = field.data or ""
    if not name.isprintable() or any(letter.isnumeric() or letter in "<>" for letter in name):
        raise StopValidation(gettext("Enter the name as it appears on the card, without digits."))


def _check_number(_form: FlaskForm, field: Field) -> None:
    field.data = re.sub(r"[ \-]", "", field.data or "")
    if field.data not in TEST_CARDS:
        raise StopValidation(gettext("This is not a test card number: the sandbox accepts only those listed below."))
    if TEST_CARDS[field.data][0] == "refused_at_entry":
        raise StopValidation(gettext("The bank declined this card. Use another one."))


def _check_expiry(form: "CardForm", field: Field) -> None:
    match = re.fullmatch(r"(0[1-9]|1[0-2]) ?/ ?([0-9]{2})", (field.data or "").strip(), re.ASCII)
    if not match:
        raise StopValidation(gettext("Enter the month and year as shown on the card, for example 09/29."))
    form.expires = (2000 + int(match[2]), int(match[1]))
    today: date = machine_now().date()
    if form.expires < (today.year, today.month):
        raise StopValidation(gettext("This card has expired. Use another one."))


class CardForm(PortalForm):
    class Meta:
        csrf = False  # whoever knows the reference in the address may use the form

    expires: tuple[int, int]  # year and month
    number = StringField(
        lazy_gettext("Card number"),
        [InputRequired(lazy_gettext("Enter the card number.")), _check_number],
        render_kw={"autocomplete": "cc-number", "inputmode": "numeric", "maxlength": 23},
    )
    expiry = StringField(
        lazy_gettext("Expiry date"),
        [InputRequired(lazy_gettext("Enter the expiry date.")), _check_expiry],
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
            _check_name,
        ],
        render_kw={"autocomplete": "cc-name", "maxlength": 100},
    )


def _load_setup(session: Session, reference: str) -> SandboxSetup:
    """A visit to the card page, in whose language the page is shown. 404 if there is none."""
    setup = session.get(SandboxSetup, reference)
    if setup is None:
        abort(404)
    _allow_form_redirect_to(setup.return_url)
    g.page_locale = setup.locale
    refresh()
    return setup


def _allow_form_redirect_to(url: str) -> None:
    """Makes the Content-Security-Policy allow this page's form to redirect to the portal, maybe at another origin."""
    portal = urlsplit(url)
    g.form_origin = f"{portal.scheme}://{portal.netloc}"


@blueprint.get("/cards/<reference>")
@public
def card_page(reference: str) -> ResponseReturnValue:
    setup = _load_setup(db.session(), reference)
    return _card_page(CardForm(), setup)


@blueprint.post("/cards/<reference>")
@public
def enter_card(reference: str) -> ResponseReturnValue:
    """Saves the card and returns to the portal. A second submission saves no second card."""
    limits.count(("card", "number", reference))
    form = CardForm()
    with gateway_transaction(reference) as session:
        setup = _load_setup(session, reference)
        back = setup.return_url
        if setup.card_token is None:
            if not form.validate():
                _clear_card_data(form)
                return _card_page(form, setup, 422)
            card = _new_card(form, setup.customer)
            session.add(card)
            session.flush()
            setup.card_token = card.token
    return redirect(back, 303)


def _clear_card_data(form: CardForm) -> None:
    """The page never shows a card number again. A field that was refused may contain one, too."""
    for field in (form.number, form.code, form.expiry, form.holder):
        if field in (form.number, form.code) or field.errors:
            field.data = ""


def _new_card(form: CardForm, customer: str) -> SandboxCard:
    number = form.number.data or ""
    behaviour, brand = TEST_CARDS[number]
    year, month = form.expires
    return SandboxCard(
        token=new_id(),
        customer=customer,
        behaviour=behaviour,
        brand=brand,
        last4=number[-4:],
        exp_year=year,
        exp_month=month,
        holder=(form.holder.data or "").strip(),
    )


def _card_page(form: CardForm, setup: SandboxSetup, status: int = 200) -> ResponseReturnValue:
    return render_template("sandbox/card.html", form=form, back=setup.return_url, test_cards=TEST_CARDS), status


@blueprint.get("/challenges/<challenge>")
@public
def challenge_page(challenge: str) -> ResponseReturnValue:
    charge = _load_charge(db.session(), challenge)
    return render_template("sandbox/challenge.html", charge=charge)


@blueprint.post("/challenges/<challenge>")
@public
def answer_challenge(challenge: str) -> ResponseReturnValue:
    """The owner confirms or refuses the payment at the bank. Only the first answer counts."""
    key = _load_charge(db.session(), challenge).key
    db.session.rollback()
    with gateway_transaction(key) as session:
        charge = _load_charge(session, challenge)
        back = charge.return_url
        if charge.state == "challenged":
            confirmed = request.form.get("answer") == "confirm"
            charge.state = "captured" if confirmed else "declined"
            charge.captured_at = machine_now() if confirmed else None
            charge.code = None if confirmed else "authentication_failed"
    return redirect(back, 303)


def _load_charge(session: Session, challenge: str) -> SandboxCharge:
    charge = session.query(SandboxCharge).filter_by(challenge=challenge).one_or_none()
    if charge is None:
        abort(404)
    _allow_form_redirect_to(charge.return_url)
    return charge
