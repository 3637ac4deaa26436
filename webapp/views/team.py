"""« Équipe »: the members of the account, and what its owner does with them."""

from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import EmailField, Field, HiddenField, StringField
from wtforms.validators import InputRequired, ValidationError

from .. import pasting
from ..access.identity import me, needs
from ..accounts import billing_information
from ..domain.permissions import INVITABLE, Procedure, Role
from ..domain.refusals import AddressTaken, AlreadyMember, OwnerStays
from ..models.accounts import Member
from ..ports import ports
from ..sentences.labels import ROLE_WORDS, ROLES
from ..sentences.refusals import explain
from ..team import handover, invitations, members
from ..words import gettext, lazy_gettext
from .confirmation import ConfirmForm
from .forms import PortalForm, check_email

blueprint = Blueprint("team", __name__, url_prefix="/team")
needs(Procedure.TEAM)(blueprint)
blueprint.add_app_template_global(lambda role: ROLES[role], "role_name")
CHOICES = [(role.value, ROLES[role]) for role in INVITABLE]


class InvitationForm(PortalForm):
    email = EmailField(
        lazy_gettext("E-mail"),
        [InputRequired(lazy_gettext("Enter an e-mail address."))],
        filters=[pasting.trimmed],
        render_kw={"autocomplete": "off", "maxlength": 254},
    )
    role = StringField(lazy_gettext("Role"))

    def validate_email(self, field: Field) -> None:
        check_email(field)

    def validate_role(self, field: Field) -> None:
        if field.data not in INVITABLE:
            raise ValidationError(gettext("Choose a role."))


class RoleForm(PortalForm):
    role = StringField(lazy_gettext("Role"))
    shown = HiddenField()  # the role that the page showed

    def validate_role(self, field: Field) -> None:
        if field.data not in INVITABLE:
            raise ValidationError(gettext("Choose a role."))


@blueprint.get("")
def page() -> ResponseReturnValue:
    return _page(InvitationForm())


@blueprint.post("")
def invite() -> ResponseReturnValue:
    form = InvitationForm()
    if not form.validate():
        return _page(form, 422)
    try:
        invitations.invite(me(), form.email.data or "", Role(form.role.data or ""))
    except (AlreadyMember, AddressTaken) as refusal:
        form.email.errors = [explain(refusal).sentence]
        return _page(form, 422)
    flash(gettext("The invitation has been sent to %(email)s.", email=form.email.data))
    return redirect(url_for("team.page"), 303)


@blueprint.post("/invitations/<invitation_id>/send")
def send_again(invitation_id: str) -> ResponseReturnValue:
    invitation = invitations.send_again(me(), invitation_id)
    flash(gettext("The invitation has been sent to %(email)s.", email=invitation.email))
    return redirect(url_for("team.page"), 303)


@blueprint.post("/invitations/<invitation_id>/withdraw")
def withdraw(invitation_id: str) -> ResponseReturnValue:
    invitation = invitations.withdraw(me(), invitation_id)
    flash(gettext("The invitation of %(email)s has been withdrawn.", email=invitation.email))
    return redirect(url_for("team.page"), 303)


@blueprint.post("/<member>/role")
def role(member: str) -> ResponseReturnValue:
    form = RoleForm()
    if not form.validate():
        members.find_member(me().account_id, member)
        return _page(InvitationForm(formdata=None), 422, gettext("Choose a role."))
    changed = members.change_role(me(), member, Role(form.role.data or ""), form.shown.data or "")
    flash(gettext("%(name)s: the role is now %(role)s.", name=changed.name, role=ROLES[changed.role]))
    return redirect(url_for("team.page"), 303)


@blueprint.get("/<member>/remove")
def confirm_removal(member: str) -> ResponseReturnValue:
    return _confirm_removal(_other_member(member), ConfirmForm(formdata=None))


@blueprint.post("/<member>/remove")
def remove(member: str) -> ResponseReturnValue:
    form = ConfirmForm()
    if not form.validate():
        return _confirm_removal(_other_member(member), form, 422)
    removed = members.remove(me(), member)
    flash(gettext("%(name)s is no longer a member of the team.", name=removed.name))
    return redirect(url_for("team.page"), 303)


def _confirm_removal(member: Member, form: ConfirmForm, status: int = 200) -> ResponseReturnValue:
    is_billed = is_billing_email(member.email, me().account_id)
    return render_template("team/remove.html", member=member, form=form, is_billed=is_billed), status


def is_billing_email(email: str, account_id: str) -> bool:
    emails = billing_information.account_of(account_id).billing_emails
    return email in (address.casefold() for address in emails)


def _other_member(member_id: str) -> Member:
    """Raises NotFound, or OwnerStays for the owner."""
    member = members.find_member(me().account_id, member_id)
    if member.role == Role.OWNER:
        raise OwnerStays()
    return member


def _page(form: InvitationForm, status: int = 200, refused: str = "") -> ResponseReturnValue:
    account = billing_information.account_of(me().account_id)
    page = render_template(
        "team/page.html",
        form=form,
        refused=refused,
        members=members.list_members(account.id),
        invitations=invitations.list_pending(account.id),
        ends_at=invitations.ends_at,
        proposal=handover.open_proposal(account.id),
        now=ports().clock.now(account),
        zone=ZoneInfo(account.zone),
        choices=CHOICES,
        role_words=ROLE_WORDS,
        account=account,
    )
    return page, status
