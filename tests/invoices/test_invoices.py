"""The list of invoices and credit notes: filters, search and pages."""

import re
from itertools import combinations
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, event, select, update

from tests.support.world import LIST, issue, pay, pdf_url, post, quoted, rewrite, signed_in, stored, subscription
from webapp.db import db, transaction
from webapp.invoices import listing
from webapp.invoices.listing import list_invoices
from webapp.models.accounts import Account
from webapp.models.invoices import Invoice, search_key
from webapp.purchases import refunds
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

OWN = ["MQ-2027-000001", *[f"MQ-2026-{n:06d}" for n in (5, 4, 3, 2, 1)]]  # the invoices of a fresh account


def numbers(page: str, but: str = "") -> list[str]:
    """The numbers of the listed documents; spans with the class `but` are left out."""
    page = re.sub(rf'<span class="{but}">.*?</span>', "", page, flags=re.DOTALL) if but else page
    return re.findall(r'href="/billing/invoices/\w{32}">([^<]+)</a>', page)


def test_the_list_tells_of_each_invoice(client: FlaskClient, business: Made) -> None:
    page = client.get(LIST).text
    for text in ("MQ-2027-000001", "15 January", "Qlik Sense Business", "12 seats", "€424.80", "Paid"):
        assert text in page.replace("\u00a0", " ")
    assert f'href="{pdf_url(business)}" aria-label="Download MQ-2027-000001"' in page


def test_an_account_without_invoices_reads_where_they_come_from(client: FlaskClient) -> None:
    with transaction() as session:
        session.execute(delete(Invoice))
    page = client.get(LIST).text
    assert "You have no invoices yet." in page
    assert "<select" not in page


def test_added_seats_are_told_from_a_period(client: FlaskClient, business: Made) -> None:
    assert "Added seats" not in client.get(LIST).text
    rewrite(business, kind="addition")
    assert "Added seats" in client.get(LIST).text


def test_the_filter_keeps_a_year_and_a_subscription(app: Flask) -> None:
    made = scenarios.make("both")
    client, enterprise = signed_in(app, made), made.subscriptions["enterprise"] or ""
    issue(made, 3, enterprise)
    everything = numbers(client.get(LIST).text)
    assert numbers(client.get(f"{LIST}?year=2020").text) == ["OLD-000002", "OLD-000001", "OLD-000000"]
    theirs = numbers(client.get(f"{LIST}?subscription={enterprise}").text)
    ours = numbers(client.get(f"{LIST}?subscription={subscription(made)}").text)
    assert sorted(theirs + ours) == sorted(everything)
    assert set(theirs) > {"OLD-000000"}
    both = client.get(f"{LIST}?year=2020&subscription={subscription(made)}")
    assert (numbers(both.text), "No invoices match these filters." in both.text) == ([], True)
    assert "<option selected>2020</option>" in both.text


@pytest.mark.parametrize(
    "query",
    [
        "year=1999",
        "year=x",
        "year=２０２７",
        "year=-1",
        "year=99999999999",
        "subscription=nothing",
        "before=x",
        "before=2027-02-31.MQ",
        "before=2027-01-15",
        "before=%00.%00",
        "year=&subscription=&before=",
        "year=%27%20OR%201",
    ],
)
def test_a_choice_that_names_nothing_is_ignored(client: FlaskClient, query: str) -> None:
    answer = client.get(f"{LIST}?{query}")
    assert (answer.status_code, numbers(answer.text)) == (200, OWN)


def test_another_accounts_subscription_chooses_nothing(client: FlaskClient) -> None:
    other = scenarios.make("business")
    page = client.get(f"{LIST}?subscription={subscription(other)}").text
    assert numbers(page) == OWN
    assert f'value="{subscription(other)}"' not in page


