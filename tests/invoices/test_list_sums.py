"""What stands above the list of invoices: how many documents are filtered, and their sum. How the list is sorted."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, update

from tests.invoices.test_invoices import credited, numbers
from tests.support.world import LIST, invoice_of, issue, signed_in, statements, words
from webapp.db import db, transaction
from webapp.invoices import listing, listing_query
from webapp.models.invoices import Invoice
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


def matched(page: str) -> str:
    found = re.search(r'<p id="matched".*?>(.*?)</p>', page, re.DOTALL)
    assert found
    return words(found[1])


@pytest.mark.service
def test_the_count_and_the_sum_are_those_of_all_pages(client: FlaskClient, business: Made) -> None:
    issue(business, 120)
    assert matched(client.get(LIST).text) == "126 documents Total: €53,524.80"
    page = client.get(f"{LIST}?year=2020")
    assert matched(page.text) == "120 documents Total: €50,976.00 Show all"
    older = re.search(r'href="([^"]+)">Older</a>', page.text)
    assert older
    assert matched(client.get(older[1].replace("&amp;", "&")).text) == matched(page.text)


@pytest.mark.service
@pytest.mark.parametrize(
    "query", ["", "status=credited", "status=credit_note", "year=2027", "year=2026", "search=mq-2027", "search=5"]
)
@pytest.mark.parametrize("order", ["newest", "smallest"])
def test_credit_notes_are_taken_off(app: Flask, client: FlaskClient, business: Made, query: str, order: str) -> None:
    credited(app, business)
    page = listing.list_invoices(
        business.account, {"order": order} | dict(part.split("=") for part in query.split("&") if part)
    )
    assert page.matched
    shown = page.invoices
    assert page.matched.documents == len(shown)
    assert page.matched.credit_notes == len([document for document in shown if document.credits_id])
    assert page.matched.sums == [(sum(document.amount for document in shown), "EUR")]
    if page.matched.credit_notes:
        assert "credit note" in matched(client.get(f"{LIST}?{query}").text)


@pytest.mark.service
def test_each_currency_has_its_sum_by_one_statement_more(client: FlaskClient, business: Made) -> None:
    issue(business, 2)
    with transaction() as session:
        session.execute(
            update(Invoice).where(Invoice.number == "OLD-000001").values(currency="CHF", total=1, net=1, tax=0)
        )
    assert "2 documents Total: CHF" in matched(client.get(f"{LIST}?year=2020").text)
    with statements() as sent:
        page = listing.list_invoices(business.account, {"year": "2020"})
    assert page.matched
    assert (page.matched.sums, len(sent)) == ([(1, "CHF"), (42_480, "EUR")], 2)
    assert listing.list_invoices(business.account, {"search": "old"}).matched == page.matched


def test_a_list_without_matches_has_no_sum(client: FlaskClient) -> None:
    assert matched(client.get(f"{LIST}?search=zz").text) == "Show all"
    assert matched(client.get(f"{LIST}?status=credited").text) == "Show all"


def test_what_a_search_left_out_is_not_summed(client: FlaskClient, business: Made) -> None:
    issue(business, 120)
    assert matched(client.get(f"{LIST}?search=old").text) == "Show all"


def test_a_very_long_list_is_not_counted_to_its_end(
    client: FlaskClient, business: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing_query, "COUNTED_MAX", 5)
    listing_query._page.cache_clear()
    assert matched(client.get(LIST).text) == "More than 5 documents Choose a year or a subscription to see the total."
    assert matched(client.get(f"{LIST}?year=2026").text) == "5 documents Total: €2,124.00 Show all"
    listing_query._page.cache_clear()


def test_the_sum_reads_an_index_alone(app: Flask, business: Made) -> None:
    if db.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL reads a small table whole, whatever its indexes")
    sent: list[tuple[str, object]] = []

    def note(_c: object, _cursor: object, statement: str, given: object, *_: object) -> None:
        sent.append((statement, given))

    event.listen(db.engine, "before_cursor_execute", note)
    asked: tuple[dict[str, str], ...] = (
        {},
        {"year": "2026"},
        {"status": "paid"},
        {"year": "2026", "status": "paid", "order": "largest"},
    )
    for parameters in asked:
        listing.list_invoices(business.account, parameters)
    event.remove(db.engine, "before_cursor_execute", note)
    with db.engine.connect() as connection:
        for statement, given in (each for each in sent if "AS matched" in each[0]):
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)]  # type: ignore[arg-type]
            before = plan[plan.index("SCAN matched") - 1]
            assert before.startswith("SEARCH invoice USING COVERING INDEX"), plan


@pytest.mark.service
@pytest.mark.parametrize(
    ("order", "heading", "sort"),
    [
        ("", "Date", "descending"),
        ("oldest", "Date", "ascending"),
        ("last-number", "Number", "descending"),
        ("first-number", "Number", "ascending"),
        ("largest", "Amount", "descending"),
        ("smallest", "Amount", "ascending"),
    ],
)
def test_every_order_lists_each_document_once_over_all_pages(
    app: Flask, client: FlaskClient, business: Made, order: str, heading: str, sort: str
) -> None:
    documents_of = credited(app, business)
    issue(business, 70)
    listed: list[str] = []
    url = f"{LIST}?order={order}"
    while True:
        page = client.get(url).text
        listed += numbers(page, but="muted")
        assert re.search(rf'aria-sort="{sort}">\s*<a class="sort" href="[^"]+">{heading}</a>', page), heading
        assert page.count("aria-sort") == 1
        link = re.search(r'href="([^"]+)">(Older|Newer|Next page)</a>', page)
        if not link:
            break
        url = link[1].replace("&amp;", "&")
    assert len(listed) == len(set(listed)) == 80
    rows = {document.number: document for document in listing.invoices_of(business.account)}
    keys: dict[str, Callable[[str], Any]] = {
        "Date": lambda number: (rows[number].issued_on, number),
        "Number": str.casefold,
        "Amount": lambda number: (-1 if rows[number].credits_id else 1) * rows[number].total,
    }
    ordered = [keys[heading](number) for number in listed]
    assert all((a <= b if sort == "ascending" else a >= b) for a, b in pairwise(ordered))
    assert documents_of.keys() <= set(listed)


@pytest.mark.service
def test_a_search_is_sorted_too(app: Flask, client: FlaskClient, business: Made) -> None:
    credited(app, business)
    page = listing.list_invoices(business.account, {"search": "mq-2027", "order": "smallest"})
    amounts = [document.amount for document in page.invoices]
    assert amounts == sorted(amounts)
    assert amounts[0] < 0


def test_a_heading_keeps_the_filters_and_turns_the_order_round(client: FlaskClient) -> None:
    page = client.get(f"{LIST}?year=2026&status=paid&order=largest").text.replace("&amp;", "&")
    assert f'href="{LIST}?order=smallest&year=2026&status=paid">Amount</a>' in page
    assert f'href="{LIST}?order=last-number&year=2026&status=paid">Number</a>' in page
    assert f'href="{LIST}?year=2026&status=paid">Date</a>' in page
    assert '<option value="largest" selected>' in page


@pytest.mark.parametrize("order", ["number", "largest", "first-number", "x"])
@pytest.mark.parametrize("before", ["x", "%00", "1.", ".", "1e9.A", "-5.MQ", "9" * 40 + ".A", "２.A"])
def test_a_place_that_names_nothing_is_no_fault(client: FlaskClient, order: str, before: str) -> None:
    assert client.get(f"{LIST}?order={order}&before={before}").status_code == 200


# With scripts
def test_a_changed_filter_is_answered_by_the_list_alone(client: FlaskClient) -> None:
    answer = client.get(f"{LIST}?search=&subscription=&year=2026&status=&order=largest", headers=PARTIAL)
    assert answer.headers["HX-Push-Url"] == f"{LIST}?year=2026&order=largest"
    assert {"HX-Request", "HX-Request-Type"} <= set(answer.headers["Vary"].replace(",", " ").split())
    assert "<html" not in answer.text
    assert "<form" not in answer.text
    assert len(numbers(answer.text)) == 5
    assert "5 documents" in words(answer.text)
    whole = client.get(answer.headers["HX-Push-Url"])
    assert numbers(whole.text) == numbers(answer.text)
    assert "HX-Push-Url" not in whole.headers


def test_letters_that_are_typed_are_no_steps_to_go_back_to(client: FlaskClient) -> None:
    headers = PARTIAL | {"HX-Current-URL": f"http://localhost{LIST}?year=2026&search=mq"}
    typed = client.get(f"{LIST}?year=2026&search=mq-2026&status=", headers=headers)
    assert typed.headers["HX-Replace-Url"] == f"{LIST}?year=2026&search=mq-2026"
    assert "HX-Push-Url" not in typed.headers
    chosen = client.get(f"{LIST}?year=2026&search=mq&status=paid", headers=headers)
    assert chosen.headers["HX-Push-Url"] == f"{LIST}?year=2026&status=paid&search=mq"


def test_the_documents_of_another_account_are_neither_counted_nor_summed(app: Flask, business: Made) -> None:
    other = scenarios.make("business")
    issue(other, 30)
    assert matched(signed_in(app, business).get(LIST).text) == "6 documents Total: €2,548.80"
    assert invoice_of(other).account_id == other.account
