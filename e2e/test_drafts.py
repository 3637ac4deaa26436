"""What was typed is not lost: the warning before a session ends, signing in again, and the other language."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import create_engine, text

from .conftest import Begin
from .matrix import SCRIPTS
from .stories import Walk
from .watcher import violations

MESSAGE = "Nous serons 300 à partir de mars."


def leave_idle(walk: Walk, minutes: int) -> None:
    """The account's sessions were last used so many minutes ago."""
    engine = create_engine(walk.sandbox.env["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:"))
    seen = datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=minutes)
    owners = "SELECT id FROM member WHERE account_id = :account"
    with engine.begin() as connection:
        connection.execute(
            text(f"UPDATE member_session SET last_seen_at = :seen WHERE member_id IN ({owners})"),
            {"seen": seen, "account": walk.account["account"]},
        )
    engine.dispose()


def sign_in_again(walk: Walk) -> None:
    walk.labelled("E-mail").fill(walk.account["email"])
    walk.labelled("Password").fill(walk.account["password"])
    walk.button("Sign in").click()


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_the_owner_is_warned_and_stays_with_one_key(begin: Begin, locale: str) -> None:
    walk = begin("business", locale=locale)
    page = walk.page
    page.clock.install()
    page.goto(f"{walk.sandbox.url}/contact")
    field = page.get_by_role("textbox")
    field.fill(MESSAGE)
    leave_idle(walk, 56)
    warned = page.get_by_role("alertdialog", name=walk.words("Êtes-vous toujours là\u00a0?", "Are you still there?"))
    expect(warned).to_have_count(0)
    page.clock.fast_forward("55:01")
    expect(warned).to_be_visible()
    expect(warned).to_have_accessible_description(
        walk.words(
            "Vous n’avez pas utilisé le portail depuis un moment\u00a0: "
            "votre session prend fin dans moins de 5 minutes.",
            "You have not used the portal for a while: your session will end in less than 5 minutes.",
        )
    )
    expect(warned.get_by_role("button", name=walk.words("Rester connecté", "Stay signed in"))).to_be_focused()
    assert violations(page) == []
    page.keyboard.press("Enter")
    expect(warned).to_have_count(0)
    expect(field).to_be_focused()
    expect(field).to_have_value(MESSAGE)
    assert page.request.get(f"{walk.sandbox.url}/sessions/left").json()["seconds"] > 3500
    page.clock.fast_forward("54:00")
    expect(warned).to_have_count(0)


def test_another_tab_in_use_keeps_the_warning_away(begin: Begin) -> None:
    walk = begin("business")
    page = walk.page
    page.clock.install()
    page.goto(f"{walk.sandbox.url}/contact")
    with page.expect_response("**/sessions/left") as asked:
        page.clock.fast_forward("55:01")
    assert asked.value.json()["seconds"] > 3500
    expect(page.get_by_role("alertdialog")).to_have_count(0)


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_a_session_that_ended_gives_the_message_back(begin: Begin, locale: str) -> None:
    walk = begin("business", locale=locale)
    page = walk.page
    page.clock.install()
    page.goto(f"{walk.sandbox.url}/contact")
    page.get_by_role("textbox").fill(MESSAGE)
    leave_idle(walk, 61)
    page.clock.fast_forward("55:01")
    ended = page.get_by_role("alertdialog")
    expect(ended).to_contain_text(walk.words("votre saisie a été conservée", "we have kept what you typed"))
    assert violations(page) == []
    page.keyboard.press("Enter")
    sign_in_again(walk)
    expect(page.get_by_role("textbox")).to_have_value(MESSAGE)
    expect(
        page.get_by_text(walk.words("Votre saisie a été restaurée", "We have restored what you typed"))
    ).to_be_visible()
    assert violations(page) == []
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


@SCRIPTS
def test_a_message_sent_too_late_comes_back_and_can_be_sent(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    page = walk.page
    page.goto(f"{walk.sandbox.url}/contact")
    page.get_by_role("textbox").fill(MESSAGE)
    page.get_by_label("Objet").select_option("change")
    leave_idle(walk, 61)
    page.get_by_role("button", name="Envoyer", exact=True).click()
    expect(walk.message()).to_contain_text("rien n’a été envoyé ni modifié. Vous retrouverez votre saisie")
    sign_in_again(walk)
    expect(page.get_by_role("textbox")).to_have_value(MESSAGE)
    page.get_by_role("button", name="Envoyer", exact=True).click()
    expect(walk.message()).to_contain_text("Votre message a été envoyé")
    expect(page.get_by_role("textbox")).to_have_value("")


@SCRIPTS
def test_the_other_language_keeps_what_was_typed(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    page = walk.page
    page.goto(f"{walk.sandbox.url}/contact")
    page.get_by_role("textbox").fill(MESSAGE)
    walk.account_menu("English").click()
    expect(page.get_by_role("textbox")).to_have_value(MESSAGE)
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_role("textbox")).to_have_value("")
    page.goto(f"{walk.sandbox.url}/billing/information")
    page.get_by_label("City").fill("Bron")
    page.get_by_label("City").press("Enter")  # saves: it does not press the button of the language
    expect(walk.message()).to_contain_text("updated")
    assert page.locator("html").get_attribute("lang") == "en"


def test_the_other_language_keeps_the_number_of_seats(begin: Begin) -> None:
    walk = begin("business")
    walk.page.goto(walk.address("/renew"))
    walk.labelled("seats").fill("27")
    walk.account_menu("English").click()
    expect(walk.page.get_by_label("Number of paid users")).to_have_value("27")
