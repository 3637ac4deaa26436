"""Back, reload, and the language switch."""

from playwright.sync_api import expect

from .conftest import Begin


def test_back_and_reload_show_whole_pages(begin: Begin) -> None:
    walk = begin("business")
    walk.page.goto(walk.address("/renew"))
    walk.button("Increase").click()
    expect(walk.cost()).to_contain_text("381,00")
    walk.page.goto(f"{walk.sandbox.url}/billing")
    walk.page.go_back()
    expect(walk.page.get_by_role("banner")).to_be_visible()
    walk.page.reload()
    expect(walk.page.get_by_role("banner")).to_be_visible()


def test_the_language_switch_stays_on_the_page(begin: Begin) -> None:
    walk = begin("business")
    walk.page.goto(walk.address("/renew"))
    walk.account_menu("English").click()
    expect(walk.page.get_by_label("Number of paid users")).to_be_visible()
    walk.account_menu("Français").click()
    expect(walk.page.get_by_label("Nombre d’utilisateurs payants")).to_be_visible()
