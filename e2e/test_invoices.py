"""Invoices: the documented steps, the filter, credit notes, a year's archive, and the list on any screen."""

from zipfile import ZipFile

import pytest
from playwright.sync_api import Locator, expect

from .conftest import Begin, WalkStory
from .matrix import SCRIPTS, Cell, in_the_matrix
from .portal import flask
from .stories import Story, Walk, invoices


@in_the_matrix(invoices.DOCUMENTED)
def test_the_documented_steps(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


def open_list(walk: Walk) -> None:
    walk.page.goto(f"{walk.sandbox.url}/billing/invoices")
    walk.heading("Invoices")


def rows(walk: Walk) -> Locator:
    return walk.page.locator("tbody tr")


def apply_filter(walk: Walk, scripts: bool) -> None:
    """With scripts, a choice applies at once."""
    if not scripts:
        walk.button("Filter").click()


@SCRIPTS
def test_the_filter_narrows_the_list_and_is_cleared(begin: Begin, scripts: bool) -> None:
    walk = begin("both", locale="en", scripts=scripts)
    page, year = walk.page, walk.page.get_by_label("Year")
    open_list(walk)
    everything = rows(walk).count()
    year.select_option("2026")
    page.get_by_label("Subscription", exact=True).select_option(index=1)
    apply_filter(walk, scripts)
    expect(year).to_have_value("2026")
    expect(rows(walk)).to_have_count(5)
    expect(rows(walk).filter(has_not_text="Qlik Sense Business")).to_have_count(0)
    page.get_by_role("link", name="Show all").click()
    expect(rows(walk)).to_have_count(everything)


def test_filters_apply_at_once_and_back_leads_to_the_choice_before(begin: Begin) -> None:
    walk = begin("many-invoices", locale="en")
    page, sum_of = walk.page, walk.page.locator("#matched")
    open_list(walk)
    expect(sum_of).to_contain_text("120 documents")
    page.get_by_label("Year").select_option("2026")
    expect(sum_of).to_contain_text("12 documents")
    expect(rows(walk)).to_have_count(12)
    page.get_by_label("Status", exact=True).select_option("Credited")
    expect(page.get_by_text("No invoices match these filters.")).to_be_visible()
    expect(page).to_have_url(f"{walk.sandbox.url}/billing/invoices?year=2026&status=credited")
    page.go_back()
    expect(page).to_have_url(f"{walk.sandbox.url}/billing/invoices?year=2026")
    expect(rows(walk)).to_have_count(12)
    expect(page.get_by_label("Status", exact=True)).to_have_value("")
    page.get_by_label("Number or purchase order starts with").press_sequentially("mq-2026-00001")
    expect(rows(walk)).to_have_count(4)  # 10 to 12 by their beginning, and 1 by its number
    page.reload()
    expect(rows(walk)).to_have_count(4)


@SCRIPTS
def test_a_heading_sorts_the_list(begin: Begin, scripts: bool) -> None:
    walk = begin("business", locale="en", scripts=scripts)
    page = walk.page
    open_list(walk)
    page.get_by_role("link", name="Number", exact=True).click()
    expect(page.get_by_role("columnheader", name="Number")).to_have_attribute("aria-sort", "descending")
    page.get_by_role("link", name="Number", exact=True).click()
    expect(page.get_by_role("columnheader", name="Number")).to_have_attribute("aria-sort", "ascending")
    expect(rows(walk).first).to_contain_text("MQ-2026-000001")


@SCRIPTS
def test_a_quarter_is_exported(begin: Begin, scripts: bool) -> None:
    walk = begin("business", locale="en", scripts=scripts)
    page = walk.page
    open_list(walk)
    page.get_by_role("link", name="Export other months").click()
    page.get_by_label("First month").select_option("October 2026")
    page.get_by_label("Last month").select_option("September 2026")
    page.get_by_role("button", name="Choose these months").click()
    refusal = "The last month comes before the first: choose October 2026 or later."
    expect(page.locator("#to-error")).to_have_text(refusal)
    page.get_by_label("Last month").select_option("November 2026")
    with page.expect_download() as download:  # the months need not be chosen first
        page.get_by_role("button", name="journal (CSV)").click()
    assert download.value.suggested_filename == "journal-2026-10-2026-11.csv"
    page.get_by_label("Last month").select_option("December 2026")
    page.get_by_role("button", name="Choose these months").click()
    expect(page.get_by_role("heading", name="October 2026 – December 2026")).to_be_visible()
    page.get_by_role("button", name="Prepare the documents").click()
    expect(page.get_by_text("3 of 3 documents are ready.")).to_be_visible()
    for name, file in (
        ("documents (ZIP)", "invoices-2026-10-2026-12.zip"),
        ("journal (CSV)", "journal-2026-10-2026-12.csv"),
    ):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        assert download.value.suggested_filename == file


@SCRIPTS
def test_a_document_is_sent_again_and_its_number_copied(begin: Begin, scripts: bool) -> None:
    walk = begin("business", locale="en", scripts=scripts, inspected=True)
    page = walk.page
    open_list(walk)
    page.get_by_role("link", name="MQ-2027-000001", exact=True).click()
    expect(page.get_by_text("No e-mail with this document is on record.")).to_be_visible()
    page.get_by_role("button", name="Send by e-mail", exact=True).click()
    expect(page.locator("#flash")).to_contain_text("The document is on its way to")
    expect(page.get_by_role("button", name="Send again by e-mail")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="Kept")).to_have_count(1)
    copy = page.get_by_role("button", name="Copy the number")
    if not scripts:
        expect(copy).to_have_count(0)
        return
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    copy.click()
    expect(page.locator("#said")).to_have_text("The number is copied.")
    assert page.evaluate("navigator.clipboard.readText()") == "MQ-2027-000001"
    expect(copy).to_be_focused()


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


