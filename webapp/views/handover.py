"""Handing the account over, which the owner proposes and a member answers; and leaving the account."""

from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ..access import sessions
from ..access.identity import me, needs, needs_proof
from ..accounts import billing_information
from ..domain.permissions import Procedure, Role
from ..domain.refusals import HandoverOver, OwnerStays
from ..domain.team import HANDOVER_LIFETIME
from ..models.accounts import Member
from ..team import handover, members
from ..words import gettext
from .confirmation import ConfirmForm
from .team import is_billing_email

blueprint = Blueprint("handover", __name__, url_prefix="/team")
needs(Procedure.OWN)(blueprint)


@blueprint.get("/<member>/handover")
@needs(Procedure.TEAM)
def confirm(member: str) -> ResponseReturnValue:
    return _confirm(members.find_member(me().account_id, member), ConfirmForm(formdata=None))


@blueprint.post("/<member>/handover")
@needs(Procedure.TEAM)
def propose(member: str) -> ResponseReturnValue:
    form = ConfirmForm()
    if not form.validate():
        return _confirm(members.find_member(me().account_id, member), form, 422)
    proposed = handover.propose(me(), member)
    flash(gettext("The account has been offered to %(name)s, who was told by e-mail.", name=proposed.name))
    return redirect(url_for("team.page"), 303)


def _confirm(member: Member, form: ConfirmForm, status: int = 200) -> ResponseReturnValue:
    if member.role == Role.OWNER:
        raise OwnerStays()
    return render_template("team/propose.html", member=member, form=form, days=HANDOVER_LIFETIME.days), status


@blueprint.post("/handover/cancel")
@needs(Procedure.TEAM)
def cancel() -> ResponseReturnValue:
    handover.cancel(me())
    flash(gettext("The proposal has been cancelled: you remain the owner."))
    return redirect(url_for("team.page"), 303)


@blueprint.get("/handover")
def page() -> ResponseReturnValue:
    """Where the member answers; the mail leads here."""
    return _answer(ConfirmForm(formdata=None))


@blueprint.post("/handover")
@needs_proof
def answer() -> ResponseReturnValue:
    if request.form.get("answer") == "decline":
        handover.decline(me())
        flash(gettext("You have declined: nothing has changed."))
        return redirect(url_for("subscriptions.index"), 303)
    form = ConfirmForm()
    if not form.validate():
        return _answer(form, 422)
    handover.accept(me())
    flash(gettext("You are now the owner of the account."))
    return redirect(url_for("team.page"), 303)


def _answer(form: ConfirmForm, status: int = 200) -> ResponseReturnValue:
    account = billing_information.account_of(me().account_id)
    proposal = handover.open_proposal(account.id)
    if me().role == Role.OWNER:
        return redirect(url_for("team.page"), 303)
    if proposal is None or proposal.member.id != me().member_id:
        raise HandoverOver()
    owner = members.list_members(account.id)[0]
    zone = ZoneInfo(account.zone)
    return render_template(
        "team/handover.html", proposal=proposal, form=form, owner=owner, account=account, zone=zone
    ), status


@blueprint.get("/leave")
def confirm_leaving() -> ResponseReturnValue:
    return _confirm_leaving(ConfirmForm(formdata=None))


@blueprint.post("/leave")
@needs_proof
def leave() -> ResponseReturnValue:
    form = ConfirmForm()
    if not form.validate():
        return _confirm_leaving(form, 422)
    members.leave(me())
    sessions.end_current()
    flash(gettext("You have left the account and can no longer sign in to it."))
    return redirect(url_for("sign_in.page"), 303)


def _confirm_leaving(form: ConfirmForm, status: int = 200) -> ResponseReturnValue:
    if me().role == Role.OWNER:
        raise OwnerStays()
    is_billed = is_billing_email(me().email, me().account_id)
    return render_template("team/leave.html", form=form, is_billed=is_billed), status
