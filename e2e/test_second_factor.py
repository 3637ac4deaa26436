"""Second factors in a browser: an app, passkeys by a virtual authenticator, recovery codes, and proofs."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import create_engine, text

from .conftest import Begin, WalkStory
from .matrix import LANGUAGES, SCRIPTS, Cell, in_the_matrix
from .portal import Sandbox, free_port, running_portal
from .stories import Story, Walk, second_factor
from .stories.second_factor import next_code, set_up_app
from .watcher import inspect_screen, page_faults


@pytest.fixture(scope="module")
def named_portal() -> Iterator[Sandbox]:
    """A portal with a name: browsers accept no passkey for a bare IP address."""
    port = str(free_port())
    with running_portal(PORT=port, PUBLIC_URL=f"http://localhost:{port}") as running:
        running.url = f"http://localhost:{port}"
        yield running


NEVER_OFFERS = "PublicKeyCredential.isConditionalMediationAvailable = async () => false"


def authenticator(page: Page, offers: bool = False, **options: Any) -> None:
    """A virtual one, which needs no touch. `offers`: the browser asks it as soon as a page waits for a passkey."""
    if not offers:
        page.add_init_script(NEVER_OFFERS)
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    kind = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    made = {**kind, "isUserVerified": True, "automaticPresenceSimulation": True, **options}
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": made})


def age_proofs(portal: Sandbox) -> None:
    """As if each session had given its password an hour ago."""
    engine = create_engine(portal.env["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"))
    with closing(engine.connect()) as connection:
        connection.execute(text("UPDATE member_session SET proved_at = '2026-01-01 00:00:00.000000'"))
        connection.commit()
    engine.dispose()


def give_password(walk: Walk) -> None:
    walk.labelled("E-mail").fill(walk.account["email"])
    walk.labelled("Password").fill(walk.account["password"])
    walk.button("Sign in").click()


@in_the_matrix(second_factor.DOCUMENTED)
def test_the_documented_steps(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


@SCRIPTS
@LANGUAGES
def test_a_lost_phone_and_a_recovery_code(begin: Begin, locale: str, scripts: bool) -> None:
    walk = begin("business", locale=locale, scripts=scripts)
    page = walk.page
    set_up_app(walk)
    code = page.get_by_role("listitem").locator("code").first.inner_text()
    inspect_screen(walk, walk.words("Codes de secours", "Recovery codes"))
    with page.expect_download() as file:
        page.get_by_role("link", name=walk.words("Télécharger au format texte", "Download as a text file")).click()
    assert code in file.value.path().read_text()
    walk.account_menu(walk["Sign out"]).click()
    give_password(walk)
    page.get_by_role("link", name=walk.words("Utiliser un code de secours", "Use a recovery code")).click()
    inspect_screen(walk, walk.words("Utiliser un code de secours", "Use a recovery code"))
    field = page.get_by_label(walk.words("Code de secours", "Recovery code"))
    field.fill("wrong")
    walk.button("Sign in").click()
    expect(page.get_by_role("alert")).to_be_focused()
    inspect_screen(walk, walk.words("Utiliser un code de secours", "Use a recovery code"))
    field.fill(code)
    walk.button("Sign in").click()
    expect(walk.message()).to_contain_text(
        walk.words("Il vous reste 9 codes de secours.", "You have 9 recovery codes left.")
    )


@LANGUAGES
def test_a_passkey_is_added_and_signs_in_alone_and_as_a_factor(
    begin: Begin, named_portal: Sandbox, locale: str
) -> None:
    walk = begin("business", portal=named_portal, locale=locale)
    page, add = walk.page, walk.words("Ajouter une clé d’accès", "Add a passkey")
    authenticator(page)
    page.goto(f"{named_portal.url}/second-factor")
    inspect_screen(walk, walk.words("Second facteur", "Second factor"))
    page.get_by_role("button", name=add).click()
    inspect_screen(walk, add)
    page.get_by_label(walk.words("Nom de la clé d’accès", "Name of the passkey")).fill("Laptop")
    page.get_by_role("button", name=walk.words("Créer la clé d’accès", "Create the passkey")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(walk.words("Codes de secours", "Recovery codes"))
    page.get_by_role("link", name=walk.words("Je les ai conservés", "I have kept them")).click()
    expect(page.get_by_role("listitem").filter(has_text="Laptop")).to_be_visible()
    assert page_faults(page) == []
    walk.account_menu(walk["Sign out"]).click()
    assert page_faults(page) == []
    page.get_by_role("button", name=walk.words("Se connecter avec une clé d’accès", "Sign in with a passkey")).click()
    expect(walk.tile()).to_be_visible()
    walk.account_menu(walk["Sign out"]).click()
    give_password(walk)
    inspect_screen(walk, walk.words("Encore une étape", "One more step"))
    page.get_by_role("button", name=walk.words("Utiliser une clé d’accès", "Use a passkey")).click()
    expect(walk.tile()).to_be_visible()


def test_a_browser_offers_a_passkey_beside_the_field_of_the_email(begin: Begin, named_portal: Sandbox) -> None:
    """A virtual authenticator accepts what is offered at once; people choose it in the field's list."""
    walk = begin("business", portal=named_portal)
    page = walk.page
    authenticator(page, offers=True)
    page.goto(f"{named_portal.url}/second-factor/passkeys")
    page.get_by_role("button", name="Créer la clé d’accès").click()
    page.get_by_role("link", name="Je les ai conservés").click()
    with page.expect_request("**/sign-in/passkey"):
        walk.account_menu(walk["Sign out"]).click()
    expect(walk.tile()).to_be_visible()
    stranger = page.context.browser.new_context(java_script_enabled=False).new_page()  # type: ignore[union-attr]
    stranger.goto(f"{named_portal.url}/sign-in")
    expect(stranger.get_by_label("E-mail")).to_have_attribute("autocomplete", "username webauthn")
    expect(stranger.get_by_role("button", name="Se connecter avec une clé d’accès")).to_be_hidden()
    stranger.context.close()


