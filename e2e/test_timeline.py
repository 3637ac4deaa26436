"""The timeline on the page of a subscription."""

import pytest
from playwright.sync_api import expect

from .conftest import Begin
from .watcher import scrolls_sideways, violations


@pytest.mark.parametrize("locale", ["fr", pytest.param("en", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "scenario",
    [
        "business",
        "business-reduction-pending",
        "business-cancellation-pending",
        "business-renewed",
        "expiring-card",
        "business-lapsed",
        "third-party",
    ],
)
def test_it_fits_a_narrow_screen_and_axe_finds_nothing(begin: Begin, scenario: str, locale: str) -> None:
    walk = begin(scenario, locale=locale, width=360, color_scheme="dark" if locale == "fr" else "light")
    walk.page.goto(walk.address())
    expect(walk.page.get_by_role("heading", name=walk.words("Chronologie", "Timeline"))).to_be_visible()
    expect(walk.page.locator("[aria-current=date]")).to_contain_text(walk.words("Aujourd’hui", "Today"))
    assert not scrolls_sideways(walk.page)
    assert violations(walk.page) == []
