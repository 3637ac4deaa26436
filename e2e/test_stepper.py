"""The stepper that renew, add and reduce share: its cost and its picture follow the number, and nothing moves."""

import pytest
from playwright.sync_api import expect

from .conftest import Begin
from .matrix import SCRIPTS
from .watcher import scrolls_sideways, violations

# Layout shifts count after a key or a click too. A shift without a node is the text in the field.
RECORD_SHIFTS = """() => { window.moved = []; new PerformanceObserver(list => {
    for (const entry of list.getEntries()) for (const {node, previousRect: a, currentRect: b} of entry.sources)
        if (node) moved.push([entry.value, node.outerHTML ?? node.textContent, a.x, a.y, b.x, b.y]);
}).observe({type: "layout-shift"}); }"""


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), pytest.param(360, "dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("procedure", ["renew", "add", "reduce"])
def test_nothing_moves_when_the_number_changes(begin: Begin, procedure: str, width: int, scheme: str) -> None:
    walk = begin("business", width=width, color_scheme=scheme)
    walk.page.goto(walk.address(f"/{procedure}"))
    walk.page.evaluate(RECORD_SHIFTS)
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
        assert not scrolls_sideways(walk.page), seats
    walk.labelled("seats").fill("0")
    expect(walk.cost()).to_contain_text("nombre entier")
    assert walk.page.evaluate("window.moved") == []
    walk.labelled("seats").fill("60")
    expect(walk.page.get_by_text("Une licence de plus")).to_be_visible()
    assert violations(walk.page) == []


@SCRIPTS
def test_the_picture_follows_the_number(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    walk.page.goto(walk.address("/renew"))
    walk.button("Increase").click()
    expect(walk.page.get_by_role("img", name="10 × 30,00 €, 3 × 27,00 €")).to_be_visible()
    expect(walk.page.get_by_role("row", name="Différence + 1 + 27,00 €")).to_be_visible()


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_the_live_region_says_the_number_and_that_it_is_too_small(begin: Begin, locale: str) -> None:
    walk = begin("business", locale=locale)
    walk.page.goto(walk.address("/renew"))
    region = walk.cost()
    expect(region).to_contain_text(walk.words("12 licences utilisateur\u00a0:", "12 seats:"))
    walk.labelled("seats").fill("6")
    walk.button("Decrease").click()
    expect(region).to_contain_text(walk.words("5 licences utilisateur\u00a0:", "5 seats:"))
    expect(region).not_to_contain_text(walk.words("Au moins", "At least"))
    walk.button("Decrease").click()
    expect(region).to_contain_text(walk.words("4 licences utilisateur\u00a0:", "4 seats:"))
    expect(region).to_contain_text(walk.words("Au moins 5", "At least 5"))


@SCRIPTS
def test_decrease_stops_at_one_and_smaller_numbers_can_be_typed_and_are_refused(begin: Begin, scripts: bool) -> None:
    walk = begin("business", scripts=scripts)
    walk.page.goto(walk.address("/renew?seats=3"))
    for shown in ("2", "1", "1", "1"):
        walk.button("Decrease").click()
        expect(walk.labelled("seats")).to_have_value(shown)
    for typed in ("0", "-3"):
        walk.labelled("seats").fill(typed)
        walk.button("Continue").click()
        expect(walk.alert()).to_contain_text("nombre entier")
        expect(walk.labelled("seats")).to_have_value(typed)


def test_the_total_of_a_year_is_as_large_as_the_monthly_cost(begin: Begin) -> None:
    walk = begin("business-annual")
    walk.page.goto(walk.address("/renew"))
    amounts = walk.cost().locator("strong")
    expect(amounts).to_have_text(["354,00\u00a0€", "4\u202f248,00\u00a0€"])
    sizes = amounts.evaluate_all("amounts => amounts.map(amount => getComputedStyle(amount).fontSize)")
    assert sizes[0] == sizes[1]
    walk.page.evaluate(RECORD_SHIFTS)
    walk.labelled("seats").fill("10000")
    expect(amounts).to_have_text(["210\u202f255,00\u00a0€", "2\u202f523\u202f060,00\u00a0€"])
    walk.labelled("seats").fill("0")
    expect(walk.cost()).to_contain_text("nombre entier")
    assert walk.page.evaluate("window.moved") == []
