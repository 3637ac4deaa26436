"""Single sign-on with OpenID Connect: the authorization code flow with PKCE, state and nonce, through Authlib.

No transaction is open during a call to the provider. Only the ID token is stored, with the session, because the
provider asks for it when that session ends.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from flask import Flask, current_app, request, session

from .. import guard
from ..db import db
from ..ports import ports
from ..urls import parsed, public_url

TIMEOUT = 5  # seconds, to connect and between two bytes
SIGN_INS_AT_ONCE = 3  # pending sign-ins of one browser: the session cookie has no room for more
CLOCKS_APART = 60  # seconds
ANY_AGE = str(365 * 24 * 3600)  # seconds: with a `max_age`, the answer must say when the person signed in there
LONGEST_SUBJECT = 255  # characters, by OpenID Connect
STATE = "_state_provider_"
log = logging.getLogger(__name__)


class VerifiedIdentity(NamedTuple):
    """The person whom the provider signed in: its own name for the person, the verified e-mail, the ID token, and the
    page to return to. `is_proof`: the person was asked to sign in anew, and did. `auth_time`: when the person last gave
    a password or factor there, in seconds since 1970; None if the provider does not say."""

    issuer: str
    subject: str
    email: str
    id_token: str
    target: str = ""
    is_proof: bool = False
    auth_time: int | None = None


class SignInRefused(Exception):
    """Nobody was signed in. `reason` is one of:

    - `denied`: the provider, or the person there, refused
    - `stale`: begun in another browser, too long ago, or used before
    - `unverified`: the provider has not verified the e-mail
    - `invalid`: the answer cannot be trusted
    - `unasked`: the provider did not ask the person to sign in anew
    - `late`, `unreachable`: no answer in time, or none
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def init(app: Flask) -> None:
    """Makes the provider's client. Authlib is imported only if a provider is configured: it takes half a second."""
    client = None
    if issuer := app.config["OIDC_ISSUER"]:
        import requests
        from authlib.integrations.flask_client import OAuth

        silence = (requests.Timeout, requests.ConnectionError, requests.HTTPError)
        guard.register(app, guard.PROVIDER, silence, lambda _reason: SignInRefused("unreachable"))

        client = OAuth(app).register(
            "provider",
            client_id=app.config["OIDC_CLIENT_ID"],
            client_secret=app.config["OIDC_CLIENT_SECRET"],
            server_metadata_url=f"{issuer}/.well-known/openid-configuration",
            client_kwargs={"scope": "openid email", "code_challenge_method": "S256", "default_timeout": TIMEOUT},
        )
    app.extensions["sso"] = client


def is_configured() -> bool:
    return current_app.extensions["sso"] is not None


def begin(target: str, again: bool = False, proof: bool = False) -> str:
    """The address of the provider's sign-in page, for a sign-in that returns to the page `target`.

    `again` asks the provider to let the person choose another account; `proof`, to sign the person in anew, now.
    Raises SignInRefused.
    """
    client = current_app.extensions["sso"]
    options = {"prompt": "login"} if again or proof else {}
    options["max_age"] = "0" if proof else ANY_AGE
    with _provider_call():
        _metadata(client)
        authorization = client.create_authorization_url(public_url("sso.callback"), **options)
    pending = sorted((key for key in session if key.startswith(STATE)), key=lambda key: session[key]["exp"])
    for oldest in pending[: -(SIGN_INS_AT_ONCE - 1)]:
        session.pop(oldest)
    proving = {"proof_from": int(ports().clock.system_now().timestamp())} if proof else {}
    client.save_authorize_data(redirect_uri=public_url("sso.callback"), target=target, **proving, **authorization)
    url: str = authorization["url"]
    return url


