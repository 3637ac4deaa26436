"""« Connexion et sessions »: the owner's sessions, and buttons to end them."""

import json
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from ..access import identity, local_passwords, second_factor, sessions
from ..access.identity import me, needs
from ..accounts import billing_information
from ..domain.permissions import Procedure
from ..ports import ports
from ..team import handover, personal_data
from ..words import gettext

blueprint = Blueprint("sessions", __name__, url_prefix="/sessions")
needs(Procedure.OWN)(blueprint)


@blueprint.get("")
def page() -> ResponseReturnValue:
    return render_template(
        "sessions/page.html",
        sessions=sessions.list_live(me().account_id, me().member_id),
        own=me().session_id,
        zone=ZoneInfo(billing_information.account_of(me().account_id).zone),
        local=local_passwords.are_on(),
        is_offered=_is_offered(),
        factor=second_factor.of_member(me()).any,
    )


def _is_offered() -> bool:
    """Whether the owner has offered the account to this member."""
    proposal = handover.open_proposal(me().account_id)
    return proposal is not None and proposal.member.id == me().member_id


@blueprint.app_template_global()
def warning_seconds() -> int:
    return int(sessions.warning_time().total_seconds())


@blueprint.get("/left")
@identity.public
@identity.passive
def left() -> ResponseReturnValue:
    """How long the session goes on if nothing is done. A script asks before it warns."""
    return {"seconds": g.session_left}


@blueprint.get("/my-data.json")
def my_data() -> ResponseReturnValue:
    """« Télécharger mes données »."""
    content = json.dumps(personal_data.stored_of(me().account_id, me().member_id), ensure_ascii=False, indent=1)
    name = gettext("my-data.json")
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, content_type="application/json", headers=headers)


@blueprint.post("/stay")
def stay() -> ResponseReturnValue:
    """« Rester connecté »."""
    sessions.extend(me().account_id, me().session_id, ports().clock.system_now())
    return "", 204


@blueprint.post("/<session_id>/end")
def end(session_id: str) -> ResponseReturnValue:
    sessions.revoke(me().account_id, me().member_id, session_id)
    flash(gettext("The session has been ended: that browser will have to sign in again."))
    return redirect(url_for("sessions.page"), 303)


@blueprint.post("/end-others")
def end_others() -> ResponseReturnValue:
    sessions.revoke_others(me().account_id, me().member_id, me().session_id)
    flash(gettext("All other sessions have been ended."))
    return redirect(url_for("sessions.page"), 303)
