"""« Modifier les informations de facturation »: the same form for every plan."""

import json
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString
from pydantic import TypeAdapter, ValidationError
from wtforms import Field, HiddenField, SelectField, StringField, TextAreaField
from wtforms.validators import StopValidation

from .. import formats
from ..access import drafts
from ..access.identity import me, needs, needs_proof
from ..accounts import activity, billing_changes, billing_information
from ..addresses import WrongAddress
from ..domain.permissions import Procedure
from ..formats import ngettext
from ..invoices import documents
from ..sentences import edits
from ..words import gettext, lazy_gettext
from .drafts import restored
from .forms import PortalForm, printable

blueprint = Blueprint("billing_info", __name__, url_prefix="/billing/information")
needs(Procedure.BILLING)(blueprint)
needs_proof(blueprint)
blueprint.context_processor(lambda: {"section": "billing"})
NOT_LISTED = lazy_gettext("Choose from the list.")
OPENED = TypeAdapter(billing_information.Information)
PRINTED = ("legal_name", "street", "postal_code", "city", "purchase_order")  # on invoices, as they are typed
MOST_NAMED = 20  # characters that one sentence names
LANGUAGES = {"fr": "Français", "en": "English"}


def _emails_hint() -> str:
    return gettext("1 to %(most)s, one per line", most=billing_information.MAX_EMAILS)


class Text(StringField):
    """A text: trimmed, printable, required unless it has a description, and at most as long as its column."""

    @property
    def longest(self) -> int | None:
        return billing_information.LONGEST[self.name]

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = billing_information.plain(valuelist[0]) if valuelist else ""

    def pre_validate(self, form: object) -> None:
        text, most = self.data or "", self.longest
        if not text and not self.description:
            raise StopValidation(gettext("Fill in this field: %(field)s.", field=self.label.text))
        if not printable(text):
            raise StopValidation(gettext("Remove the line breaks and invisible characters."))
        if most and len(text) > most:
            raise StopValidation(
                ngettext(
                    "%(field)s: enter %(n)s character at most.",
                    "%(field)s: enter %(n)s characters at most.",
                    most,
                    field=self.label.text,
                )
            )


class Number(Text):
    """A number that people write in groups. `clean` removes the characters between them."""

    def __init__(self, label: str, clean: Callable[[str], str], **options: Any) -> None:
        super().__init__(label, **options)
        self.clean = clean

    def process_formdata(self, valuelist: list[str]) -> None:
        super().process_formdata(valuelist)
        self.data = self.clean(self.data or "")


class Siren(Number):
    longest = None  # a wrong number of digits gets the message for wrong digits


class InformationForm(PortalForm):
    """The billing information. A text field with a description is optional."""

    legal_name = Text(lazy_gettext("Legal name"), render_kw={"autocomplete": "organization"})
    street = Text(lazy_gettext("Street"), render_kw={"autocomplete": "address-line1"})
    postal_code = Text(lazy_gettext("Postal code"), render_kw={"autocomplete": "postal-code"})
    city = Text(lazy_gettext("City"), render_kw={"autocomplete": "address-level2"})
    country = SelectField(  # type: ignore[call-arg]
        lazy_gettext("Country"),
        choices=formats.countries,
        invalid_choice_message=NOT_LISTED,
        render_kw={"autocomplete": "country"},
    )
    siren = Siren("SIREN", billing_information.siren_of, description=lazy_gettext("optional, for France only"))
    vat_number = Number(
        lazy_gettext("VAT number"),
        billing_information.vat_number_of,
        description=lazy_gettext("optional, with the country’s letters"),
    )
    purchase_order = Text(
        lazy_gettext("Purchase order number"), description=lazy_gettext("optional, shown on invoices")
    )
    billing_emails = TextAreaField(
        lazy_gettext("Billing e-mails"),
        description=LazyString(_emails_hint),
        render_kw={"rows": 3, "spellcheck": "false", "autocomplete": "off"},
    )
    document_locale = SelectField(  # type: ignore[call-arg]
        lazy_gettext("Language of documents"), choices=LANGUAGES, invalid_choice_message=NOT_LISTED
    )
    opened = HiddenField()  # what the form showed when it was opened, as JSON

    def validate_country(self, field: Field) -> None:
        postal_code = self.postal_code.data or ""
        right = billing_information.misplaced(field.data or "", postal_code)
        if right:
            raise StopValidation(
                gettext(
                    "The postal code %(code)s is in %(country)s: choose %(country)s as the country. "
                    "The tax depends on it.",
                    code=postal_code,
                    country=formats.country(right),
                )
            )

    def validate_siren(self, field: Field) -> None:
        try:
            billing_information.siren(self.country.data or "", field.data)
        except billing_information.WrongDigits:
            raise StopValidation(gettext("This SIREN is not valid: check its nine digits.")) from None

    def validate_vat_number(self, field: Field) -> None:
        country = formats.country(self.country.data or "")
        try:
            billing_information.vat_number(self.country.data or "", field.data)
        except billing_information.WrongDigits:
            raise StopValidation(gettext("This VAT number is not valid: check its digits.")) from None
        except billing_information.WrongCountry as wrong:
            sentence = gettext("This VAT number does not belong to the country chosen (%(country)s).", country=country)
            if wrong.prefix:
                sentence += " " + gettext("There, it starts with %(prefix)s.", prefix=wrong.prefix)
            raise StopValidation(sentence) from None

    def validate_billing_emails(self, field: Field) -> None:
        try:
            billing_information.emails(field.data or "")
        except billing_information.WrongEmailCount:
            most = billing_information.MAX_EMAILS
            raise StopValidation(gettext("Enter 1 to %(most)s e-mail addresses.", most=most)) from None
        except WrongAddress as wrong:
            shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in wrong.text[:60])
            if wrong.accented:
                sentence = gettext(
                    "We cannot send mail to “%(address)s”: before the @, use letters without accents.", address=shown
                )
            else:
                sentence = gettext("“%(address)s” is not an e-mail address.", address=shown)
            raise StopValidation(sentence) from None

    def information_opened(self) -> billing_information.Information | None:
        """What the form showed when it was opened; None if an old page or a program does not say it."""
        try:
            return OPENED.validate_json(self.opened.data or "")
        except ValidationError:
            return None

    def information(self) -> billing_information.Information:
        """The validated values. Empty optional fields are None."""
        values = {name: getattr(self, name).data for name in billing_information.Information._fields}
        optional = {name: values[name] or None for name in ("siren", "vat_number", "purchase_order")}
        return billing_information.Information(
            **{**values, **optional, "billing_emails": billing_information.emails(values["billing_emails"])}
        )


