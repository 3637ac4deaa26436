"""Add a credit card: the documented steps, and a card that the bank refuses."""

from playwright.sync_api import expect

from .conftest import Begin, WalkStory
from .matrix import SCRIPTS, Cell, in_the_matrix
from .portal import Sandbox
from .stories import Story, add_card
from .watcher import violations


@in_the_matrix(add_card.DOCUMENTED)
def test_the_documented_steps(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


def test_a_card_that_the_bank_refuses_is_reported_at_its_field(begin: Begin) -> None:
    walk = begin("business")
    walk.page.goto(f"{walk.sandbox.url}/billing")
    walk.button("Add card").click()
    walk.enter_card("4000 0000 0000 0002")
    expect(walk.page.get_by_role("alert")).to_contain_text("La banque a refusé cette carte.")
    expect(walk.labelled("Card number")).to_have_value("")
    assert violations(walk.page) == []
    walk.enter_card("5555 5555 5555 4444")
    expect(walk.message()).to_contain_text("Mastercard ••••\u00a04444")


@SCRIPTS
def test_a_card_entered_again_is_updated(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    for sentence in ("Mastercard ••••\u00a04444", "Cette carte était déjà enregistrée\u00a0: elle a été mise à jour."):
        walk.page.goto(f"{walk.sandbox.url}/billing")
        walk.button("Add card").click()
        walk.enter_card("5555 5555 5555 4444")
        expect(walk.message()).to_contain_text(sentence)
        assert walk.cards() == [("4242", True), ("4444", False)]


def test_a_card_is_added_and_pays_at_the_other_name_of_this_machine(begin: Begin, sandbox: Sandbox) -> None:
    """The address that `make run` prints has a name, while PUBLIC_URL has a number by default."""
    address = sandbox.url.replace("127.0.0.1", "localhost")
    walk = begin("business", portal=Sandbox(address, sandbox.instance, sandbox.env))
    walk.page.goto(f"{address}/billing")
    walk.button("Add card").click()
    walk.enter_card("4000 0027 6000 3184")
    expect(walk.message()).to_contain_text("••••\u00a03184")
    expect(walk.page).to_have_url(f"{address}/billing")
    walk.page.goto(walk.address("/renew"))
    walk.button("Continue").click()
    walk.page.get_by_role("radio", name="3184").check()
    walk.button("Continue").click()
    walk.button("Pay").click()
    walk.page.get_by_role("link", name="Continuer vers ma banque").click()
    walk.page.get_by_role("button", name="Oui, confirmer").click()
    walk.heading("Receipt")
    assert walk.page.url.startswith(address)
