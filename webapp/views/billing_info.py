"""Modifier les informations de facturation: one form, for every plan."""

import json
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from pydantic import TypeAdapter, ValidationError
from wtforms import Field, HiddenField, SelectField, StringField, TextAreaField
from wtforms.validators import StopValidation

from .. import formats
from ..access import drafts
from ..access.identity import me
from ..accounts import activity, billing_information
from ..addresses import WrongAddress
from ..formats import ngettext
from ..invoices import documents
from ..sentences import edits
from .drafts import restored
from .forms import PortalForm, printable

blueprint = Blueprint("billing_info", __name__, url_prefix="/billing/information")
blueprint.context_processor(lambda: {"section": "billing"})
NOT_LISTED = lazy_gettext("Choose from the list.")
OPENED = TypeAdapter(billing_information.Information)
PRINTED = ("legal_name", "street", "postal_code", "city", "purchase_order")  # on invoices, as they are typed
MOST_NAMED = 20  # characters that one sentence names
LANGUAGES = {"fr": "Français", "en": "English"}


class Text(StringField):
    """A column's text: trimmed, of printable characters, no longer than the column."""

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = billing_information.plain(valuelist[0]) if valuelist else ""

    def pre_validate(self, form: object) -> None:
        text, most = self.data or "", billing_information.LONGEST[self.name]
        if not text and not self.description:
            raise StopValidation(gettext("Fill in this field: %(field)s.", field=self.label.text))
        if not printable(text):
            raise StopValidation(gettext("Remove the line breaks and invisible characters."))
        if most and len(text) > most:
            raise StopValidation(
                ngettext(
                    "%(field)s: use %(n)s character at most.",
                    "%(field)s: use %(n)s characters at most.",
                    most,
                    field=self.label.text,
                )
            )


class Number(Text):
    """Written in groups by people, kept as one."""

    def __init__(self, label: str, signs: str, **given: Any) -> None:
        super().__init__(label, **given)
        self.signs = str.maketrans("", "", signs)

    def process_formdata(self, valuelist: list[str]) -> None:
        super().process_formdata(valuelist)
        self.data = (self.data or "").translate(self.signs).upper()


class InformationForm(PortalForm):
    """A field with a description may stay empty."""

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
    siren = Number("SIREN", " .-", description=lazy_gettext("optional, for France only"))
    vat_number = Number(
        lazy_gettext("VAT number"), " ", description=lazy_gettext("optional, with the country’s letters")
    )
    purchase_order = Text(
        lazy_gettext("Purchase order number"), description=lazy_gettext("optional, shown on invoices")
    )
    billing_emails = TextAreaField(
        lazy_gettext("Billing e-mails"),
        description=lazy_gettext("1 to 10, one per line"),
        render_kw={"rows": 3, "spellcheck": "false", "autocomplete": "off"},
    )
    document_locale = SelectField(  # type: ignore[call-arg]
        lazy_gettext("Language of documents"), choices=LANGUAGES, invalid_choice_message=NOT_LISTED
    )
    opened = HiddenField()  # what the form showed when it was opened, as JSON

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
            raise StopValidation(gettext("Enter 1 to 10 e-mail addresses.")) from None
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
        told = {name: getattr(self, name).data for name in billing_information.Information._fields}
        optional = {name: told[name] or None for name in ("siren", "vat_number", "purchase_order")}
        return billing_information.Information(
            **{**told, **optional, "billing_emails": billing_information.emails(told["billing_emails"])}
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
        changed = billing_information.update_information(me().account_id, form.information(), form.information_opened())
    except billing_information.ChangedMeanwhile as meanwhile:
        return _changed_meanwhile(meanwhile)
    drafts.forget("billing-info")
    if lost := documents.unprintable(form[name].data for name in PRINTED):
        flash(
            gettext(
                "Invoices as PDF cannot show these characters: %(characters)s. "
                "Their electronic data (XML) have them as you typed them.",
                characters=" ".join(lost[:MOST_NAMED]),
            )
        )
    if changed:
        flash(gettext("The information is up to date; future invoices use it."))
    else:
        flash(gettext("Nothing was changed."))
    return redirect(url_for("billing.page"), 303)


def _form(shown: dict[str, Any], opened: billing_information.Information) -> InformationForm:
    emails = "\n".join(shown["billing_emails"])
    return InformationForm(
        formdata=None, data={**shown, "billing_emails": emails, "opened": json.dumps(opened._asdict())}
    )


def _changed_meanwhile(meanwhile: billing_information.ChangedMeanwhile) -> ResponseReturnValue:
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
    return render_template(
        "billing-info/page.html",
        form=form,
        account=account,
        tax=billing_information.tax_terms(account),
        refused=refused,
    ), status