@blueprint.get("")
def page() -> ResponseReturnValue:
    saved = billing_information.information_of(billing_information.account_of(me().account_id))
    return _page(restored(_form(saved._asdict(), saved), "billing-info"))


@blueprint.post("")
@drafts.keeps("billing-info", "opened", *billing_information.Information._fields)
def save() -> ResponseReturnValue:
    form = InformationForm()
    if not form.validate():
        return _page(form, 422)
    try:
        saved = billing_changes.update_information(me().account_id, form.information(), form.information_opened())
    except billing_changes.ChangedMeanwhile as meanwhile:
        return _changed_meanwhile(meanwhile)
    drafts.forget("billing-info")
    if lost := documents.unprintable(form[name].data for name in PRINTED):
        flash(
            gettext(
                "PDF invoices cannot show these characters: %(characters)s. The electronic data (XML) contain "
                "them as you typed them.",
                characters=" ".join(lost[:MOST_NAMED]),
            )
        )
    if not saved.changed:
        flash(gettext("Nothing was changed."))
    elif saved.payment_pending:
        flash(
            gettext(
                "Your information has been updated. The invoice for the payment in progress keeps the previous details."
            )
        )
    else:
        flash(gettext("Your information has been updated and will appear on future invoices."))
    return redirect(url_for("billing.page"), 303)


def _form(shown: dict[str, Any], opened: billing_information.Information) -> InformationForm:
    emails = "\n".join(shown["billing_emails"])
    return InformationForm(
        formdata=None, data={**shown, "billing_emails": emails, "opened": json.dumps(opened._asdict())}
    )


def _changed_meanwhile(meanwhile: billing_changes.ChangedMeanwhile) -> ResponseReturnValue:
    """The form again, with both values at each field that both changed. Sent again, it is saved as it is."""
    form = _form(meanwhile.merged, meanwhile.saved)
    zone = ZoneInfo(billing_information.account_of(me().account_id).zone)
    changes = activity.last_changes(me().account_id, "billing_information_changed", meanwhile.clashes)
    for name in meanwhile.clashes:
        value = _shown(name, getattr(meanwhile.saved, name))
        form[name].errors = [edits.saved_meanwhile(form[name].label.text, value, changes.get(name), zone)]
    return _page(form, 409, refused=edits.changed_meanwhile())


def _shown(name: str, value: Any) -> str:
    """A value as the form names it."""
    if name == "country":
        return formats.country(value)
    if name == "document_locale":
        return LANGUAGES[value]
    return ", ".join(value) if name == "billing_emails" else value or ""


def _page(form: InformationForm, status: int = 200, refused: str = "") -> ResponseReturnValue:
    account = billing_information.account_of(me().account_id)
    country = form.country.data if form.country.data in formats.countries() else account.country
    taxed = billing_information.taxed(account, country, form.vat_number.data or "")
    return render_template("billing-info/page.html", form=form, taxed=taxed, refused=refused), status
