"""The explanations in a real browser: they fit, they hold still, and axe finds nothing."""

from typing import Any

import pytest
from playwright.sync_api import expect

from .conftest import Begin
from .stories import Walk
from .watcher import violations

SHIFTS = """() => { window.moved = []; new PerformanceObserver(list => {
    for (const entry of list.getEntries()) for (const {node, previousRect: a, currentRect: b} of entry.sources)
        if (node) moved.push([entry.value, node.outerHTML ?? node.textContent, a.x, a.y, b.x, b.y]);
}).observe({type: "layout-shift"}); }"""  # after a key or a click, too; what has no node is the text in the field


def open_page(walk: Walk, name: str = "") -> None:
    walk.page.goto(f"{walk.sandbox.url}/subscriptions/{walk.account['subscriptions']['business']}{name}")


def sideways(walk: Walk) -> Any:
    return walk.page.evaluate("document.documentElement.scrollWidth > innerWidth")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), pytest.param(360, "dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("procedure", ["renew", "add", "reduce"])
def test_nothing_moves_when_the_number_changes(begin: Begin, procedure: str, width: int, scheme: str) -> None:
    walk = begin("business", width=width, color_scheme=scheme)
    open_page(walk, f"/{procedure}")
    walk.page.evaluate(SHIFTS)
    for seats, price in (
        ("14", "408,00"),
        ("60", "1 515,00"),
        ("3", "90,00"),
        ("10000", "210 255,00"),
        ("8", "240,00"),
    ):
        walk.labelled("seats").fill(seats)
        expect(walk.cost()).to_contain_text(price)
        expect(walk.page.locator("#mark text")).to_have_text(f"{int(seats):,}".replace(",", "\u202f"))
        assert not sideways(walk), seats
    walk.labelled("seats").fill("0")
    expect(walk.cost()).to_contain_text("nombre entier")
    assert walk.page.evaluate("window.moved") == []
    walk.labelled("seats").fill("60")
    expect(walk.page.get_by_text("Une licence de plus")).to_be_visible()
    assert violations(walk.page) == []


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_the_picture_follows_the_number(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    open_page(walk, "/renew")
    walk.button("Increase").click()
    expect(walk.page.get_by_role("img", name="10 × 30,00 €, 3 × 27,00 €")).to_be_visible()
    expect(walk.page.get_by_role("row", name="Différence + 1 + 27,00 €")).to_be_visible()


@pytest.mark.parametrize("locale", ["fr", pytest.param("en", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "scenario",
    ["business", "business-reduction-pending", "business-cancellation-pending", "business-renewed", "expiring-card",
     "business-lapsed", "third-party"],
)  # fmt: skip
def test_what_is_ahead_is_read_by_all_and_fits(begin: Begin, scenario: str, locale: str) -> None:
    walk = begin(scenario, locale=locale, width=360, color_scheme="dark" if locale == "fr" else "light")
    open_page(walk)
    expect(walk.page.get_by_role("heading", name="Chronologie" if locale == "fr" else "Timeline")).to_be_visible()
    expect(walk.page.locator("[aria-current=date]")).to_contain_text("Aujourd’hui" if locale == "fr" else "Today")
    assert not sideways(walk)
    assert violations(walk.page) == []


def test_a_planned_reduction_is_undone_from_the_timeline(begin: Begin) -> None:
    walk = begin("business-reduction-pending")
    open_page(walk)
    walk.page.get_by_role("link", name="Annuler la réduction").click()
    expect(walk.page.get_by_role("dialog")).to_be_visible()
    walk.page.get_by_label("Je comprends").check()
    walk.page.get_by_role("button", name="Confirmer").click()
    expect(walk.page.get_by_role("status").first).to_contain_text("La réduction est annulée.")
    assert walk.subscription()["changes"][0]["state"] == "withdrawn"
