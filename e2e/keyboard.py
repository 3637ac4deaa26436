"""The keyboard as a user without a mouse has it."""

from playwright.sync_api import Locator

MOST_TABS = 40  # more than any page has stops before a control of a procedure


def press(target: Locator, key: str = "Enter") -> None:
    """Tabs to the control, which fails where Tab does not reach it, and presses the key there."""
    target.wait_for()
    keyboard = target.page.keyboard
    for _ in range(MOST_TABS):
        if target.evaluate("element => element === document.activeElement"):
            break
        keyboard.press("Tab")
    else:
        raise AssertionError(f"{target} cannot be reached")
    keyboard.press(key)
