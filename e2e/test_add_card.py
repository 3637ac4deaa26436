"""Add a credit card: the documented steps, and a card that the bank refuses."""

from playwright.sync_api import expect

from .conftest import Begin, WalkStory
from .matrix import SCRIPTS, Cell, in_the_matrix
from .stories import Story, add_card
from .watcher import violations


@in_the_matrix(add_card.DOCUMENTED)
def test_the_documented_steps(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


def test_a_card_that_the_bank_refuses_is_reported_at_its_field(begin: Begin) -> None:
    walk = begin("business")
    walk.page.goto(f"{walk.sandbox.url}/billing")
    walk.button("Add card").click()
    walk.enter_card("4000 0000 0000 0002")
    expect(walk.page.get_by_role("alert")).to_contain_text("La banque a refusé cette carte.")
    expect(walk.labelled("Card number")).to_have_value("")
    assert violations(walk.page) == []
    walk.enter_card("5555 5555 5555 4444")
    expect(walk.message()).to_contain_text("Mastercard ••••\u00a04444")


@SCRIPTS
def test_a_card_entered_again_is_updated(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    for sentence in ("Mastercard ••••\u00a04444", "Cette carte était déjà enregistrée\u00a0: elle a été mise à jour."):
        walk.page.goto(f"{walk.sandbox.url}/billing")
        walk.button("Add card").click()
        walk.enter_card("5555 5555 5555 4444")
        expect(walk.message()).to_contain_text(sentence)
        assert walk.cards() == [("4242", True), ("4444", False)]
