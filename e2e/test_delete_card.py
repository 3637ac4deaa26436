"""Delete a credit card: the documented steps, and the default card, which stays until another takes its place."""

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
    walk.heading("Delete card?")
    expect(walk.page.get_by_role("alert")).to_contain_text("est aussi la seule")
    if scripts:
        assert violations(walk.page) == []
    walk.button("Add card").click()
    walk.enter_card("5555555555554444")
    walk.more_actions("4444").click()
    walk.card("4444").get_by_role("button", name=walk["Set default"]).click()
    expect(walk.message()).to_contain_text("4444 est désormais le mode de paiement par défaut")
    walk.more_actions("4242").click()
    walk.card("4242").get_by_role("link", name=walk["Delete"]).click()
    walk.button("Delete").click()
    expect(walk.message()).to_contain_text("La carte se terminant par 4242 a été supprimée.")
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
    expect(walk.message()).to_contain_text("La carte se terminant par 4242 a été supprimée.")
    expect(walk.page.get_by_text("Vous n’avez pas encore de carte.")).to_be_visible()
    assert walk.cards() == []


def test_the_cancel_link_deletes_nothing(begin: Begin) -> None:
    walk = begin("business-two-cards")
    walk.page.goto(f"{walk.sandbox.url}/billing")
    walk.more_actions("4444").click()
    walk.card("4444").get_by_role("link", name=walk["Delete"]).click()
    walk.page.get_by_role("link", name="Annuler", exact=True).click()
    walk.heading("Billing")
    assert walk.cards() == [("4242", True), ("4444", False)]
