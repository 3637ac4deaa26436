"""The list of payment methods: the menu of each card, and the notes on cards that expire."""

from playwright.sync_api import expect

from .conftest import Begin
from .stories import Walk
from .watcher import violations


def open_billing(walk: Walk) -> None:
    walk.page.goto(f"{walk.sandbox.url}/billing")


def test_a_menu_opens_by_keyboard_and_closes_on_escape_or_a_click_elsewhere(begin: Begin) -> None:
    walk = begin("business-two-cards")
    open_billing(walk)
    button, item = walk.more_actions("4444"), walk.card("4444").get_by_role("button", name=walk["Set default"])
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
    walk.more_actions("4242").click()
    expect(item).to_be_hidden()
    expect(walk.card("4242").get_by_role("link", name=walk["Delete"])).to_be_visible()


def test_a_menu_closes_when_tab_leaves_it(begin: Begin) -> None:
    walk = begin("business-two-cards")
    open_billing(walk)
    button = walk.more_actions("4444")
    button.click()
    for _ in range(4):
        walk.page.keyboard.press("Tab")
    expect(walk.button("Add card")).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "false")


def test_each_menu_is_described_by_its_card(begin: Begin) -> None:
    walk = begin("business-two-cards")
    open_billing(walk)
    expect(walk.page.get_by_role("button", name="Plus d’actions", exact=True)).to_have_count(2)
    for last4 in ("4242", "4444"):
        expect(walk.more_actions(last4)).to_have_accessible_description(
            f"{'Visa' if last4 == '4242' else 'Mastercard'} •••• {last4}"
        )


def test_a_card_that_expires_too_soon_says_so(begin: Begin) -> None:
    walk = begin("business-two-cards")
    walk.sandbox.clock(walk.account["account"], to="2030-12-20T09:00:00")
    open_billing(walk)
    expect(walk.card("4444")).to_contain_text("Cette carte expire avant le prochain renouvellement")
    walk.sandbox.clock(walk.account["account"], to="2031-01-02T09:00:00")
    open_billing(walk)
    expect(walk.card("4444")).to_contain_text("Cette carte a expiré")
    assert violations(walk.page) == []
