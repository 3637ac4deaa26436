"""Add, reduce, cancel and undo in a real browser: the documented steps, and the pitfalls of dialogs."""

import re

import pytest
from playwright.sync_api import Route, expect

from .conftest import Begin
from .watcher import violations


def test_the_way_out_changes_nothing_and_the_focus_returns(begin: Begin) -> None:
    walk = begin("business")
    posts: list[str] = []
    walk.page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    opener = walk.tile().get_by_role("link", name="Gérer")
    opener.click()
    walk.page.get_by_role("dialog").get_by_role("link", name=re.compile("Annuler l.abonnement")).click()
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
    expect(page.get_by_role("status").first).to_contain_text("levée")
    assert page.evaluate("document.activeElement.tagName") != "BODY"


def test_a_double_click_on_confirm_is_one_post(begin: Begin) -> None:
    walk = begin("business")
    walk.tile().get_by_role("link", name="Gérer").click()
    walk.page.get_by_role("dialog").get_by_role("link", name=re.compile("Annuler l.abonnement")).click()
    walk.page.get_by_label("Je comprends").check()
    held: list[Route] = []
    walk.page.route("**/cancel", lambda route: held.append(route))
    confirm = walk.page.get_by_role("button", name="Confirmer")
    with walk.page.expect_request("**/cancel"):
        confirm.click()
    confirm.click()
    walk.page.keyboard.press("Escape")  # held back while the request runs
    for route in held:
        route.continue_()
    expect(walk.tile()).to_contain_text("Annulation demandée")
    assert len(held) == 1


def test_undoing_one_of_two_says_which(begin: Begin) -> None:
    walk = begin("business-reduction-pending")
    walk.page.goto(f"{walk.sandbox.url}/subscriptions/{walk.account['subscriptions']['business']}/cancel")
    walk.page.get_by_label("Je comprends").check()
    walk.page.get_by_role("button", name="Confirmer").click()
    expect(walk.page).to_have_url(f"{walk.sandbox.url}/subscriptions")
    expect(walk.tile().get_by_role("link", name="Annuler la demande (annulation)")).to_be_visible()
    expect(walk.tile().get_by_role("link", name="Annuler la demande (réduction)")).to_be_visible()


def test_undo_on_its_day_tells_what_happened(begin: Begin) -> None:
    walk = begin("business-reduction-pending")
    walk.sandbox.clock(walk.account["account"], to="2027-02-15T00:00:00")
    walk.tile().get_by_role("link", name="Annuler la demande").click()
    expect(walk.page.get_by_role("alert")).to_contain_text("a déjà pris effet")


def test_the_wait_for_fewer_active_users_refreshes_itself(begin: Begin) -> None:
    walk = begin("business-at-floor")
    walk.page.goto(f"{walk.sandbox.url}/subscriptions/{walk.account['subscriptions']['business']}/reduce?seats=9")
    walk.button("Continue").click()
    expect(walk.page.get_by_role("alert")).to_contain_text("12 utilisateurs actifs")
    walk.sandbox.users(walk.account["account"], 9)
    walk.sandbox.clock(walk.account["account"], advance="PT2M")
    expect(walk.page.get_by_text("vous pouvez continuer")).to_be_visible(timeout=15_000)
    walk.button("Continue").click()
    expect(walk.page.get_by_role("dialog", name="Réduire les licences utilisateur")).to_be_visible()


def test_a_tenant_that_does_not_answer_is_told_at_the_field_and_in_the_dialog(begin: Begin) -> None:
    walk = begin("business")
    account, told = walk.account["account"], "Dernier décompte connu : 5 utilisateurs actifs"
    walk.page.goto(f"{walk.sandbox.url}/subscriptions/{walk.account['subscriptions']['business']}/reduce?seats=9")
    walk.sandbox.call(f"/{account}/users", directory="down")
    walk.button("Continue").click()
    expect(walk.page.get_by_role("alert")).to_contain_text(told)
    assert violations(walk.page) == []
    walk.sandbox.call(f"/{account}/users", directory="up")
    walk.button("Continue").click()
    dialog = walk.page.get_by_role("dialog", name="Réduire les licences utilisateur")
    dialog.get_by_label("Je comprends").check()
    walk.sandbox.call(f"/{account}/users", directory="down")
    dialog.get_by_role("button", name="Confirmer").click()
    expect(walk.page.get_by_role("alert")).to_contain_text(told)
    assert violations(walk.page) == []
    assert walk.subscription()["changes"] == []


def test_users_are_removed_on_the_tenants_page(begin: Begin) -> None:
    walk = begin("business")
    walk.page.goto(f"{walk.sandbox.url}/subscriptions/{walk.account['subscriptions']['business']}/reduce")
    walk.page.get_by_role("link", name="Gérer les utilisateurs du client").click()
    walk.page.get_by_role("button", name="Retirer l’utilisateur 1", exact=True).click()
    expect(walk.page.get_by_text("4 utilisateurs actifs")).to_be_visible()
    assert violations(walk.page) == []


@pytest.mark.parametrize(
    ("scenario", "badge", "action"),
    [("business-past-due", "Paiement dû", "Renouveler"), ("business-lapsed", "Expiré", "Renouveler"),
     ("third-party", "Nordlys Data", "Contacter le responsable de votre compte Qlik"),
     ("expiring-card", "La carte par défaut expire", "Paiement et facturation")],
)  # fmt: skip
def test_each_state_of_the_tile(begin: Begin, scenario: str, badge: str, action: str) -> None:
    walk = begin(scenario)
    expect(walk.tile()).to_contain_text(badge)
    expect(walk.tile().get_by_role("link", name=action).first).to_be_visible()
    assert violations(walk.page) == []
