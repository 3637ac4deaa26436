"""Reduce seats: the documented steps, the refusals, and the count of active users that a reduction waits for."""

from playwright.sync_api import expect

from .conftest import Begin, WalkStory
from .keyboard import press
from .matrix import Cell, in_the_matrix
from .stories import Story, reduce
from .watcher import page_faults, violations


@in_the_matrix(reduce.DOCUMENTED)
def test_the_documented_steps(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


@in_the_matrix(reduce.REFUSALS)
def test_a_refusal_and_the_way_on(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


def test_by_keyboard_alone_the_focus_is_never_lost(begin: Begin) -> None:
    walk = begin("business")
    page, faults = walk.page, list[str]()
    press(walk.tile().get_by_role("link", name=walk["Manage"]))
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    assert dialog.evaluate("dialog => dialog.contains(document.activeElement)")
    faults += page_faults(page)
    press(dialog.get_by_role("link", name=walk["Reduce seats"]))
    press(walk.button("Decrease"))
    expect(walk.labelled("seats")).to_have_value("11")
    press(walk.button("Continue"))
    expect(dialog).to_be_visible()
    faults += page_faults(page)
    press(page.get_by_label(walk["I understand"]), "Space")
    press(walk.button("Confirm"))
    expect(walk.message()).to_contain_text("Votre demande de réduction est enregistrée.")
    expect(dialog).to_have_count(0)
    faults += page_faults(page)
    assert walk.subscription()["changes"][0]["seats"] == 11
    assert faults == []


def test_the_wait_for_fewer_active_users_refreshes_itself(begin: Begin) -> None:
    walk = begin("business-at-floor")
    walk.page.goto(walk.address("/reduce?seats=9"))
    walk.button("Continue").click()
    expect(walk.page.get_by_role("alert")).to_contain_text("12 utilisateurs actifs")
    walk.sandbox.users(walk.account["account"], 9)
    walk.sandbox.clock(walk.account["account"], advance="PT2M")
    expect(walk.page.get_by_text("vous pouvez continuer")).to_be_visible(timeout=15_000)
    walk.button("Continue").click()
    expect(walk.page.get_by_role("dialog", name="Réduire les licences utilisateur")).to_be_visible()


def test_a_tenant_that_does_not_answer_is_reported_at_the_field_and_in_the_dialog(begin: Begin) -> None:
    walk = begin("business")
    account, last_count = walk.account["account"], "Dernier décompte connu : 5 utilisateurs actifs"
    walk.page.goto(walk.address("/reduce?seats=9"))
    walk.sandbox.call(f"/{account}/users", directory="down")
    walk.button("Continue").click()
    expect(walk.page.get_by_role("alert")).to_contain_text(last_count)
    assert violations(walk.page) == []
    walk.sandbox.call(f"/{account}/users", directory="up")
    walk.button("Continue").click()
    dialog = walk.page.get_by_role("dialog", name="Réduire les licences utilisateur")
    dialog.get_by_label("Je comprends").check()
    walk.sandbox.call(f"/{account}/users", directory="down")
    dialog.get_by_role("button", name="Confirmer").click()
    expect(walk.page.get_by_role("alert")).to_contain_text(last_count)
    assert violations(walk.page) == []
    assert walk.subscription()["changes"] == []


def test_users_are_removed_on_the_page_of_the_tenant(begin: Begin) -> None:
    walk = begin("business")
    walk.page.goto(walk.address("/reduce"))
    walk.page.get_by_role("link", name="Gérer les utilisateurs du client").click()
    walk.page.get_by_role("button", name="Retirer l’utilisateur 1", exact=True).click()
    expect(walk.page.get_by_text("4 utilisateurs actifs")).to_be_visible()
    assert violations(walk.page) == []
