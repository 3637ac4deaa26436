"""Cards in a real browser: the documented steps, and the menu by keyboard, without scripts and on narrow screens."""

from playwright.sync_api import Locator, expect

from .conftest import Begin
from .matrix import SCRIPTS
from .stories import Walk
from .watcher import violations


def more(walk: Walk, last4: str) -> Locator:
    return walk.card(last4).get_by_role("button", name=walk["More actions"], exact=True)


def billing(walk: Walk) -> None:
    walk.page.goto(f"{walk.sandbox.url}/billing")


def test_the_menu_opens_by_keyboard_and_closes_on_escape_and_elsewhere(begin: Begin) -> None:
    walk = begin("business-two-cards")
    billing(walk)
    button, item = more(walk, "4444"), walk.card("4444").get_by_role("button", name=walk["Set default"])
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(item).to_be_hidden()
    for key in ("Enter", "Space"):
        button.focus()
        walk.page.keyboard.press(key)
        expect(button).to_have_attribute("aria-expanded", "true")
        expect(item).to_be_visible()
        walk.page.keyboard.press("Tab")
        expect(item).to_be_focused()
        walk.page.keyboard.press("Escape")
        expect(item).to_be_hidden()
        expect(button).to_be_focused()
        expect(button).to_have_attribute("aria-expanded", "false")
    button.click()
    walk.page.get_by_role("heading", level=1).click()
    expect(item).to_be_hidden()
    button.click()
    more(walk, "4242").click()
    expect(item).to_be_hidden()
    expect(walk.card("4242").get_by_role("link", name=walk["Delete"])).to_be_visible()


def test_a_menu_that_is_left_by_tab_closes(begin: Begin) -> None:
    walk = begin("business-two-cards")
    billing(walk)
    button = more(walk, "4444")
    button.click()
    for _ in range(3):
        walk.page.keyboard.press("Tab")
    expect(walk.button("Add card")).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "false")


def test_each_menu_is_told_apart_by_its_card(begin: Begin) -> None:
    walk = begin("business-two-cards")
    billing(walk)
    expect(walk.page.get_by_role("button", name="Plus d’actions", exact=True)).to_have_count(2)
    for last4 in ("4242", "4444"):
        expect(more(walk, last4)).to_have_accessible_description(
            f"{'Visa' if last4 == '4242' else 'Mastercard'} •••• {last4}"
        )


@SCRIPTS
def test_the_default_card_is_kept_until_another_takes_its_place(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    billing(walk)
    more(walk, "4242").click()
    expect(walk.card("4242").get_by_role("button", name=walk["Set default"])).to_have_count(0)
    walk.card("4242").get_by_role("link", name=walk["Delete"]).click()
    walk.heading("Delete card?")
    expect(walk.page.get_by_role("alert")).to_contain_text("c’est la seule")
    if scripts:
        assert violations(walk.page) == []
    walk.button("Add card").click()
    walk.enter_card("5555555555554444")
    more(walk, "4444").click()
    walk.card("4444").get_by_role("button", name=walk["Set default"]).click()
    expect(walk.page.get_by_role("status").first).to_contain_text("4444 est désormais le mode de paiement par défaut")
    more(walk, "4242").click()
    walk.card("4242").get_by_role("link", name=walk["Delete"]).click()
    walk.button("Delete").click()
    expect(walk.page.get_by_role("status").first).to_contain_text("La carte se terminant par 4242 est supprimée.")
    assert walk.cards() == [("4444", True)]


def test_cancel_deletes_nothing(begin: Begin) -> None:
    walk = begin("business-two-cards")
    billing(walk)
    more(walk, "4444").click()
    walk.card("4444").get_by_role("link", name=walk["Delete"]).click()
    walk.page.get_by_role("link", name="Annuler", exact=True).click()
    walk.heading("Billing")
    assert walk.cards() == [("4242", True), ("4444", False)]


def test_a_card_that_ends_too_soon_is_told_to_the_owner(begin: Begin) -> None:
    walk = begin("business-two-cards")
    walk.sandbox.clock(walk.account["account"], to="2030-12-20T09:00:00")
    billing(walk)
    expect(walk.card("4444")).to_contain_text("Cette carte expire avant le prochain renouvellement")
    walk.sandbox.clock(walk.account["account"], to="2031-01-02T09:00:00")
    billing(walk)
    expect(walk.card("4444")).to_contain_text("Cette carte a expiré")
    assert violations(walk.page) == []
