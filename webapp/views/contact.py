"""Contact the account manager: who that is, and for members who may write, a form and the cases so far."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString
from wtforms import Field, SelectField, TextAreaField
from wtforms.validators import StopValidation

from .. import pasting
from ..access import drafts
from ..access.identity import me, needs
from ..accounts import billing_information, cases
from ..domain.permissions import Procedure
from ..formats import number
from ..sentences.labels import CASE_SUBJECTS
from ..subscriptions import loading
from ..words import gettext, lazy_gettext
from .drafts import restored
from .forms import PortalForm, printable

blueprint = Blueprint("contact", __name__, url_prefix="/contact")
needs(Procedure.CONTACT)(blueprint)
blueprint.context_processor(lambda: {"section": "contact"})
JOINERS = "\u200c\u200d"  # join letters or emoji; they cannot hide text


def _message_limits() -> dict[str, str]:
    return {"least": number(cases.SHORTEST), "most": number(cases.LONGEST)}


def _message_hint() -> str:
    return gettext("%(least)s to %(most)s characters", **_message_limits())


class ContactForm(PortalForm):
    subject = SelectField(lazy_gettext("Subject"), validate_choice=False)
    subscription = SelectField(
        lazy_gettext("Subscription"), description=lazy_gettext("optional"), validate_choice=False
    )
    message = TextAreaField(lazy_gettext("Your message"), description=LazyString(_message_hint), render_kw={"rows": 8})

    def validate_subject(self, field: Field) -> None:
        if field.data not in CASE_SUBJECTS:
            raise StopValidation(gettext("Choose a subject."))

    def validate_message(self, field: Field) -> None:
        if not cases.message_fits(self.text):
            raise StopValidation(gettext("Write a message of %(least)s to %(most)s characters.", **_message_limits()))
        if not printable(self.text, allowed="\n\t" + JOINERS):
            raise StopValidation(gettext("Remove the invisible characters from the message."))

    @property
    def text(self) -> str:
        """The message as it is stored."""
        return pasting.lines(self.message.data)


@blueprint.get("")
@needs(Procedure.SEE)
def page() -> ResponseReturnValue:
    prefilled = {"subject": request.args.get("subject", ""), "subscription": request.args.get("subscription", "")}
    return _page(restored(ContactForm(data=prefilled), "contact"))


@blueprint.get("/<number>")
def case(number: str) -> ResponseReturnValue:
    """A message that was sent to the account manager."""
    found = cases.find_case(me().account_id, number)
    account = billing_information.account_of(me().account_id)
    return render_template("contact/case.html", found=found, account=account, subjects=CASE_SUBJECTS)


@blueprint.post("")
@drafts.keeps("contact", "subject", "subscription", "message")
def send() -> ResponseReturnValue:
    form = ContactForm()
    subscription_id = form.subscription.data or None
    if subscription_id:
        loading.load(me().account_id, subscription_id)
    if not form.validate():
        return _page(form, 422)
    number = cases.open_case(me(), form.subject.data, subscription_id, form.text)
    drafts.forget("contact")
    flash(gettext("Your message has been sent. Your case number is %(number)s.", number=number))
    return redirect(url_for("contact.page"), 303)


def _page(form: ContactForm, status: int = 200) -> ResponseReturnValue:
    subscriptions = loading.load_all(me().account_id)
    form.subject.choices = {"": gettext("Choose…"), **{key: str(words) for key, words in CASE_SUBJECTS.items()}}
    form.subscription.choices = {
        "": gettext("None in particular"),
        **{subscription.id: f"{subscription.product} ({subscription.tenant})" for subscription in subscriptions},
    }
    return render_template(
        "contact/page.html",
        form=form,
        account=billing_information.account_of(me().account_id),
        resold=[subscription for subscription in subscriptions if subscription.reseller],
        cases=cases.cases_of(me().account_id) if me().may(Procedure.CONTACT) else [],
        subjects=CASE_SUBJECTS,
    ), status