def test_the_button_works_while_a_passkey_is_offered(begin: Begin, named_portal: Sandbox) -> None:
    walk = begin("business", portal=named_portal)
    page = walk.page
    authenticator(page, offers=True, automaticPresenceSimulation=False)
    with page.expect_request("**/passkeys/sign-in"):
        walk.account_menu(walk["Sign out"]).click()
    with page.expect_request("**/passkeys/sign-in"):
        page.get_by_role("button", name="Se connecter avec une clé d’accès").click()
    expect(page.locator("[data-passkey]")).to_have_attribute("aria-busy", "true")
    assert page_faults(page) == []
    give_password(walk)
    expect(walk.tile()).to_be_visible()


def test_who_has_no_passkey_here_is_told_so(begin: Begin, named_portal: Sandbox) -> None:
    walk = begin("business", portal=named_portal)
    page = walk.page
    authenticator(page, isUserVerified=False)
    walk.account_menu(walk["Sign out"]).click()
    page.get_by_role("button", name="Se connecter avec une clé d’accès").click()
    expect(page.get_by_role("alert")).to_contain_text("La clé d’accès n’a pas été utilisée")
    assert page_faults(page) == []


def test_without_scripts_no_page_offers_a_passkey(begin: Begin, named_portal: Sandbox) -> None:
    walk = begin("two-factor", portal=named_portal, scripts=False)
    page = walk.page
    page.goto(f"{named_portal.url}/second-factor/passkeys")
    expect(page.get_by_text("Configurez plutôt une application")).to_be_visible()
    expect(page.get_by_role("button", name="Créer la clé d’accès")).to_have_count(0)
    walk.account_menu(walk["Sign out"]).click()
    expect(page.get_by_role("button", name="Se connecter avec une clé d’accès")).to_have_count(0)


@SCRIPTS
@LANGUAGES
def test_what_was_asked_is_done_after_the_proof(begin: Begin, sandbox: Sandbox, locale: str, scripts: bool) -> None:
    """From a dialog, or from its page without scripts; nothing is typed again."""
    walk = begin("two-factor", locale=locale, scripts=scripts)
    page = walk.page
    page.goto(walk.address("/cancel"))
    age_proofs(sandbox)
    page.get_by_label(walk["I understand"]).check()
    page.get_by_role("dialog").get_by_role("button", name=walk["Confirm"]).click()
    title = walk.words("Confirmez que c’est bien vous", "Confirm that it is you")
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    inspect_screen(walk, title)
    assert walk.subscription()["changes"] == []
    page.get_by_role("textbox", name="Code").fill(next_code(walk.account["totp_secret"]))
    page.get_by_role("button", name=walk.words("Confirmer avec le code", "Confirm with the code")).click()
    expect(walk.message()).to_contain_text(walk.words("annulation", "cancellation request"))
    assert [change["kind"] for change in walk.subscription()["changes"]] == ["cancellation"]
    assert page.get_by_role("dialog").count() == 0


@SCRIPTS
def test_a_card_is_added_after_the_proof(begin: Begin, sandbox: Sandbox, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    page = walk.page
    page.goto(f"{sandbox.url}/billing")
    age_proofs(sandbox)
    walk.button("Add card").click()
    walk.labelled("Password").fill("wrong")
    walk.button("Confirm").click()
    expect(page.get_by_role("alert")).to_contain_text("Ce n’est pas votre mot de passe.")
    walk.labelled("Password").fill(walk.account["password"])
    walk.button("Confirm").click()
    walk.enter_card("5555 5555 5555 4444")
    expect(walk.card("4444")).to_be_visible()


@SCRIPTS
@LANGUAGES
def test_the_owner_requires_a_factor_of_all(begin: Begin, locale: str, scripts: bool) -> None:
    walk = begin("two-factor", locale=locale, scripts=scripts)
    page, title = walk.page, walk.words("Sécurité du compte", "Account security")
    page.goto(f"{walk.sandbox.url}/sessions")
    page.get_by_role("link", name=walk.words("Ouvrir la sécurité du compte", "Open account security")).click()
    inspect_screen(walk, title)
    page.get_by_label(walk.words("Je comprends", "I understand")).check()
    page.get_by_role("button", name=walk.words("Exiger un second facteur", "Require a second factor")).click()
    expect(walk.message()).to_contain_text(walk.words("désormais obligatoire", "is now required"))
    page.get_by_role("textbox", name=walk.words("Limite de dépense", "Spending limit")).fill("1 000")
    page.get_by_role("button", name=walk.words("Enregistrer", "Save")).click()
    expect(walk.message()).to_contain_text(re.compile(r"1.000,00.€|€1,000\.00"))
    inspect_screen(walk, title)


def test_the_secret_is_the_one_of_the_scenario(begin: Begin) -> None:
    walk = begin("two-factor")
    assert re.fullmatch("[A-Z2-7]{32}", walk.account["totp_secret"])
    assert "totp_secret" not in json.dumps(walk.state())