def test_an_invoice_of_another_account_is_not_found(begin: Begin) -> None:
    other = begin("business", locale="en")
    open_list(other)
    address = other.page.get_by_role("link", name="MQ-2027-000001", exact=True).get_attribute("href")
    walk = begin("business", locale="en")
    for document in (address, f"{address}.pdf"):
        answer = walk.page.request.get(f"{walk.sandbox.url}{document}")
        assert answer.status == 404, document
    walk.page.goto(f"{walk.sandbox.url}{address}")
    expect(walk.page.get_by_role("heading", level=1)).to_have_text("Page not found")


def credit(walk: Walk, number: str, *options: str) -> None:
    """Issues a credit note by the command of the operator, while the server runs."""
    result = flask(walk.sandbox.env, "credit-note", "--account", walk.account["account"], number, *options)
    assert result.returncode == 0, result.stderr


def pay_a_renewal(walk: Walk) -> None:
    """Moves the clock to the automatic renewal, which leaves an invoice that was paid through the gateway."""
    walk.sandbox.clock(walk.account["account"], to="2027-02-15T00:00:00")


@SCRIPTS
def test_a_search_a_status_and_an_order_are_kept_and_a_credit_note_leads_to_its_invoice(
    begin: Begin, scripts: bool
) -> None:
    walk = begin("business", locale="en", scripts=scripts)
    pay_a_renewal(walk)
    credit(walk, "MQ-2027-000002", "--net", "1000")
    page = walk.page
    open_list(walk)
    page.get_by_label("Number or purchase order starts with").fill("mq-2027")
    page.get_by_label("Order", exact=True).select_option("Oldest first")
    apply_filter(walk, scripts)
    expect(rows(walk)).to_have_count(3)
    expect(rows(walk).first).to_contain_text("MQ-2027-000001")
    page.get_by_label("Status", exact=True).select_option("Credit notes")
    apply_filter(walk, scripts)
    expect(page.get_by_label("Number or purchase order starts with")).to_have_value("mq-2027")
    expect(rows(walk)).to_have_count(1)
    expect(rows(walk)).to_contain_text("-€12.00")
    page.get_by_role("link", name="MQ-2027-000002", exact=True).click()
    expect(page.get_by_role("heading", name="Invoice MQ-2027-000002")).to_be_visible()
    expect(page.get_by_text("Partly credited")).to_be_visible()
    page.get_by_role("link", name="MQ-2027-000003", exact=True).click()
    expect(page.get_by_role("heading", name="Credit note MQ-2027-000003")).to_be_visible()
    open_list(walk)
    page.get_by_label("Number or purchase order starts with").fill("nothing")
    apply_filter(walk, scripts)
    expect(page.get_by_text("Remove a filter or shorten your search.")).to_be_visible()


@SCRIPTS
def test_the_year_is_prepared_and_downloaded(begin: Begin, scripts: bool) -> None:
    walk = begin("many-invoices", locale="en", scripts=scripts)
    page = walk.page
    page.goto(f"{walk.sandbox.url}/billing/invoices?year=2026")
    page.get_by_role("link", name="Contents").click()
    expect(page.get_by_role("heading", name="The year 2026")).to_be_visible()
    expect(page.get_by_text("0 of 12 documents are ready.")).to_be_visible()
    page.get_by_role("button", name="Prepare the documents").click()
    expect(page.get_by_text("12 of 12 documents are ready.")).to_be_visible()
    expect(page.get_by_role("button", name="Prepare the documents")).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the year 2026").click()
    assert download.value.suggested_filename == "invoices-2026.zip"
    with ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        assert len([name for name in archive.namelist() if name.endswith(".pdf")]) == 12


@pytest.mark.parametrize(("width", "scheme"), [pytest.param(1280, "dark", marks=pytest.mark.slow), (360, "light")])
def test_credit_notes_filters_and_a_year_fit_and_read_in_any_width_and_scheme(
    begin: Begin, width: int, scheme: str
) -> None:
    walk = begin("business", width=width, color_scheme=scheme, inspected=True)
    pay_a_renewal(walk)
    credit(walk, "MQ-2027-000002", "--reason", "Geste commercial")
    addresses = ("", "?year=2026", "?search=zz", "?status=credit_note&order=oldest", "/year/2027", "/export")
    for address in (*addresses, "/export?from=2027-01&to=2026-12"):
        walk.page.goto(f"{walk.sandbox.url}/billing/invoices{address}")
        walk.see("La liste des factures.", "The list of invoices.")
    for document in ("MQ-2027-000002", "MQ-2027-000003"):
        walk.page.goto(f"{walk.sandbox.url}/billing/invoices?search={document}")
        walk.page.get_by_role("link", name=document, exact=True).first.click()
        walk.see("Le document.", "The document.")
