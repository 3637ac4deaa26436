"""A forgotten password: the mail, its link, and the new password."""

import re

from playwright.sync_api import expect

from .conftest import Begin
from .matrix import SCRIPTS
from .watcher import inspect_screen

NEW_PASSWORD = "quatre mots bien longs"


@SCRIPTS
def test_a_new_password_is_set_by_the_link_in_the_mail(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    page = walk.page
    walk.account_menu(walk["Sign out"]).click()
    page.get_by_role("link", name="Mot de passe oublié").click()
    inspect_screen(walk, "Mot de passe oublié")
    walk.labelled("E-mail").fill(walk.account["email"])
    page.get_by_role("button", name="Envoyer le lien").click()
    expect(walk.message()).to_contain_text("nous venons d’y envoyer un lien")
    link = re.search(r"/password/reset/\S+", walk.state()["messages"][-1]["text"])
    assert link
    page.goto(walk.sandbox.url + link[0])
    expect(page).to_have_url(f"{walk.sandbox.url}/password/reset")
    page.get_by_label("Nouveau mot de passe 12").fill("court")
    page.get_by_role("button", name="Définir le mot de passe").click()
    expect(page.get_by_role("alert")).to_contain_text("Saisissez au moins 12 caractères.")
    inspect_screen(walk, "Définir un nouveau mot de passe")
    page.get_by_label("Nouveau mot de passe 12").fill(NEW_PASSWORD)
    page.get_by_label("Confirmer le nouveau mot de passe").fill(NEW_PASSWORD)
    page.keyboard.press("Enter")
    walk.labelled("E-mail").fill(walk.account["email"])
    walk.labelled("Password").fill(NEW_PASSWORD)
    walk.button("Sign in").click()
    expect(walk.tile()).to_be_visible()
