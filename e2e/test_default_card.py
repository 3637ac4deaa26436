"""Set a card as the default payment method: the documented steps, and a card that is gone."""

from playwright.sync_api import expect

from .conftest import Begin, WalkStory
from .matrix import SCRIPTS, Cell, in_the_matrix
from .stories import Story, default_card


@in_the_matrix(default_card.DOCUMENTED)
def test_the_documented_steps(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


@SCRIPTS
def test_a_card_deleted_in_another_tab_is_refused(begin: Begin, scripts: bool) -> None:
    walk = begin("business-two-cards", scripts=scripts)
    walk.page.goto(f"{walk.sandbox.url}/billing")
    walk.more_actions("4444").click()
    other_tab = walk.page.context.new_page()
    other_tab.goto(f"{walk.sandbox.url}/billing/cards/{walk.account['cards'][1]}/delete")
    other_tab.get_by_role("button", name=walk["Delete"], exact=True).click()
    expect(other_tab.get_by_role("status").first).to_contain_text("La carte Mastercard ••••\u00a04444 a été supprimée.")
    with walk.page.expect_response("**/default") as answer:
        walk.card("4444").get_by_role("button", name=walk["Set default"]).click()
    assert answer.value.status == 404
    expect(walk.page.get_by_role("heading", level=1)).to_have_text("Page introuvable")
    assert walk.cards() == [("4242", True)]
