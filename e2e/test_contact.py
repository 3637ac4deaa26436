"""Contact the account manager: the documented steps, the upgrade, and an empty message."""

import re

from playwright.sync_api import expect

from .conftest import Begin, WalkStory
from .matrix import SCRIPTS, Cell, in_the_matrix
from .stories import Story, contact
from .watcher import violations


@in_the_matrix(contact.DOCUMENTED)
def test_the_documented_steps(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


@SCRIPTS
def test_the_upgrade_is_asked_for_from_manage(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    walk.tile().get_by_role("link", name="Gérer").click()
    walk.page.get_by_role("link", name="Qlik Cloud Analytics").click()
    expect(walk.labelled("Subject")).to_have_value("upgrade")
    expect(walk.page.get_by_role("combobox", name="Abonnement")).to_have_value(walk.subscription()["id"])


@SCRIPTS
def test_an_empty_message_is_reported_at_its_field_and_the_subject_stays(begin: Begin, scripts: bool) -> None:
    walk = begin("enterprise", scripts=scripts)
    walk.page.goto(f"{walk.sandbox.url}/contact?subject=billing")
    walk.button("Send").click()
    alert = walk.page.get_by_role("alert")
    expect(alert).to_contain_text("Écrivez un message")
    expect(alert).to_be_focused()
    expect(walk.labelled("Subject")).to_have_value("billing")
    if scripts:
        assert violations(walk.page) == []
    walk.labelled("Your message").fill("<script>alert(1)</script>\nMerci de nous rappeler.")
    walk.button("Send").click()
    expect(walk.message()).to_contain_text(re.compile("C-[2-9A-Z]{8}"))
    assert len(walk.state()["messages"]) == 1


def test_by_keyboard_alone(begin: Begin) -> None:
    walk = begin("enterprise")
    walk.page.goto(f"{walk.sandbox.url}/contact?subject=other")
    walk.labelled("Subject").focus()
    walk.page.keyboard.press("Tab")
    walk.page.keyboard.press("Tab")
    expect(walk.labelled("Your message")).to_be_focused()
    walk.page.keyboard.type("Merci de nous rappeler.")
    walk.page.keyboard.press("Tab")
    walk.page.keyboard.press("Enter")
    expect(walk.message()).to_contain_text("numéro de dossier")
