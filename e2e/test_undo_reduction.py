"""Undo a reduction: the documented steps, the refusals, and the same from the timeline."""

from playwright.sync_api import expect

from .conftest import Begin, WalkStory
from .matrix import Cell, in_the_matrix
from .stories import Story, undo_reduction


@in_the_matrix(undo_reduction.DOCUMENTED)
def test_the_documented_steps(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


@in_the_matrix(undo_reduction.REFUSALS)
def test_a_refusal_and_the_way_on(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


def test_on_its_day_it_is_too_late(begin: Begin) -> None:
    walk = begin("business-reduction-pending")
    walk.sandbox.clock(walk.account["account"], to="2027-02-15T00:00:00")
    walk.tile().get_by_role("link", name="Annuler la demande").click()
    expect(walk.page.get_by_role("alert")).to_contain_text("a déjà pris effet")


def test_a_planned_reduction_is_undone_from_the_timeline(begin: Begin) -> None:
    walk = begin("business-reduction-pending")
    walk.page.goto(walk.address())
    walk.page.get_by_role("link", name="Annuler la réduction").click()
    expect(walk.page.get_by_role("dialog")).to_be_visible()
    walk.page.get_by_label("Je comprends").check()
    walk.page.get_by_role("button", name="Confirmer").click()
    expect(walk.message()).to_contain_text("Votre demande de réduction est annulée.")
    assert walk.subscription()["changes"][0]["state"] == "withdrawn"
