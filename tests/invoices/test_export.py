"""Documents of any months for the accountant: as a ZIP, or as a journal alone."""

import csv
import re
from datetime import date
from io import BytesIO, StringIO
from zipfile import ZipFile

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, update

from tests.invoices.test_invoices import credited
from tests.support.world import dump, issue, words
from webapp.db import transaction
from webapp.invoices import archives
from webapp.invoices.spans import Span, months_between, parse_month, quarters_until
from webapp.models.invoices import Invoice
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

PAGE = "/billing/invoices/export"
QUARTER = "?from=2026-10&to=2026-12"
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


def rows(client: FlaskClient, query: str, delimiter: str = ",") -> list[list[str]]:
    answer = client.get(f"{PAGE}.csv{query}")
    assert (answer.status_code, answer.content_type) == (200, "text/csv; charset=utf-8")
    assert answer.data.startswith(b"\xef\xbb\xbf")
    assert answer.data.count(b"\xef\xbb\xbf") == 1
    assert answer.headers["Content-Length"] == str(len(answer.data))
    return list(csv.reader(StringIO(answer.data.decode("utf-8-sig"), newline=""), delimiter=delimiter))


@pytest.mark.service
def test_a_span_holds_the_documents_of_its_months_and_no_other(client: FlaskClient, business: Made) -> None:
    issue(business, 12, first_day=date(2020, 3, 29))  # until 3 April
    for query, count in (
        ("from=2020-03&to=2020-03", 6),
        ("from=2020-04&to=2020-04", 6),
        ("from=2020-03&to=2020-04", 12),
    ):
        assert len(rows(client, f"?{query}")) == 1 + count
    archive = ZipFile(BytesIO(client.get(f"{PAGE}.zip?from=2020-03&to=2020-03").data))
    assert archive.testzip() is None
    assert archive.namelist()[-2:] == ["journal-2020-03.csv", "MANIFEST.sha256"]
    assert len([name for name in archive.namelist() if name.endswith(".pdf")]) == 6


def test_the_file_is_named_for_its_months(app: Flask, client: FlaskClient, business: Made) -> None:
    for query, name in (
        ("from=2026-10&to=2026-12", "2026-10-2026-12"),
        ("from=2026-10&to=2026-10", "2026-10"),
        ("from=2026-01&to=2026-12", "2026"),
    ):
        if "2026-01" in query:
            issue(business, 1, first_day=date(2026, 1, 1))
        for ending, kind in (("zip", "invoices"), ("csv", "journal")):
            answer = client.head(f"{PAGE}.{ending}?{query}")
            assert answer.headers["Content-Disposition"] == f'attachment; filename="{kind}-{name}.{ending}"'
            assert answer.data == b""


def test_the_journal_is_that_of_the_archive_in_either_language(app: Flask, client: FlaskClient, business: Made) -> None:
    credited(app, business)
    span = "?from=2027-01&to=2027-03"
    for locale, delimiter, amount in (("en", ",", "-12.00"), ("fr", ";", "-12,00")):
        client.set_cookie("locale", locale)
        alone = rows(client, span, delimiter)
        archive = ZipFile(BytesIO(client.get(f"{PAGE}.zip{span}").data))
        within = archive.read(next(name for name in archive.namelist() if name.endswith(".csv"))).decode("utf-8-sig")
        assert alone == list(csv.reader(StringIO(within, newline=""), delimiter=delimiter))
        assert {len(row) for row in alone} == {13}
        assert amount in [row[10] for row in alone]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\u200b=1"])
def test_a_formula_is_text(client: FlaskClient, business: Made, text: str) -> None:
    with transaction() as session:
        session.execute(update(Invoice).values(purchase_order=text))
    assert [row[12][0] for row in rows(client, QUARTER)[1:]] == ["'"] * 3


def test_the_journal_makes_no_document(client: FlaskClient) -> None:
    before = dump()
    rows(client, QUARTER)
    client.head(f"{PAGE}.zip{QUARTER}")
    assert dump() == before


@pytest.mark.service
def test_a_long_journal_is_read_in_parts(client: FlaskClient, business: Made) -> None:
    issue(business, 2 * archives.PAGE + 1)
    numbers = [row[0] for row in rows(client, "?from=2020-01&to=2020-12")[1:]]
    assert numbers == [f"OLD-{n:06d}" for n in range(2 * archives.PAGE + 1)]


def test_nothing_of_another_account_is_in_it(app: Flask, client: FlaskClient, business: Made) -> None:
    other = scenarios.make("business")
    issue(other, 3, first_day=date(2026, 11, 1))
    assert len(rows(client, QUARTER)) == 4
    assert app.test_client().get(f"{PAGE}.csv{QUARTER}").status_code == 303


