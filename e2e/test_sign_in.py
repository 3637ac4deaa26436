"""Sign in and out: at an identity provider, and with a password."""

import re
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from json import dumps

import pytest
from playwright.sync_api import expect

from .conftest import Begin
from .matrix import SCRIPTS
from .portal import Sandbox, free_port, running_portal
from .stories import Walk
from .watcher import inspect_screen


@pytest.fixture(scope="module")
def provider() -> Iterator[int]:
    """The port of a running oidc-provider-mock."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="module")
def portal(provider: int) -> Iterator[Sandbox]:
    """A portal that is configured for that provider. It takes longer to start than the provider."""
    issuer = f"http://127.0.0.1:{provider}"
    settings = {
        "OIDC_ISSUER": issuer,
        "OIDC_CLIENT_ID": "portal",
        "OIDC_CLIENT_SECRET": "secret",
        "OIDC_NAME": "Nordlys",
        "LOCAL_PASSWORDS": "1",
    }
    with running_portal(**settings) as running:
        yield running


def confirm_email(provider: int, email: str, *, verified: bool = True) -> None:
    """Makes the provider say this of its user's address."""
    connection = HTTPConnection("127.0.0.1", provider, timeout=10)
    body = dumps({"email": email, "email_verified": verified})
    connection.request("PUT", "/users/camille", body, {"Content-Type": "application/json"})
    assert connection.getresponse().status == 204
    connection.close()


def sign_in_at_provider(walk: Walk) -> None:
    walk.page.goto(f"{walk.sandbox.url}/billing")
    inspect_screen(walk, "Se connecter")
    walk.page.get_by_role("link", name="Nordlys").click()
    walk.page.get_by_placeholder("sub").fill("camille")
    walk.page.get_by_role("button", name="Authorize").click()


@SCRIPTS
def test_an_owner_signs_in_and_out_at_the_provider(begin: Begin, portal: Sandbox, provider: int, scripts: bool) -> None:
    walk = begin("business", portal=portal, scripts=scripts)
    walk.page.context.route(re.compile("^https://"), lambda route: route.fulfill(body=""))  # the provider's style sheet
    walk.account_menu(walk["Sign out"]).click()
    expect(walk.page).to_have_url(re.compile("/sign-in$"))  # a session with a password does not end at the provider
    confirm_email(provider, walk.account["email"])
    sign_in_at_provider(walk)
    expect(walk.page).to_have_url(f"{portal.url}/billing")
    walk.account_menu(walk["Sign out"]).click()
    expect(walk.page).to_have_url(re.compile(f":{provider}/"))
    walk.page.get_by_role("button", name="End session").click()
    expect(walk.page).to_have_url(re.compile(f"^{portal.url}/sign-in"))
    expect(walk.message()).to_contain_text("Vous êtes déconnecté")
    confirm_email(provider, walk.account["email"], verified=False)
    sign_in_at_provider(walk)
    expect(walk.page.get_by_role("alert")).to_contain_text("Votre adresse e-mail n’est pas validée")
    inspect_screen(walk, "Connexion impossible")


def test_sign_out_leaves_nothing_behind(begin: Begin) -> None:
    walk = begin("business")
    walk.page.goto(walk.address("/renew"))
    walk.account_menu(walk["Sign out"]).click()
    expect(walk.message()).to_contain_text("Vous êtes déconnecté.")
    assert walk.page.evaluate("localStorage.length + sessionStorage.length") == 0
    walk.page.go_back()
    expect(walk.page).to_have_url(re.compile("/sign-in"))
