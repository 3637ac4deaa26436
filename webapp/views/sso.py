"""Sign-in through the organisation's identity provider: the redirect to it and the return from it."""

from flask import Blueprint, abort, current_app, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from .. import urls
from ..access import identity, provider, sign_in, step_up
from ..access.identity import needs
from ..domain.permissions import Procedure
from ..team import invitations
from ..words import gettext
from .invitations import LINK

blueprint = Blueprint("sso", __name__, url_prefix="/sign-in/provider")
STATUSES = {  # by reason of provider.SignInRefused; or an outcome of sign_in.sign_in_as
    "denied": 403,
    "stale": 400,
    "unverified": 403,
    "unknown": 403,
    "another": 403,
    "deactivated": 403,
    "uninvited": 403,
    "unasked": 403,
    "invalid": 502,
    "unreachable": 503,
    "late": 504,
}


@blueprint.before_request
def _require_provider() -> None:
    if not provider.is_configured():
        abort(404)


@blueprint.app_template_global()
def provider_name() -> str:
    return str(current_app.config["OIDC_NAME"])


@blueprint.get("")
@identity.public
def begin() -> ResponseReturnValue:
    target = urls.safe_next(request.args.get("next"))
    try:
        return redirect(provider.begin(target, again="again" in request.args), 303)
    except provider.SignInRefused as refusal:
        return refused(refusal.reason)


@blueprint.get("/callback")
@identity.public
def callback() -> ResponseReturnValue:
    """The return from the provider. For a person who is no owner nothing is stored."""
    if request.method == "HEAD":
        abort(405)
    try:
        identified = provider.complete()
    except provider.SignInRefused as refusal:
        return refused(refusal.reason)
    if identified.is_proof:
        return _proved(identified)
    outcome = sign_in.sign_in_as(identified)
    token = session.pop(LINK, "")
    if outcome == "unknown" and token:
        if not invitations.accept_identified(token, identified):
            return refused("uninvited", identified.email)
        outcome = sign_in.sign_in_as(identified)
    if outcome != "signed_in":
        return refused(outcome, identified.email)
    return redirect(urls.safe_next(identified.target), 303)


@blueprint.get("/again")
@needs(Procedure.OWN)
def again() -> ResponseReturnValue:
    """To the provider, which asks the member to sign in anew, and back to the form that waits for this."""
    try:
        return redirect(provider.begin(urls.safe_next(request.args.get("next")), proof=True), 303)
    except provider.SignInRefused as refusal:
        return refused(refusal.reason)


def _proved(identified: provider.VerifiedIdentity) -> ResponseReturnValue:
    """The person signed in anew. It starts no session: whose session has ended meanwhile signs in first."""
    target = urls.safe_next(identified.target)
    if g.member is None:
        return redirect(url_for("sign_in.page", next=target), 303)
    if not step_up.by_provider(g.member, identified):
        return refused("another", identified.email)
    return redirect(target, 303)


def refused(reason: str, email: str = "") -> tuple[str, int]:
    """The page that says why nobody was signed in, and its status."""
    sign_in.log_refused(reason)
    name = provider_name()
    sentences = {
        "denied": gettext("%(name)s did not sign you in: the request was declined or cancelled there.", name=name),
        "stale": gettext(
            "This sign-in has expired: it was started too long ago or in another browser, or has already been used."
        ),
        "unverified": gettext(
            "%(name)s has not verified your e-mail address. Verify it there, or ask whoever administers it in "
            "your organisation, then sign in again.",
            name=name,
        ),
        "unknown": gettext(
            "%(email)s does not give access to any My Qlik account. If you have another address, sign in with that "
            "one. To get access, contact your organisation’s service account owner or your Qlik account manager.",
            email=email,
        ),
        "another": gettext(
            "The e-mail address %(email)s is already linked here to a different %(name)s identity. If it is yours, "
            "ask whoever administers this portal to restore your access.",
            name=name,
            email=email,
        ),
        "deactivated": g.get("deactivated", ""),
        "uninvited": gettext(
            "The invitation is not for %(email)s. Sign in with %(name)s using the address that was invited.",
            name=name,
            email=email,
        ),
        "unasked": gettext(
            "%(name)s did not ask you to sign in again, so we could not confirm that it is you. Nothing was changed. "
            "Tell whoever administers it.",
            name=name,
        ),
        "invalid": gettext(
            "We could not verify the response from %(name)s. Try again; if the problem persists, tell whoever "
            "administers it.",
            name=name,
        ),
        "unreachable": gettext("%(name)s is not responding. Try again in a moment.", name=name),
        "late": gettext("%(name)s took too long to respond. Try again in a moment.", name=name),
    }
    page = render_template(
        "sso/refused.html",
        sentence=sentences[reason],
        other=reason in ("unknown", "deactivated", "uninvited", "unverified", "denied"),
        target=request.args.get("next"),
    )
    return page, STATUSES[reason]
