"""Cancel the subscription: the documented steps, the refusals, and the dialog that asks for a confirmation."""

import re

from playwright.sync_api import Locator, Route, expect

from .conftest import Begin, WalkStory
from .matrix import SCRIPTS, Cell, in_the_matrix
from .stories import Story, Walk, cancel


@in_the_matrix(cancel.DOCUMENTED)
def test_the_documented_steps(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


def open_cancellation(walk: Walk) -> Locator:
    """Opens the dialog from the tile, and returns the link that opened it."""
    opener = walk.tile().get_by_role("link", name="Gérer")
    opener.click()
    walk.page.get_by_role("dialog").get_by_role("link", name=re.compile("Annuler l.abonnement")).click()
    expect(walk.page.get_by_label("Je comprends")).to_be_visible()
    return opener


@SCRIPTS
def test_it_is_refused_while_i_understand_is_not_ticked(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    open_cancellation(walk)
    walk.button("Confirm").click()
    expect(walk.alert()).to_contain_text("Cochez")
    expect(walk.alert()).to_be_focused()
    assert walk.subscription()["status"] == "active"


def test_leaving_the_dialog_changes_nothing_and_the_focus_returns(begin: Begin) -> None:
    walk = begin("business")
    posts: list[str] = []
    walk.page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    opener = open_cancellation(walk)
    walk.page.get_by_label("Je comprends").check()
    walk.page.get_by_role("dialog").get_by_role("link", name="Revenir").click()
    expect(walk.page.get_by_role("dialog")).to_have_count(0)
    expect(opener).to_be_focused()
    opener.click()
    expect(walk.page.get_by_role("dialog")).to_be_visible()
    walk.page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    assert posts == []
    assert walk.subscription()["status"] == "active"


def test_a_double_click_on_confirm_is_one_post(begin: Begin) -> None:
    walk = begin("business")
    open_cancellation(walk)
    walk.page.get_by_label("Je comprends").check()
    held: list[Route] = []
    walk.page.route("**/cancel", lambda route: held.append(route))
    confirm = walk.page.get_by_role("button", name="Confirmer")
    with walk.page.expect_request("**/cancel"):
        confirm.click()
    confirm.click()
    walk.page.keyboard.press("Escape")  # does not close the dialog while the request runs
    for route in held:
        route.continue_()
    expect(walk.tile()).to_contain_text("Annulation demandée")
    assert len(held) == 1
