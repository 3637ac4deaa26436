"""Delete a credit card: the documented steps, and the default card, which stays until another takes its place."""

import pytest
from playwright.sync_api import expect

from .conftest import Begin, WalkStory
from .matrix import SCRIPTS, Cell, in_the_matrix
from .stories import Story, delete_card
from .watcher import violations


@in_the_matrix(delete_card.DOCUMENTED)
def test_the_documented_steps(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


@in_the_matrix(delete_card.REFUSALS)
def test_a_refusal_and_the_way_on(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


@SCRIPTS
def test_the_only_card_is_kept_until_another_takes_its_place(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    walk.page.goto(f"{walk.sandbox.url}/billing")
    walk.more_actions("4242").click()
    expect(walk.card("4242").get_by_role("button", name=walk["Set default"])).to_have_count(0)
    walk.card("4242").get_by_role("link", name=walk["Delete"]).click()
    expect(walk.page.get_by_role("heading", name=walk["Delete card?"], exact=True)).to_be_visible()
    expect(walk.button("Delete")).to_have_count(0)
    expect(walk.page.get_by_role("alert")).to_contain_text("est aussi la seule")
    if scripts:
        assert violations(walk.page) == []
    remedy = walk.page.get_by_role("dialog") if scripts else walk.page.get_by_role("main")
    remedy.get_by_role("button", name=walk["Add card"]).click()
    walk.enter_card("5555555555554444")
    walk.more_actions("4444").click()
    walk.card("4444").get_by_role("button", name=walk["Set default"]).click()
    expect(walk.message()).to_contain_text("4444 est désormais le mode de paiement par défaut")
    walk.more_actions("4242").click()
    walk.card("4242").get_by_role("link", name=walk["Delete"]).click()
    walk.button("Delete").click()
    expect(walk.message()).to_contain_text("La carte Visa ••••\u00a04242 a été supprimée.")
    assert walk.cards() == [("4444", True)]


@SCRIPTS
def test_the_only_card_goes_where_nothing_will_be_charged(begin: Begin, scripts: bool) -> None:
    walk = begin("enterprise", scripts=scripts)
    walk.page.goto(f"{walk.sandbox.url}/billing")
    walk.more_actions("4242").focus()
    walk.page.keyboard.press("Enter")
    walk.page.keyboard.press("Tab")
    walk.page.keyboard.press("Enter")
    walk.heading("Delete card?")
    if scripts:
        assert violations(walk.page) == []
    walk.button("Delete").focus()
    walk.page.keyboard.press("Enter")
    expect(walk.message()).to_contain_text("La carte Visa ••••\u00a04242 a été supprimée.")
    expect(walk.page.get_by_text("Vous n’avez pas encore de carte.")).to_be_visible()
    assert walk.cards() == []


@pytest.mark.parametrize("locale", ["fr", "en"])
@SCRIPTS
def test_another_card_takes_the_place_of_the_default_where_its_deletion_is_refused(
    begin: Begin, scripts: bool, locale: str
) -> None:
    walk = begin("business-two-cards", scripts=scripts, locale=locale)
    walk.page.goto(f"{walk.sandbox.url}/billing")
    walk.more_actions("4242").click()
    walk.card("4242").get_by_role("link", name=walk["Delete"]).click()
    if scripts:
        expect(walk.page.get_by_role("dialog", name=walk["Delete card?"])).to_be_visible()
        assert violations(walk.page) == []
    name = walk.words("Définir Mastercard ••••\u00a04444 par défaut", "Make Mastercard ••••\u00a04444 the default")
    walk.page.get_by_role("button", name=name).click()
    expect(walk.message()).to_contain_text(walk.words("est désormais le mode de paiement par défaut", "is now the"))
    assert walk.cards() == [("4444", True), ("4242", False)]


@pytest.mark.parametrize("closing", ["Escape", "link"])
def test_the_focus_returns_to_the_menu_when_the_explanation_is_closed(begin: Begin, closing: str) -> None:
    walk = begin("business-two-cards")
    walk.page.goto(f"{walk.sandbox.url}/billing")
    walk.more_actions("4242").click()
    item = walk.card("4242").get_by_role("link", name=walk["Delete"])
    item.click()
    dialog = walk.page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    assert dialog.evaluate("dialog => dialog.contains(document.activeElement)")
    if closing == "Escape":
        walk.page.keyboard.press("Escape")
    else:
        dialog.get_by_role("link", name="Annuler").click()
    expect(dialog).to_be_hidden()
    expect(item).to_be_focused()
    assert walk.cards() == [("4242", True), ("4444", False)]


def test_the_cancel_link_deletes_nothing(begin: Begin) -> None:
    walk = begin("business-two-cards")
    walk.page.goto(f"{walk.sandbox.url}/billing")
    walk.more_actions("4444").click()
    walk.card("4444").get_by_role("link", name=walk["Delete"]).click()
    walk.page.get_by_role("link", name="Annuler", exact=True).click()
    walk.heading("Billing")
    assert walk.cards() == [("4242", True), ("4444", False)]
