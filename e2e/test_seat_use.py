"""Paid seats and active users on the page of a subscription, and the suggestion of fewer seats."""

import pytest
from playwright.sync_api import expect

from .conftest import Begin
from .matrix import SCRIPTS
from .watcher import scrolls_sideways, violations


@SCRIPTS
def test_the_suggestion_leads_to_the_stepper_and_can_be_hidden(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    walk.page.goto(walk.address())
    seats = walk.page.get_by_role("region", name="Licences et utilisateurs actifs")
    expect(seats.locator("svg path:is(.paid, .active)")).to_have_count(2)
    expect(seats).to_contain_text("144,00\u00a0€\u00a0HT par mois")
    seats.get_by_role("link", name="Réduire à 7 licences").click()
    expect(walk.labelled("seats")).to_have_value("7")
    expect(walk.cost()).to_contain_text("210,00")
    walk.page.goto(walk.address())
    seats.get_by_role("button", name="Masquer jusqu’à la prochaine période").click()
    expect(walk.message()).to_contain_text("La suggestion est masquée jusqu’à la prochaine période.")
    expect(seats.locator("svg path:is(.paid, .active)")).to_have_count(2)
    expect(seats.get_by_role("link", name="Réduire à 7 licences")).to_have_count(0)


@pytest.mark.parametrize(("locale", "scheme"), [("fr", "dark"), ("en", "light")])
def test_it_fits_the_narrowest_screen_and_its_numbers_can_be_read(begin: Begin, locale: str, scheme: str) -> None:
    walk = begin("business", locale=locale, width=320, color_scheme=scheme)
    walk.page.goto(walk.address())
    walk.page.get_by_text(walk.words("Chiffres par mois", "The numbers by month")).click()
    row = walk.page.get_by_role("row", name=walk.words("déc. 2026 12 7", "Dec 2026 12 7"))
    expect(row).to_be_visible()
    assert not scrolls_sideways(walk.page)
    assert violations(walk.page) == []
