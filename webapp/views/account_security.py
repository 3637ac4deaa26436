"""« Sécurité du compte », the owner's: a second factor for all, members who have lost theirs, the spending limit."""

import re

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import StringField
from wtforms.validators import StopValidation

from .. import pasting
from ..access import account_rules, second_factor
from ..access.identity import me, needs
from ..domain.permissions import Procedure
from ..formats import money, ngettext
from ..words import gettext, lazy_gettext
from .confirmation import ConfirmForm
from .forms import PortalForm

blueprint = Blueprint("account_security", __name__)
needs(Procedure.TEAM)(blueprint)
AMOUNT = re.compile(r"([0-9]{1,9})(?:[.,]([0-9]{1,2}))?", re.ASCII)


class LimitForm(PortalForm):
    limit = StringField(
        lazy_gettext("Spending limit"),
        description=lazy_gettext("in euros, tax included; empty for none"),
        filters=[pasting.trimmed],
        render_kw={"autocomplete": "off", "inputmode": "decimal"},
    )

    def validate_limit(self, field: StringField) -> None:
        if self.text and not AMOUNT.fullmatch(self.text):
            raise StopValidation(gettext("Enter an amount in euros, such as 500, or nothing."))

    @property
    def text(self) -> str:
        return re.sub(r"[\s€]", "", self.limit.data or "")

    @property
    def cents(self) -> int | None:
        """After validation; None for no limit."""
        found = AMOUNT.fullmatch(self.text)
        return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0")) if found else None


@blueprint.get("/account-security")
def page() -> ResponseReturnValue:
    return _page(_limit_form())


def _limit_form() -> LimitForm:
    limit = account_rules.rules_of(me().account_id).spending_limit
    shown = "" if limit is None else f"{limit // 100}" + (f",{limit % 100:02d}" if limit % 100 else "")
    return LimitForm(formdata=None, data={"limit": shown})


@blueprint.post("/account-security/second-factor")
def require_factor() -> ResponseReturnValue:
    """Requiring one asks for « Je comprends », since it stops those who have none."""
    required, form = request.form.get("required") == "yes", ConfirmForm()
    if required and not form.validate():
        return _page(_limit_form(), 422, form)
    if account_rules.require_factor(me().account_id, required):
        flash(_what_follows(required))
    return redirect(url_for("account_security.page"), 303)


def _what_follows(required: bool) -> str:
    if not required:
        return gettext("A second factor is no longer required.")
    without = sum(not member.has_factor and not member.bound for member in account_rules.members_of(me().account_id))
    if not without:
        return gettext("A second factor is now required. Every member has one.")
    return ngettext(
        "A second factor is now required. %(n)s member has none yet: we have asked them by e-mail to set one up.",
        "A second factor is now required. %(n)s members have none yet: we have asked them by e-mail to set one up.",
        without,
    )


@blueprint.post("/account-security/spending-limit")
def set_limit() -> ResponseReturnValue:
    form = LimitForm()
    if not form.validate():
        return _page(form, 422)
    if not account_rules.set_spending_limit(me().account_id, form.cents):
        flash(gettext("Nothing was changed."))
    elif form.cents is None:
        flash(gettext("There is no spending limit any more."))
    else:
        flash(gettext("The spending limit is now %(amount)s.", amount=money(form.cents)))
    return redirect(url_for("account_security.page"), 303)


@blueprint.get("/team/<member_id>/reset-factor")
def confirm_reset(member_id: str) -> ResponseReturnValue:
    member = account_rules.find_member(me().account_id, member_id)
    return render_template("account-security/reset.html", member=member)


@blueprint.post("/team/<member_id>/reset-factor")
def reset(member_id: str) -> ResponseReturnValue:
    """The owner's own factors are not reset here: they are removed under « Connexion et sessions »."""
    member = account_rules.find_member(me().account_id, member_id)
    if member_id == me().member_id:
        return redirect(url_for("second_factor.page"), 303)
    name = member.name
    second_factor.reset(me().account_id, member_id, me().name)
    flash(gettext("The second factor of %(name)s has been reset. We have told them by e-mail.", name=name))
    return redirect(url_for("account_security.page"), 303)


def _page(form: LimitForm, status: int = 200, consent: ConfirmForm | None = None) -> ResponseReturnValue:
    return render_template(
        "account-security/page.html",
        form=form,
        consent=consent or ConfirmForm(formdata=None),
        rules=account_rules.rules_of(me().account_id),
        members=account_rules.members_of(me().account_id),
    ), status
