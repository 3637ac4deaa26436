"""The team: its stories, a wrong invitation, the keyboard, and what a viewer sees."""

from playwright.sync_api import expect

from .conftest import Begin, WalkStory
from .matrix import SCRIPTS, Cell, in_the_matrix
from .stories import Story, team
from .watcher import inspect_screen


@in_the_matrix(team.DOCUMENTED)
def test_the_documented_steps(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


@SCRIPTS
def test_a_wrong_invitation_is_refused_at_its_fields(begin: Begin, scripts: bool) -> None:
    walk = begin("team", scripts=scripts)
    walk.page.goto(f"{walk.sandbox.url}/team")
    walk.labelled("E-mail").fill("nadia")
    walk.button("Send the invitation").click()
    expect(walk.alert()).to_contain_text("Ce n’est pas une adresse e-mail")
    expect(walk.alert()).to_contain_text("Choisissez un rôle.")
    expect(walk.alert()).to_be_focused()
    expect(walk.labelled("E-mail")).to_have_value("nadia")
    if scripts:
        inspect_screen(walk, "Équipe")


@SCRIPTS
def test_nothing_is_removed_without_i_understand(begin: Begin, scripts: bool) -> None:
    walk = begin("team", scripts=scripts)
    walk.page.goto(f"{walk.sandbox.url}/team")
    email = team.member(walk, "viewer")
    item = team.open_actions(walk, email).get_by_role("link", name=walk["Remove from the team"])
    item.click()
    walk.button("Remove from the team").click()
    expect(walk.alert()).to_contain_text("Cochez")
    expect(walk.alert()).to_be_focused()
    assert team.role_of(walk, email) == "viewer"


def test_a_viewer_sees_no_button_that_would_be_refused(begin: Begin) -> None:
    walk = begin("team")
    viewer = next(found for found in walk.account["members"] if found["role"] == "viewer")
    walk.page.context.clear_cookies()
    walk.account = {**walk.account, "email": viewer["email"], "password": viewer["password"]}
    walk.sign_in()
    expect(walk.tile().get_by_role("link")).to_have_count(1)
    inspect_screen(walk, "Abonnements")
    expect(walk.account_menu("Équipe")).to_have_count(0)
    walk.page.goto(f"{walk.sandbox.url}/sessions")
    inspect_screen(walk, "Connexion et sessions")
    walk.page.get_by_role("link", name="Choisir les e-mails à recevoir").click()
    inspect_screen(walk, "Vos e-mails")
    walk.page.goto(f"{walk.sandbox.url}/team/leave")
    inspect_screen(walk, "Quitter le compte\u00a0?")
