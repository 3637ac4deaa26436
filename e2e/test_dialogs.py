"""Where the focus goes when a dialog is closed that came as a page of its own."""

import pytest
from playwright.sync_api import expect

from .conftest import Begin
from .watcher import violations


@pytest.mark.parametrize("locale", ["fr", "en"])
@pytest.mark.parametrize("closing", ["Escape", "link"])
@pytest.mark.parametrize("address", ["/reduce/confirm?seats=8", "/cancel", "/manage"])
def test_the_focus_goes_to_the_tile(begin: Begin, address: str, closing: str, locale: str) -> None:
    walk = begin("business", locale=locale)
    walk.page.goto(walk.address(address))
    dialog = walk.page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    assert dialog.evaluate("dialog => dialog.contains(document.activeElement)")
    if closing == "Escape":
        walk.page.keyboard.press("Escape")
    else:
        dialog.locator("[data-close]").click()
    expect(dialog).to_have_count(0)
    expect(walk.tile()).to_be_focused()
    assert violations(walk.page) == []