@pytest.mark.service
def test_fifty_a_page_newest_first_and_each_invoice_once(client: FlaskClient, business: Made) -> None:
    issue(business, 120)
    listed: list[str] = []
    url: str | None = LIST
    sizes = []
    while url:
        page = client.get(url).text
        sizes.append(len(numbers(page)))
        listed += numbers(page)
        link = re.search(r'href="([^"]+)">Older</a>', page)
        url = link[1].replace("&amp;", "&") if link else None
    assert sizes == [50, 50, 26]
    assert listed == [*OWN, *[f"OLD-{n:06d}" for n in reversed(range(120))]]
    assert ">Newest</a>" in page


def test_the_older_page_keeps_the_filter(client: FlaskClient, business: Made) -> None:
    issue(business, 60)
    page = client.get(f"{LIST}?year=2020").text
    link = re.search(r'href="([^"]+)">Older</a>', page)
    assert link
    older = client.get(link[1].replace("&amp;", "&")).text
    assert numbers(older) == [f"OLD-{n:06d}" for n in reversed(range(10))]
    assert "Older</a>" not in client.get(f"{LIST}?year=2027").text


def credited(app: Flask, made: Made) -> dict[str, Invoice]:
    """Two paid invoices, one of them credited in part and one in full: 2 and 4, their credit notes 3, and 5."""
    for net in (1_000, None):
        assert pay(app, made, quoted(app, made)) == "captured"
        post(app, f"/{made.account}/clock", advance="P31D")
        refunds.credit(made.account, listing.invoices_of(made.account)[0].number, net, "Geste commercial")
    db.session.rollback()
    return {invoice.number: invoice for invoice in listing.invoices_of(made.account)}


@pytest.mark.service
@pytest.mark.parametrize(
    ("status", "expected"),
    [("partly_credited", 1), ("credited", 1), ("credit_note", 2), ("paid", 6), ("", 10), ("never", 10)],
)
def test_the_list_is_narrowed_by_what_became_of_an_invoice(
    app: Flask, client: FlaskClient, business: Made, status: str, expected: int
) -> None:
    documents_of = credited(app, business)
    shown = numbers(client.get(f"{LIST}?status={status}").text, but="muted")
    assert len(shown) == expected
    kept = [number for number, document in documents_of.items() if status in ("", "never", document.status)]
    assert shown == kept


def test_a_credit_note_is_negative_and_linked_both_ways(app: Flask, client: FlaskClient, business: Made) -> None:
    documents_of = credited(app, business)
    note = next(
        document for document in documents_of.values() if document.kind == "credit_note" and document.net == 1_000
    )
    invoice = stored(Invoice, str(note.credits_id))
    page = client.get(LIST).text
    for text in ("-€12.00", "Credit note", "Partly credited", "Credited"):
        assert text in page
    assert f'href="{LIST}/{invoice.id}">{invoice.number}</a></span>' in page
    there = client.get(f"{LIST}/{invoice.id}").text
    assert f'href="{LIST}/{note.id}">{note.number}</a>' in there
    assert f'href="{LIST}/{note.id}/download"' in there
    back = client.get(f"{LIST}/{note.id}").text
    assert f"<h1>Credit note {note.number}</h1>" in back
    for text in (f'href="{LIST}/{invoice.id}">{invoice.number}</a>', "Geste commercial", "Refunded to Visa", "€12.00"):
        assert text in back


@pytest.mark.service
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("MQ-2027-000001", ["MQ-2027-000001"]),
        ("mq-2027", ["MQ-2027-000001"]),
        ("1", ["MQ-2027-000001", OWN[-1]]),
        ("2026-000005", ["MQ-2026-000005"]),
        ("0003", ["MQ-2026-000003"]),
        (" MQ-2026-000002 ", ["MQ-2026-000002"]),
        ("po-77", ["MQ-2027-000001"]),
        ("PO-77%20/é", ["MQ-2027-000001"]),
        ("É", []),
        ("2027-0001", ["MQ-2027-000001"]),
        ("mq-2027-1", ["MQ-2027-000001"]),
        ("MQ 2027 0001", []),
        ("2027-0009", []),
        ("77", []),
        ("%25", []),
        ("_Q", []),
        ("mq-2027-000001x", []),
        ("%00", OWN),
        ("%20", OWN),
        ("x" * 5000, []),
        ("'", []),
        ("９", []),
    ],
)
def test_a_search_finds_the_beginning_of_a_number_or_an_order(
    client: FlaskClient, typed: str, expected: list[str]
) -> None:
    with transaction() as session:
        like = session.scalars(select(Invoice).where(Invoice.number == OWN[0])).one()
        like.purchase_order, like.order_key = "PO-77 /É 5", search_key("PO-77 /É 5")
    page = client.get(f"{LIST}?search={typed}")
    assert (page.status_code, numbers(page.text)) == (200, expected)
    assert ("Remove a filter or shorten your search." in page.text) == (not expected)


