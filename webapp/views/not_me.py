"""« Ce n’était pas moi »: the link in a security mail, whose page ends all access of the member with one button."""

from flask import Blueprint, flash, g, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue

from ..access import limits, provider, sessions
from ..access.identity import public
from ..team import alarm
from ..words import gettext
from .passwords import LINK
from .sso import provider_name

blueprint = Blueprint("not_me", __name__, url_prefix="/not-me")


@blueprint.get("/<token>")
@public
def page(token: str) -> ResponseReturnValue:
    opened = alarm.open_link(token)
    return render_template("not-me/page.html", opened=opened, token=token, name=_provider())


@blueprint.post("/<token>")
@public
def disown(token: str) -> ResponseReturnValue:
    limits.count(("alarm_address", limits.client_address()))
    opened = alarm.open_link(token)
    limits.count(("alarm", opened.member_id))
    done = alarm.disown(token)
    if g.member is None or g.member.member_id == opened.member_id:
        sessions.end_current()
    flash(_what_follows(done))
    if done.reset:
        session[LINK] = done.reset
        return redirect(url_for("passwords.reset_page"), 303)
    return redirect(url_for("sign_in.page"), 303)


def _what_follows(done: alarm.Done) -> str:
    ended = gettext("All sessions of %(email)s have been ended.", email=done.email)
    return f"{ended} {_next_step(done)}"


def _next_step(done: alarm.Done) -> str:
    if done.reset:
        return gettext("Now set a new password: the old one no longer works.")
    if done.mailed:
        return gettext(
            "The password no longer works: we have e-mailed a link to %(email)s to set a new one.", email=done.email
        )
    if done.stuck:
        return gettext(
            "The previous address could not be restored, because somebody else uses it by now: contact your Qlik "
            "account manager."
        )
    return gettext("Change your password at %(name)s, and tell whoever administers it.", name=_provider())


def _provider() -> str:
    return provider_name() if provider.is_configured() else "My Qlik"
