"""Sessions: those that the owner sees and closes, and one that ended while a page was open."""

from playwright.sync_api import expect

from .conftest import Begin
from .matrix import SCRIPTS
from .watcher import inspect_screen, page_faults


@SCRIPTS
def test_a_session_elsewhere_is_listed_and_closed(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    elsewhere = begin("business", scripts=scripts)
    elsewhere.account = walk.account
    elsewhere.page.context.clear_cookies()
    elsewhere.sign_in()
    walk.account_menu("Connexion et sessions").click()
    listed = walk.page.get_by_role("region", name="Vos sessions ouvertes").get_by_role("listitem")
    expect(listed).to_have_count(2)
    inspect_screen(walk, "Connexion et sessions")
    listed.get_by_role("button", name="Fermer cette session").click()
    expect(listed).to_have_count(1)
    expect(walk.message()).to_contain_text("La session a été fermée")
    elsewhere.page.reload()
    expect(elsewhere.page.get_by_role("status").first).to_contain_text("fermée depuis une autre de vos sessions")
    elsewhere.page.context.close()
    walk.page.get_by_role("link", name="Modifier le mot de passe").click()
    inspect_screen(walk, "Modifier le mot de passe")


def test_an_ended_session_does_not_put_the_sign_in_into_a_dialog(begin: Begin) -> None:
    walk = begin("business")
    page = walk.page
    page.context.clear_cookies()
    walk.tile().get_by_role("link", name=walk["Manage"]).click()
    back = page.get_by_role("alert").get_by_role("link", name="Se connecter et revenir ici")
    expect(page.get_by_role("alert")).to_contain_text("Rien n’a été envoyé ni modifié.")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page_faults(page) == []
    back.click()
    walk.labelled("E-mail").fill(walk.account["email"])
    walk.labelled("Password").fill(walk.account["password"])
    walk.button("Sign in").click()
    expect(page).to_have_url(f"{walk.sandbox.url}/subscriptions")


def test_a_session_that_ended_over_a_confirmation_closes_it_and_says_that_nothing_changed(begin: Begin) -> None:
    walk = begin("business")
    page = walk.page
    walk.tile().get_by_role("link", name=walk["Manage"]).click()
    page.get_by_role("dialog").get_by_role("link", name=walk["Cancel subscription"]).click()
    page.get_by_label(walk["I understand"]).check()
    page.context.clear_cookies()
    page.get_by_role("button", name="Confirmer").click()
    expect(page.get_by_role("alert")).to_contain_text("Rien n’a été envoyé ni modifié.")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("alert").get_by_role("link")).to_be_focused()
    assert walk.subscription()["changes"] == []
    assert page_faults(page) == []
