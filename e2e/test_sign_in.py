"""Sign-in in a real browser: by a provider, by a link that is mailed, and the sessions that an owner sees."""

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
from .watcher import cut, violations

NEW = "quatre mots bien longs"


@pytest.fixture(scope="module")
def provider() -> Iterator[int]:
    """oidc-provider-mock on this port of loopback."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield port
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="module")
def portal(provider: int) -> Iterator[Sandbox]:
    """A portal of its own, which knows that provider; it takes longer to start than the provider does."""
    issuer = f"http://127.0.0.1:{provider}"
    settings = {
        "OIDC_ISSUER": issuer,
        "OIDC_CLIENT_ID": "portal",
        "OIDC_CLIENT_SECRET": "secret",
        "OIDC_NAME": "Nordlys",
    }
    with running_portal(**settings) as found:
        yield found


def vouch(provider: int, email: str, *, verified: bool = True) -> None:
    connection = HTTPConnection("127.0.0.1", provider, timeout=10)
    body = dumps({"email": email, "email_verified": verified})
    connection.request("PUT", "/users/camille", body, {"Content-Type": "application/json"})
    assert connection.getresponse().status == 204
    connection.close()


def sound(walk: Walk, heading: str) -> None:
    """As the matrix looks at a screen, once its heading is there: axe where it can run, and widths, at 320 px too."""
    expect(walk.page.get_by_role("heading", level=1)).to_have_text(heading)
    if walk.scripts:
        assert violations(walk.page) == []
    assert cut(walk.page) == []
    walk.page.set_viewport_size({"width": 320, "height": 800})
    assert cut(walk.page) == []
    walk.page.set_viewport_size({"width": 1280, "height": 800})


def by_provider(walk: Walk) -> None:
    walk.page.goto(f"{walk.sandbox.url}/billing")
    sound(walk, "Se connecter")
    walk.page.get_by_role("link", name="Nordlys").click()
    walk.page.get_by_placeholder("sub").fill("camille")
    walk.page.get_by_role("button", name="Authorize").click()


@SCRIPTS
def test_an_owner_signs_in_and_out_at_the_provider(begin: Begin, portal: Sandbox, provider: int, scripts: bool) -> None:
    walk = begin("business", portal=portal, scripts=scripts)
    walk.page.context.route(re.compile("^https://"), lambda route: route.fulfill(body=""))  # the provider's style sheet
    walk.button("Sign out").click()
    expect(walk.page).to_have_url(re.compile("/sign-in$"))  # a password's session is none of the provider's
    vouch(provider, walk.account["email"])
    by_provider(walk)
    expect(walk.page).to_have_url(f"{portal.url}/billing")
    walk.button("Sign out").click()
    expect(walk.page).to_have_url(re.compile(f":{provider}/"))
    walk.page.get_by_role("button", name="End session").click()
    expect(walk.page).to_have_url(re.compile(f"^{portal.url}/sign-in"))
    expect(walk.page.get_by_role("status").first).to_contain_text("Vous êtes déconnecté")
    vouch(provider, walk.account["email"], verified=False)
    by_provider(walk)
    expect(walk.page.get_by_role("alert")).to_contain_text("ne confirme pas que votre adresse e-mail est bien la vôtre")
    sound(walk, "Connexion impossible")


@SCRIPTS
def test_a_forgotten_password_is_set_anew_by_the_link_in_the_mail(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    page = walk.page
    walk.button("Sign out").click()
    page.get_by_role("link", name="Mot de passe oublié").click()
    sound(walk, "Mot de passe oublié")
    walk.labelled("E-mail").fill(walk.account["email"])
    page.get_by_role("button", name="Envoyer le lien").click()
    expect(page.get_by_role("status").first).to_contain_text("un e-mail contenant un lien est en route")
    link = re.search(r"/password/reset/\S+", walk.state()["messages"][-1]["text"])
    assert link
    page.goto(walk.sandbox.url + link[0])
    expect(page).to_have_url(f"{walk.sandbox.url}/password/reset")
    page.get_by_label("Nouveau mot de passe 12").fill("court")
    page.get_by_role("button", name="Définir le mot de passe").click()
    expect(page.get_by_role("alert")).to_contain_text("Saisissez au moins 12 caractères.")
    sound(walk, "Définir un nouveau mot de passe")
    page.get_by_label("Nouveau mot de passe 12").fill(NEW)
    page.get_by_label("Nouveau mot de passe, à nouveau").fill(NEW)
    page.keyboard.press("Enter")
    walk.labelled("E-mail").fill(walk.account["email"])
    walk.labelled("Password").fill(NEW)
    walk.button("Sign in").click()
    expect(walk.tile()).to_be_visible()


@SCRIPTS
def test_a_session_elsewhere_is_seen_and_ended(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    elsewhere = begin("business", scripts=scripts)
    elsewhere.account = walk.account
    elsewhere.page.context.clear_cookies()
    elsewhere.sign_in()
    walk.page.get_by_role("link", name="Sessions").click()
    listed = walk.page.get_by_role("region", name="Vos sessions ouvertes").get_by_role("listitem")
    expect(listed).to_have_count(2)
    sound(walk, "Connexion et sessions")
    listed.get_by_role("button", name="Fermer cette session").click()
    expect(listed).to_have_count(1)
    expect(walk.page.get_by_role("status").first).to_contain_text("La session est fermée")
    elsewhere.page.reload()
    expect(elsewhere.page.get_by_role("status").first).to_contain_text("fermée depuis une autre de vos sessions")
    elsewhere.page.context.close()
    walk.page.get_by_role("link", name="Modifier le mot de passe").click()
    sound(walk, "Modifier le mot de passe")
