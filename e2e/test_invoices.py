"""Invoices in a real browser: the documented steps, the filter, and the list on any screen."""

import pytest
from playwright.sync_api import Locator, expect

from .conftest import Begin, violations
from .stories import Walk, invoices

LANGUAGES = pytest.mark.parametrize("locale", ["fr", "en"])
SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])


def open_list(walk: Walk) -> None:
    walk.page.goto(f"{walk.sandbox.url}/billing/invoices")
    walk.heading("Invoices")


def rows(walk: Walk) -> Locator:
    return walk.page.locator("tbody tr")


@LANGUAGES
@SCRIPTS
def test_the_documented_download(begin: Begin, locale: str, scripts: bool) -> None:
    walk = begin("business", locale=locale, scripts=scripts)
    broken: list[str] = []

    def look(_title: str, _acted: Locator | None) -> None:
        if scripts:
            broken.extend(violations(walk.page))

    walk.watch = look
    invoices(walk)
    assert broken == []


@SCRIPTS
def test_the_filter_narrows_the_list_and_lets_go(begin: Begin, scripts: bool) -> None:
    walk = begin("both", locale="en", scripts=scripts)
    page, year = walk.page, walk.page.get_by_label("Year")
    open_list(walk)
    everything = rows(walk).count()
    year.select_option("2026")
    page.get_by_label("Subscription", exact=True).select_option(index=1)
    walk.button("Filter").click()
    expect(year).to_have_value("2026")
    expect(rows(walk)).to_have_count(5)
    expect(rows(walk).filter(has_not_text="Qlik Sense Business")).to_have_count(0)
    page.get_by_role("link", name="Show all").click()
    expect(rows(walk)).to_have_count(everything)


def test_a_row_downloads_the_same_file_as_its_page(begin: Begin) -> None:
    walk = begin("business", locale="en")
    open_list(walk)
    link = walk.page.get_by_role("link", name="Download MQ-2027-000001")
    files = []
    for _ in range(2):
        with walk.page.expect_download() as download:
            link.click()
        files.append(download.value.path().read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (360, "light"), (320, "dark")])
def test_every_screen_fits_and_reads_in_any_width_and_scheme(begin: Begin, width: int, scheme: str) -> None:
    walk = begin("business", width=width, color_scheme=scheme)
    broken: list[str] = []

    def look(title: str, _acted: Locator | None) -> None:
        broken.extend(violations(walk.page))
        if walk.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            broken.append(f"{title}: scrolls sideways")

    walk.watch = look
    invoices(walk)
    walk.page.goto(f"{walk.sandbox.url}/billing/invoices?year=2026")
    look("filtered", None)
    assert broken == []
