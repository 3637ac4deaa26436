"""Single sign-on: OpenID Connect by Authlib, the authorization code with PKCE, state and nonce.

No transaction is open during a call of the provider. Nothing of an answer is kept but the ID token, with the session
that it began, which the provider wants to see at its end.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask import Flask, current_app, request, session

from . import guard
from .db import db
from .mails import public_url

TIMEOUT = 5  # seconds, to connect and between two bytes
TABS = 3  # sign-ins of a browser that may be under way at once: its cookie has room for no more
STATE = "_state_provider_"
log = logging.getLogger(__name__)


class Vouched(NamedTuple):
    """Whom the provider signed in: an e-mail that it verified, and the page to come back to."""

    email: str
    id_token: str
    target: str


class Refused(Exception):
    """Why nobody was signed in: `denied` there, `stale` (begun elsewhere, long ago, or answered before), `unverified`,
    `invalid` (an answer that proves nothing), `late`, `unreachable`."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def init(app: Flask) -> None:
    """Authlib is imported only where a provider is asked: it takes half a second."""
    client = None
    if issuer := app.config["OIDC_ISSUER"]:
        import requests
        from authlib.integrations.flask_client import OAuth

        silence = (requests.Timeout, requests.ConnectionError, requests.HTTPError)
        guard.register(app, guard.PROVIDER, silence, lambda _why: Refused("unreachable"))

        client = OAuth(app).register(
            "provider",
            client_id=app.config["OIDC_CLIENT_ID"],
            client_secret=app.config["OIDC_CLIENT_SECRET"],
            server_metadata_url=f"{issuer}/.well-known/openid-configuration",
            client_kwargs={"scope": "openid email", "code_challenge_method": "S256", "default_timeout": TIMEOUT},
        )
    app.extensions["sso"] = client


def offered() -> bool:
    return current_app.extensions["sso"] is not None


def begin(target: str, again: bool = False) -> str:
    """The provider's page, which comes back to `target`; `again` asks it to let another account be chosen."""
    client = current_app.extensions["sso"]
    asked = {"prompt": "login"} if again else {}
    with _asking():
        _metadata(client)
        made = client.create_authorization_url(public_url("sso.callback"), **asked)
    under_way = sorted((key for key in session if key.startswith(STATE)), key=lambda key: session[key]["exp"])
    for oldest in under_way[: -(TABS - 1)]:
        session.pop(oldest)
    client.save_authorize_data(redirect_uri=public_url("sso.callback"), target=target, **made)
    url: str = made["url"]
    return url


def complete() -> Vouched:
    """What the provider answered to this request, proven: its signature, issuer, audience, nonce and time."""
    client = current_app.extensions["sso"]
    state = request.args.get("state")
    begun = client.framework.get_state_data(session, state)
    with _asking():
        if "error" in request.args:
            client.framework.clear_state_data(session, state)
        elif begun is None:
            raise Refused("stale")
        else:
            _metadata(client)
        token = client.authorize_access_token()
        claims = token.get("userinfo")
        if claims is None:
            raise Refused("invalid")
        if "email" not in claims and client.server_metadata.get("userinfo_endpoint"):
            told = client.userinfo(token=token)
            claims = told if told.get("sub") == claims["sub"] else {}
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified") is not True:
        raise Refused("unverified")
    return Vouched(email, token["id_token"], (begun or {}).get("target", ""))


def end_url(id_token: str) -> str | None:
    """Where the provider ends its own session; None if it has no such page or does not answer."""
    if not offered():
        return None
    client = current_app.extensions["sso"]
    try:
        with _asking():
            if not _metadata(client).get("end_session_endpoint"):
                return None
            url: str = client.create_logout_url(
                public_url("sign_in.page"), id_token, state="", client_id=client.client_id
            )["url"]
    except Refused:
        return None
    return url


def described() -> None:
    """Asks the provider for its description. Raises Refused."""
    with _asking():
        _metadata(current_app.extensions["sso"])


def form_origin() -> str:
    """What a policy must let the form of the sign-out lead to: the provider's page that ends its session."""
    client = current_app.extensions["sso"]
    if client is None:
        return ""
    found = urlsplit(client.server_metadata.get("end_session_endpoint") or current_app.config["OIDC_ISSUER"])
    return f"{found.scheme}://{found.netloc}"


def _metadata(client: Any) -> dict[str, Any]:
    """The provider's description of itself, fetched once in a process; it must be the one that was configured."""
    found: dict[str, Any] = client.load_server_metadata()
    if str(found.get("issuer")).rstrip("/") != current_app.config["OIDC_ISSUER"]:
        client.server_metadata.clear()
        raise Refused("invalid")
    return found


@contextmanager
def _asking() -> Iterator[None]:
    """Calls of the provider: outside any transaction, each fault told as why nobody is signed in."""
    import requests
    from authlib.common.errors import AuthlibBaseError
    from authlib.integrations.base_client.errors import MismatchingStateError, OAuthError
    from joserfc.errors import JoseError

    db.session.rollback()
    try:
        with guard.asking(guard.PROVIDER):
            yield
    except MismatchingStateError as fault:
        raise _refused("stale", fault) from fault
    except OAuthError as fault:
        why = {"access_denied": "denied", "invalid_grant": "stale"}.get(str(fault.error), "invalid")
        raise _refused(why, fault) from fault
    except requests.Timeout as fault:
        raise _refused("late", fault) from fault
    except (requests.ConnectionError, requests.HTTPError) as fault:
        raise _refused("unreachable", fault) from fault
    except (AuthlibBaseError, JoseError, requests.RequestException, RuntimeError, ValueError, KeyError) as fault:
        raise _refused("invalid", fault) from fault


def _refused(why: str, fault: Exception) -> Refused:
    log.warning("sign-in by the provider: %s (%s)", why, type(fault).__name__)
    return Refused(why)