def complete() -> VerifiedIdentity:
    """Reads the provider's answer in this request. Checks its signature, issuer, audience, nonce and time.

    Raises SignInRefused.
    """
    client = current_app.extensions["sso"]
    state = request.args.get("state")
    pending = client.framework.get_state_data(session, state)
    with _provider_call():
        if "error" in request.args:
            client.framework.clear_state_data(session, state)
        elif pending is None:
            raise SignInRefused("stale")
        else:
            _metadata(client)
        token = client.authorize_access_token()
        claims = token.get("userinfo")
        if claims is None:
            raise SignInRefused("invalid")
        proof_from = (pending or {}).get("proof_from")
        auth_time = claims.get("auth_time")
        if proof_from is not None and not _is_later(auth_time, proof_from):
            raise SignInRefused("unasked")
        subject = claims["sub"]
        if not isinstance(subject, str) or not 1 <= len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
            raise SignInRefused("invalid")
        if "email" not in claims and client.server_metadata.get("userinfo_endpoint"):
            userinfo = client.userinfo(token=token)
            claims = userinfo if userinfo.get("sub") == claims["sub"] else {}
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified") is not True:
        raise SignInRefused("unverified")
    issuer: str = current_app.config["OIDC_ISSUER"]  # the same as in the token, which was checked
    target = (pending or {}).get("target", "")
    known = auth_time if isinstance(auth_time, int) else None
    return VerifiedIdentity(issuer, subject, email, token["id_token"], target, proof_from is not None, known)


def _is_later(auth_time: object, since: int) -> bool:
    """When the provider last asked for the person's password or factor; its clock may be a little behind."""
    return isinstance(auth_time, int) and auth_time >= since - CLOCKS_APART


def end_url(id_token: str) -> str | None:
    """The address where the provider ends its own session; None if it has no such page or does not answer."""
    if not is_configured():
        return None
    client = current_app.extensions["sso"]
    try:
        with _provider_call():
            if not _metadata(client).get("end_session_endpoint"):
                return None
            url: str = client.create_logout_url(
                public_url("sign_in.page"), id_token, state="", client_id=client.client_id
            )["url"]
    except SignInRefused:
        return None
    return url


def check_description() -> None:
    """Asks the provider for its metadata. Raises SignInRefused if it does not answer or its issuer is another."""
    with _provider_call():
        _metadata(current_app.extensions["sso"])


def form_origin() -> str:
    """The provider's origin, for the Content-Security-Policy: the sign-out form leads there. "" without a provider."""
    client = current_app.extensions["sso"]
    if client is None:
        return ""
    address = parsed(client.server_metadata.get("end_session_endpoint") or current_app.config["OIDC_ISSUER"])
    return f"{address.scheme}://{address.netloc}"


def _metadata(client: Any) -> dict[str, Any]:
    """The provider's metadata, fetched once in a process. Raises SignInRefused if its issuer is another."""
    metadata: dict[str, Any] = client.load_server_metadata()
    if str(metadata.get("issuer")).rstrip("/") != current_app.config["OIDC_ISSUER"]:
        client.server_metadata.clear()
        raise SignInRefused("invalid")
    return metadata


@contextmanager
def _provider_call() -> Iterator[None]:
    """Around calls to the provider: ends any transaction first, and turns each fault into SignInRefused."""
    import requests
    from authlib.common.errors import AuthlibBaseError
    from authlib.integrations.base_client.errors import MismatchingStateError, OAuthError
    from joserfc.errors import JoseError

    db.session.rollback()
    try:
        with guard.asking(guard.PROVIDER):
            yield
    except MismatchingStateError as fault:
        raise _log_refusal("stale", fault) from fault
    except OAuthError as fault:
        reason = {"access_denied": "denied", "invalid_grant": "stale"}.get(str(fault.error), "invalid")
        raise _log_refusal(reason, fault) from fault
    except requests.Timeout as fault:
        raise _log_refusal("late", fault) from fault
    except (requests.ConnectionError, requests.HTTPError) as fault:
        raise _log_refusal("unreachable", fault) from fault
    except (AuthlibBaseError, JoseError, requests.RequestException, RuntimeError, ValueError, KeyError) as fault:
        raise _log_refusal("invalid", fault) from fault


def _log_refusal(reason: str, fault: Exception) -> SignInRefused:
    """Logs why a sign-in failed, and returns the exception to raise."""
    log.warning("sign-in by the provider: %s (%s)", reason, type(fault).__name__)
    return SignInRefused(reason)
