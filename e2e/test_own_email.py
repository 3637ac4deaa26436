"""A member's own e-mail and « Ce n’était pas moi »: their stories, a wrong address, a link that is over."""

import re

from playwright.sync_api import expect

from .conftest import Begin, WalkStory
from .matrix import SCRIPTS, Cell, in_the_matrix
from .stories import Story, own_email
from .watcher import inspect_screen


@in_the_matrix(own_email.DOCUMENTED)
def test_the_documented_steps(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


@SCRIPTS
def test_a_wrong_address_is_refused_at_its_field(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    walk.page.goto(f"{walk.sandbox.url}/account/email")
    for wrong, sentence in (
        ("camille", "Ce n’est pas une adresse e-mail"),
        (walk.account["email"], "C’est déjà votre adresse e-mail."),
    ):
        walk.page.get_by_label("Nouvelle adresse e-mail").fill(wrong)
        walk.page.get_by_role("button", name="Envoyer le lien de confirmation").click()
        expect(walk.alert()).to_contain_text(sentence)
        expect(walk.alert()).to_be_focused()
        expect(walk.page.get_by_label("Nouvelle adresse e-mail")).to_have_value(wrong)
    if scripts:
        inspect_screen(walk, "Modifier l’adresse e-mail")


@SCRIPTS
def test_a_used_link_says_so(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    own_email.change_email(walk)
    alarm = own_email.ALARM.search(own_email.text_to(walk, walk.account["email"]))
    assert alarm
    walk.page.context.clear_cookies(name=re.compile("my_qlik.*"))
    walk.page.goto(alarm[0])
    walk.page.get_by_role("button", name="Fermer toutes les sessions").click()
    expect(walk.page).to_have_url(f"{walk.sandbox.url}/password/reset")
    answer = walk.page.goto(alarm[0])
    assert answer
    assert answer.status == 410
    expect(walk.page.get_by_role("heading", level=1)).to_have_text("Ce lien n’est plus valable")
    if scripts:
        inspect_screen(walk, "Ce lien n’est plus valable")