@pytest.mark.service
def test_the_order_of_a_new_invoice_is_searched(app: Flask, client: FlaskClient, business: Made) -> None:
    with transaction() as session:
        session.execute(update(Account).values(purchase_order="Bon 12"))
    pay(app, business, quoted(app, business))
    refunds.credit(business.account, "MQ-2027-000002")
    assert numbers(client.get(f"{LIST}?search=bon").text, but="muted") == ["MQ-2027-000003", "MQ-2027-000002"]


@pytest.mark.service
def test_a_search_that_means_too_many_says_so(client: FlaskClient, business: Made) -> None:
    issue(business, 120)
    page = client.get(f"{LIST}?search=old").text
    assert "only some of them were checked" in page
    assert numbers(page)[0] == "OLD-000119"
    narrow = client.get(f"{LIST}?search=old-00011").text
    assert numbers(narrow) == [f"OLD-00011{n}" for n in reversed(range(10))]
    assert "only some of them were checked" not in narrow


@pytest.mark.service
def test_the_oldest_come_first_where_that_is_asked_and_all_pages_keep_the_choice(
    client: FlaskClient, business: Made
) -> None:
    issue(business, 70)
    listed, url = [], f"{LIST}?order=oldest&year=2020&status=paid"
    page = client.get(url).text
    while True:
        listed += numbers(page)
        link = re.search(r'href="([^"]+)">Newer</a>', page)
        if not link:
            break
        for kept in ("order=oldest", "year=2020", "status=paid"):
            assert kept in link[1]
        page = client.get(link[1].replace("&amp;", "&")).text
    assert listed == [f"OLD-{n:06d}" for n in range(70)]
    assert ">Oldest</a>" in page


@pytest.mark.service
def test_choices_of_the_list_are_answered_from_an_index(app: Flask, business: Made) -> None:
    """No choice reads the table, nor sorts: the plan of each statement says so (SQLite; `make bench` measures both)."""
    if db.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL reads a small table whole, whatever its indexes")
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        if "FROM invoice" in statement:
            asked.append((statement, given))

    choices: dict[str, str] = {"year": "2026", "subscription": subscription(business), "status": "paid"}
    event.listen(db.engine, "before_cursor_execute", note)
    for count in range(4):
        for chosen in combinations(choices, count):
            for order in ("", "oldest"):
                list_invoices(
                    business.account, {name: choices[name] for name in chosen} | {"order": order, "search": ""}
                )
                list_invoices(business.account, {name: choices[name] for name in chosen} | {"before": "2026-10-01.M"})
    list_invoices(business.account, {"search": "42"})
    event.remove(db.engine, "before_cursor_execute", note)
    with db.engine.connect() as connection:
        for statement, given in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).all()
            of_page = any(row[3] == "MATERIALIZE documents" for row in plan)  # its few rows are put in order at the end
            steps = " ".join(row[3] for row in plan if not (of_page and row[1] == 0))
            # "matched" are the few thousand amounts, from an index, that are summed
            scanned = set(re.findall(r"SCAN (\w+)", steps)) - {"CONSTANT", "days", "matched"}
            assert not scanned, (statement, steps)
            assert "B-TREE" not in steps, (statement, steps)
    assert len(asked) >= 38