@pytest.mark.parametrize(
    ("query", "field", "sentence"),
    [
        ("from=2026-12&to=2026-10", "to", "The last month comes before the first: choose December 2026 or later."),
        ("from=x&to=2026-10", "from", "Choose a month from the list."),
        ("from=2026-10", "to", "Choose a month from the list."),
        ("from=2026-13&to=2026-12", "from", "Choose a month from the list."),
        ("from=0000-01&to=2026-12", "from", "Choose a month from the list."),
        ("from=1999-01&to=2026-12", "from", "Choose a month from the list."),
        ("from=2026-10&to=９９９９-12", "to", "Choose a month from the list."),
        ("from=2020-06&to=2020-08", "from", "No invoice or credit note was issued in these months."),
    ],
)
def test_wrong_months_are_refused_at_their_field(
    client: FlaskClient, business: Made, query: str, field: str, sentence: str
) -> None:
    issue(business, 1)
    for address in (PAGE, f"{PAGE}.zip", f"{PAGE}.csv"):
        answer = client.get(f"{address}?{query}")
        assert answer.status_code == 422
        assert f'<p class="refusal" id="{field}-error">{sentence}</p>' in answer.text
        assert f'<a href="#{field}">{sentence}</a>' in answer.text
        assert f'aria-describedby="{field}-error"' in answer.text
        assert "Content-Disposition" not in answer.headers
    assert client.post(PAGE, data=dict(part.split("=") for part in query.split("&"))).status_code == 422
    client.set_cookie("locale", "fr")
    assert "Corrigez les points suivants" in client.get(f"{PAGE}?{query}").text


def test_the_page_begins_with_the_newest_year_and_offers_quarters(client: FlaskClient) -> None:
    page = client.get(PAGE).text.replace("&amp;", "&")
    assert "<h2>January 2027</h2>" in page
    assert "<h2>October 2026 – December 2026</h2>" in client.get(f"{PAGE}{QUARTER}").text
    assert "0 of 1 document is ready." in words(page)
    usual = re.findall(r'<a href="/billing/invoices/export\?([^"]+)">([^<]+)</a>', page)
    assert usual == [
        ("from=2027-01&to=2027-01", "Q1 2027"),
        ("from=2027-01&to=2027-01", "2027"),
        ("from=2026-10&to=2026-12", "Q4 2026"),
        ("from=2026-08&to=2026-09", "Q3 2026"),
        ("from=2026-08&to=2026-12", "2026"),
    ]


def test_the_downloads_are_those_of_the_months_in_the_form(client: FlaskClient) -> None:
    form = re.search(r'<form class="span"[^>]*method="get".*?</form>', client.get(PAGE).text, re.S)
    assert form
    assert re.findall(r'<select[^>]* name="(\w+)"', form[0]) == ["from", "to"]
    assert re.findall(r'<button[^>]* formaction="([^"]+)"', form[0]) == [f"{PAGE}.zip", f"{PAGE}.csv"]
    assert f'href="{PAGE}.' not in client.get(PAGE).text


def test_one_missing_document_is_not_told_as_several(client: FlaskClient) -> None:
    assert "It will be prepared as you download" in words(client.get(PAGE).text)
    assert "The others will be prepared as you download" in words(client.get(f"{PAGE}{QUARTER}").text)


def test_the_documents_of_a_span_are_made_in_steps(client: FlaskClient, business: Made) -> None:
    issue(business, 25)
    months = {"from": "2020-01", "to": "2020-03"}
    answer = client.post(PAGE, data=months)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{PAGE}?from=2020-01&to=2020-03")
    assert f"{archives.STEP} of 25 documents are ready." in client.get(answer.headers["Location"]).text
    fragment = client.post(PAGE, data=months, headers=PARTIAL).text
    assert "25 of 25 documents are ready." in fragment
    assert "<html" not in fragment
    assert "<form" not in fragment


def test_an_account_without_documents_has_nothing_to_export(client: FlaskClient) -> None:
    with transaction() as session:
        session.execute(delete(Invoice))
    for address in (PAGE, f"{PAGE}.zip", f"{PAGE}.csv"):
        answer = client.get(address)
        assert "There is no invoice yet." in answer.text
        assert "<select" not in answer.text


# Months
def test_months() -> None:
    assert parse_month("2027-02") == date(2027, 2, 1)
    for wrong in ("", "2027-2", "2027-00", "2027-13", "0000-05", "2027-02-01", "２０２７-02", "2027-02\n"):
        assert parse_month(wrong) is None
    assert Span.of_months(date(2028, 2, 9), date(2028, 2, 1)) == (date(2028, 2, 1), date(2028, 2, 29))
    assert Span.of_months(date(2027, 11, 9), date(2027, 12, 1)).last == date(2027, 12, 31)
    assert list(months_between(date(2026, 11, 30), date(2027, 1, 1))) == [
        date(2026, 11, 1),
        date(2026, 12, 1),
        date(2027, 1, 1),
    ]
    assert [(n, span.name) for n, span in quarters_until(date(2027, 5, 31))] == [
        (2, "2027-04-2027-06"),
        (1, "2027-01-2027-03"),
    ]
