"""Sign-in through the organisation's identity provider: the redirect to it and the return from it."""

from flask import Blueprint, abort, current_app, redirect, render_template, request
from flask.typing import ResponseReturnValue

from .. import urls
from ..access import identity, provider, sign_in
from ..words import gettext

blueprint = Blueprint("sso", __name__, url_prefix="/sign-in/provider")
STATUSES = {  # by reason of provider.SignInRefused; or an outcome of sign_in.sign_in_as
    "denied": 403,
    "stale": 400,
    "unverified": 403,
    "unknown": 403,
    "another": 403,
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
    outcome = sign_in.sign_in_as(identified)
    if outcome != "signed_in":
        return refused(outcome, identified.email)
    return redirect(urls.safe_next(identified.target), 303)


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
            "%(email)s is not the e-mail address of a service account owner. If you have another account, sign "
            "in with that one. To become an owner, contact your organisation’s service account owner or your "
            "Qlik account manager.",
            email=email,
        ),
        "another": gettext(
            "The owner with the e-mail address %(email)s signs in here with a different %(name)s identity. If "
            "you are that owner, ask whoever administers this portal to restore your access.",
            name=name,
            email=email,
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
        other=reason in ("unknown", "unverified", "denied"),
        target=request.args.get("next"),
    )
    return page, STATUSES[reason]
