"""Undo a cancellation: the documented steps, the refusals, and a cancellation beside a reduction."""

from playwright.sync_api import expect

from .conftest import Begin, WalkStory
from .matrix import SCRIPTS, Cell, in_the_matrix
from .stories import Story, undo_cancellation


@in_the_matrix(undo_cancellation.DOCUMENTED)
def test_the_documented_steps(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


@SCRIPTS
def test_it_is_refused_while_i_understand_is_not_ticked(begin: Begin, scripts: bool) -> None:
    walk = begin("business-cancellation-pending", scripts=scripts)
    walk.tile().get_by_role("link", name="Annuler la demande").click()
    walk.button("Confirm").click()
    expect(walk.alert()).to_contain_text("Cochez")
    expect(walk.alert()).to_be_focused()
    assert walk.subscription()["status"] == "ending"


def test_on_its_day_it_is_too_late(begin: Begin) -> None:
    """The list was opened the day before."""
    walk = begin("business-cancellation-pending")
    walk.sandbox.clock(walk.account["account"], to="2027-02-15T00:00:00")
    walk.tile().get_by_role("link", name="Annuler la demande").click()
    expect(walk.page.get_by_role("alert")).to_contain_text("a déjà pris effet")
    assert walk.subscription()["status"] == "ended"


def test_by_keyboard_the_focus_never_falls_to_the_page(begin: Begin) -> None:
    walk = begin("business-cancellation-pending")
    page = walk.page
    walk.tile().get_by_role("link", name="Annuler la demande").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_label("Je comprends").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(walk.message()).to_contain_text("retirée")
    assert page.evaluate("document.activeElement.tagName") != "BODY"


def test_beside_a_reduction_each_undo_link_names_its_request(begin: Begin) -> None:
    walk = begin("business-reduction-pending")
    walk.page.goto(walk.address("/cancel"))
    walk.page.get_by_label("Je comprends").check()
    walk.page.get_by_role("button", name="Confirmer").click()
    expect(walk.page).to_have_url(f"{walk.sandbox.url}/subscriptions")
    expect(walk.tile().get_by_role("link", name="Annuler la demande (annulation)")).to_be_visible()
    expect(walk.tile().get_by_role("link", name="Annuler la demande (réduction)")).to_be_visible()
