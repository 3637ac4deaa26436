"""Every page on any screen: axe, the size of targets, widths, colour schemes, forced colours, reduced motion."""

import pytest

from .conftest import Begin
from .matrix import WHOLE
from .stories import Walk
from .watcher import page_faults

WITHOUT_EDGE = """() => [...document.querySelector("main")
    .querySelectorAll("button, a.button, input, select, .badge, .notice, .alert")]
    .filter(element => element.checkVisibility({visibilityProperty: true}) && !element.closest("label"))
    .filter(element => {
        const style = getComputedStyle(element);
        const edged = ["Top", "Left"].some(side => parseFloat(style[`border${side}Width`]) > 0
            && style[`border${side}Style`] !== "none" && style[`border${side}Color`] !== "rgba(0, 0, 0, 0)");
        return !edged && !element.matches(".ghost, .link");
    }).map(element => element.outerHTML.slice(0, 100))"""
SCREENS = [("fr", 320, "dark"), ("en", 1280, "light")]
OTHER_SCREENS = [("fr", 1280, "light"), ("en", 320, "dark")]


def addresses(walk: Walk) -> list[str]:
    """Every page that can be opened without changing anything."""
    subscription = f"/subscriptions/{walk.account['subscriptions']['business']}"
    return [
        "/subscriptions",
        subscription,
        f"{subscription}/manage",
        f"{subscription}/renew",
        f"{subscription}/add?seats=9999",
        f"{subscription}/reduce",
        f"{subscription}/cancel",
        f"{subscription}/reduce/confirm?seats=8",
        "/billing",
        "/billing/information",
        "/billing/invoices?search=MQ-2027",
        "/billing/invoices/year/2026",
        f"/billing/cards/{walk.account['cards'][0]}/delete",
        "/contact",
        "/activity",
        "/team",
        "/account/mails",
        "/accessibility",
        "/never",
        f"/sandbox?account={walk.account['account']}",
        f"/subscriptions/{walk.account['subscriptions']['enterprise']}/renew",
    ]


@pytest.mark.matrix
@pytest.mark.parametrize(("locale", "width", "scheme"), SCREENS + (OTHER_SCREENS if WHOLE else []))
def test_every_page_on_every_screen(begin: Begin, locale: str, width: int, scheme: str) -> None:
    walk = begin("both", locale=locale, width=width, color_scheme=scheme, reduced_motion="reduce")
    broken = []
    for address in addresses(walk):
        walk.page.goto(walk.sandbox.url + address)
        broken += page_faults(walk.page)
        broken += [f"{address}: moves" for _ in range(walk.page.evaluate("document.getAnimations().length"))]
    walk.account_menu(walk["Sign out"]).click()
    broken += page_faults(walk.page)
    assert broken == []


def test_nothing_scrolls_sideways_on_any_width(begin: Begin) -> None:
    walk = begin("both", reduced_motion="reduce")
    wide = []
    for address in addresses(walk):
        walk.page.goto(walk.sandbox.url + address)
        for width in range(320, 1281, 20):
            walk.page.set_viewport_size({"width": width, "height": 800})
            if walk.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append(f"{address} at {width}")
    assert wide == []


def test_with_forced_colours_every_control_keeps_an_edge(begin: Begin) -> None:
    walk = begin("both", forced_colors="active")
    broken = []
    for address in addresses(walk):
        walk.page.goto(walk.sandbox.url + address)
        broken += [f"{address}: {element}" for element in walk.page.evaluate(WITHOUT_EDGE)]
    assert broken == []
