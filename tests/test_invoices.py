"""Invoices: the list, its filter and its pages, and the PDF that is made once from what was frozen."""

import logging
import random
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from io import BytesIO
from itertools import combinations
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import delete, event, select, update

from webapp import billing, credit_notes, documents
from webapp.db import db, new_id, transaction
from webapp.invoices import listed
from webapp.models import Account
from webapp.records import Invoice, InvoiceDocument, searched
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

from .conftest import signed_in
from .world import dump, pay, post, quoted, subscription

pytestmark = pytest.mark.service
LIST = "/billing/invoices"
OWN = ["MQ-2027-000001", *[f"MQ-2026-{n:06d}" for n in (5, 4, 3, 2, 1)]]  # those of a fresh account


def invoice_of(made: Made) -> Invoice:
    db.session.rollback()
    return billing.invoices_of(made.account)[0]


def pdf_url(made: Made) -> str:
    return f"{LIST}/{invoice_of(made).id}/download"


def read(pdf: bytes) -> str:
    """The text of a PDF, every kind of space as one plain space."""
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)
    return re.sub(r"\s+", " ", text.replace("\u200b", ""))


def rewrite(made: Made, **told: Any) -> None:
    """The invoice as if it had been issued with other words; the screens never do this."""
    invoice = invoice_of(made)
    snapshot = {name: told.get(name, value) for name, value in invoice.snapshot.items()}
    with transaction() as session:
        session.execute(update(Invoice).where(Invoice.id == invoice.id).values(snapshot=snapshot))


def buyer(made: Made, **told: Any) -> dict[str, Any]:
    return {**invoice_of(made).snapshot["buyer"], **told}


def issue(made: Made, count: int, of: str | None = None, first_day: date = date(2020, 1, 1)) -> None:
    """`count` past invoices like the account's own, two on each day."""
    like = invoice_of(made)
    columns = {
        name: getattr(like, name) for name in ("issuer_id", "account_id", "currency", "net", "tax", "total", "snapshot")
    }
    with transaction() as session:
        for n in range(count):
            session.add(
                Invoice(
                    id=new_id(), subscription_id=of or subscription(made), number=f"OLD-{n:06d}",
                    issued_on=first_day + timedelta(n // 2), **columns,
                )
            )  # fmt: skip


def numbers(page: str, but: str = "") -> list[str]:
    """Of the documents in the list; `but`: not those that a credit note refers to."""
    page = re.sub(rf'<span class="{but}">.*?</span>', "", page) if but else page
    return re.findall(r'href="/billing/invoices/\w+">([^<]+)</a>', page)


# The list


def test_the_list_tells_of_each_invoice(client: FlaskClient, business: Made) -> None:
    page = client.get(LIST).text
    for told in ("MQ-2027-000001", "15 January", "Qlik Sense Business", "12 seats", "€424.80", "Paid"):
        assert told in page.replace("\u00a0", " ")
    assert f'href="{pdf_url(business)}" aria-label="Download MQ-2027-000001"' in page


def test_an_account_without_invoices_reads_where_they_come_from(client: FlaskClient) -> None:
    with transaction() as session:
        session.execute(delete(Invoice))
    page = client.get(LIST).text
    assert "There is no invoice yet." in page
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
    assert (numbers(both.text), "No invoice matches this choice." in both.text) == ([], True)
    assert "<option selected>2020</option>" in both.text


@pytest.mark.parametrize(
    "query",
    ["year=1999", "year=x", "year=２０２７", "year=-1", "year=99999999999", "subscription=nothing", "before=x",
     "before=2027-02-31.MQ", "before=2027-01-15", "before=%00.%00", "year=&subscription=&before=", "year=%27%20OR%201"],
)  # fmt: skip
def test_a_choice_that_names_nothing_is_ignored(client: FlaskClient, query: str) -> None:
    answer = client.get(f"{LIST}?{query}")
    assert (answer.status_code, numbers(answer.text)) == (200, OWN)


def test_another_accounts_subscription_chooses_nothing(client: FlaskClient) -> None:
    other = scenarios.make("business")
    page = client.get(f"{LIST}?subscription={subscription(other)}").text
    assert numbers(page) == OWN
    assert f'value="{subscription(other)}"' not in page


def test_fifty_a_page_newest_first_and_each_invoice_once(client: FlaskClient, business: Made) -> None:
    issue(business, 120)
    found: list[str] = []
    url: str | None = LIST
    sizes = []
    while url:
        page = client.get(url).text
        sizes.append(len(numbers(page)))
        found += numbers(page)
        link = re.search(r'href="([^"]+)">Older</a>', page)
        url = link[1].replace("&amp;", "&") if link else None
    assert sizes == [50, 50, 26]
    assert found == [*OWN, *[f"OLD-{n:06d}" for n in reversed(range(120))]]
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
        credit_notes.credit(made.account, billing.invoices_of(made.account)[0].number, net, "Geste commercial")
    db.session.rollback()
    return {invoice.number: invoice for invoice in billing.invoices_of(made.account)}


@pytest.mark.parametrize(
    ("status", "found"),
    [("partly_credited", 1), ("credited", 1), ("credit_note", 2), ("paid", 6), ("", 10), ("never", 10)],
)
def test_the_list_is_narrowed_by_what_became_of_an_invoice(
    app: Flask, client: FlaskClient, business: Made, status: str, found: int
) -> None:
    documents_of = credited(app, business)
    shown = numbers(client.get(f"{LIST}?status={status}").text, but="muted")
    assert len(shown) == found
    kept = [number for number, one in documents_of.items() if status in ("", "never", one.status)]
    assert shown == kept


def test_a_credit_note_is_negative_and_linked_both_ways(app: Flask, client: FlaskClient, business: Made) -> None:
    documents_of = credited(app, business)
    note = next(one for one in documents_of.values() if one.kind == "credit_note" and one.net == 1_000)
    invoice = db.session.get_one(Invoice, note.credits_id)
    page = client.get(LIST).text
    for told in ("-€12.00", "Credit note", "Partly credited", "Credited"):
        assert told in page
    assert f'href="{LIST}/{invoice.id}">{invoice.number}</a></span>' in page
    there = client.get(f"{LIST}/{invoice.id}").text
    assert f'href="{LIST}/{note.id}">{note.number}</a>' in there
    assert f'href="{LIST}/{note.id}/download"' in there
    back = client.get(f"{LIST}/{note.id}").text
    assert f"<h1>Credit note {note.number}</h1>" in back
    for told in (f'href="{LIST}/{invoice.id}">{invoice.number}</a>', "Geste commercial", "Refunded to Visa", "€12.00"):
        assert told in back


@pytest.mark.parametrize(
    ("typed", "found"),
    [("MQ-2027-000001", ["MQ-2027-000001"]), ("mq-2027", ["MQ-2027-000001"]), ("1", ["MQ-2027-000001", OWN[-1]]),
     ("2026-000005", ["MQ-2026-000005"]), ("0003", ["MQ-2026-000003"]), (" MQ-2026-000002 ", ["MQ-2026-000002"]),
     ("po-77", ["MQ-2027-000001"]), ("PO-77%20/é", ["MQ-2027-000001"]), ("É", []), ("77", []), ("%25", []), ("_Q", []),
     ("mq-2027-000001x", []), ("%00", OWN), ("%20", OWN), ("x" * 5000, []), ("'", []), ("９", [])],
)  # fmt: skip
def test_a_search_finds_the_beginning_of_a_number_or_an_order(
    client: FlaskClient, typed: str, found: list[str]
) -> None:
    with transaction() as session:
        like = session.scalars(select(Invoice).where(Invoice.number == OWN[0])).one()
        like.purchase_order, like.order_key = "PO-77 /É 5", searched("PO-77 /É 5")
    page = client.get(f"{LIST}?search={typed}")
    assert (page.status_code, numbers(page.text)) == (200, found)
    assert ("Take away a filter, or type less." in page.text) == (not found)


def test_the_order_of_a_new_invoice_is_searched(app: Flask, client: FlaskClient, business: Made) -> None:
    with transaction() as session:
        session.execute(update(Account).values(purchase_order="Bon 12"))
    pay(app, business, quoted(app, business))
    credit_notes.credit(business.account, "MQ-2027-000002")
    assert numbers(client.get(f"{LIST}?search=bon").text, but="muted") == ["MQ-2027-000003", "MQ-2027-000002"]


def test_a_search_that_means_too_many_says_so(client: FlaskClient, business: Made) -> None:
    issue(business, 120)
    page = client.get(f"{LIST}?search=old").text
    assert "only some of them were searched" in page
    assert numbers(page)[0] == "OLD-000119"
    narrow = client.get(f"{LIST}?search=old-00011").text
    assert numbers(narrow) == [f"OLD-00011{n}" for n in reversed(range(10))]
    assert "only some of them were searched" not in narrow


def test_the_oldest_come_first_where_that_is_asked_and_all_pages_keep_the_choice(
    client: FlaskClient, business: Made
) -> None:
    issue(business, 70)
    found, url = [], f"{LIST}?order=oldest&year=2020&status=paid"
    page = client.get(url).text
    while True:
        found += numbers(page)
        link = re.search(r'href="([^"]+)">Newer</a>', page)
        if not link:
            break
        for kept in ("order=oldest", "year=2020", "status=paid"):
            assert kept in link[1]
        page = client.get(link[1].replace("&amp;", "&")).text
    assert found == [f"OLD-{n:06d}" for n in range(70)]
    assert ">Oldest</a>" in page


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
        for some in combinations(choices, count):
            for order in ("", "oldest"):
                listed(business.account, {name: choices[name] for name in some} | {"order": order, "search": ""})
                listed(business.account, {name: choices[name] for name in some} | {"before": "2026-10-01.M"})
    listed(business.account, {"search": "42"})
    event.remove(db.engine, "before_cursor_execute", note)
    with db.engine.connect() as connection:
        for statement, given in asked:
            plan = " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given))
            assert "SCAN" not in plan, (statement, plan)
            assert "B-TREE" not in plan, (statement, plan)
    assert len(asked) > 40


# The document


def test_the_pdf_says_what_the_invoice_says(app: Flask, client: FlaskClient, business: Made) -> None:
    pay(app, business, quoted(app, business, 14))
    answer = client.get(pdf_url(business))
    assert (answer.status_code, answer.content_type) == (200, "application/pdf")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="facture-MQ-2027-000002.pdf"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.data.startswith(b"%PDF-")
    text = read(answer.data)
    for told in (
        "Facture", "MQ-2027-000002", "15 janvier 2027", "15 février 2027 – 14 mars 2027", "Ateliers Beaumont SARL",
        "8 quai des Analyses", "69002 Lyon", "France", "900300401", "FR41900300401", "My Qlik Démonstration SAS",
        "FR83900100207", "Licences 1 à 10 10 30,00 € 20 % 300,00 €",
        "11 à 14 4 27,00 € 20 % 108,00 €", "408,00 €", "TVA 20 %", "81,60 €", "489,60 €",
        "Payée le 15 janvier 2027 avec Visa •••• 4242", "Reste à payer 0,00 €", "Prestation de services",
        "SAS au capital de 50 000 € · RCS Paris 900 100 207", "majoré de 10 points", "recouvrement : 40 €",
        "Pas d’escompte",
    ):  # fmt: skip
        assert told in text, told


def test_the_document_is_in_the_billing_language_whoever_reads(client: FlaskClient, business: Made) -> None:
    assert "Facture" in read(client.get(pdf_url(business)).data)
    other = scenarios.make("business")
    rewrite(other, locale="en", buyer=buyer(other, purchase_order="PO-77"))
    reader = signed_in(client.application, other)
    reader.set_cookie("locale", "fr")
    answer = reader.get(pdf_url(other))
    assert 'filename="invoice-MQ-2027-000001.pdf"' in answer.headers["Content-Disposition"]
    text = read(answer.data)
    for told in ("Invoice", "Issue date", "15 January 2027", "€354.00", "VAT 20%", "€70.80", "€424.80", "PO-77"):
        assert told in text, told
    assert "Date d’émission" not in text


@pytest.mark.parametrize(
    ("treatment", "named"),
    [("reverse_charge", "autoliquidation"), ("outside_eu", "non applicable hors de l’Union européenne")],
)
def test_the_tax_is_named_and_a_customer_may_have_no_number(app: Flask, treatment: str, named: str) -> None:
    made = scenarios.make("business")
    nameless = buyer(made, siren=None, vat_number=None, country="US")
    rewrite(made, tax_treatment=treatment, tax_rate=0, buyer=nameless)
    text = read(documents.pdf_of(invoice_of(made)))
    assert named in text
    assert "États-Unis" in text
    assert "TVA 20 %" not in text


def test_a_line_for_the_days_left_shows_its_calculation(app: Flask, client: FlaskClient, business: Made) -> None:
    post(app, f"/{business.account}/clock", advance="P10D")
    url = f"/subscriptions/{subscription(business)}/add"
    quote = client.post(url, data={"seats": "15"}).headers["Location"].split("/")[-2]
    client.post(f"{url}/{quote}/payment", data={"card": business.cards[0]})
    assert client.post(f"{url}/{quote}/pay", data={"attempt": 1}).status_code == 303
    text = read(client.get(pdf_url(business)).data)
    assert "3 licences" in text
    assert "81,00 € × 21 jours sur 31" in text


def test_every_download_is_the_same_bytes_even_if_the_account_moved(client: FlaskClient, business: Made) -> None:
    url = pdf_url(business)
    first = client.get(url).data
    kept = dump()
    rewrite(business, locale="en")
    assert client.get(url).data == first
    assert [rows for table, rows in dump().items() if table != "invoice"] == [
        rows for table, rows in kept.items() if table != "invoice"
    ]


def test_downloads_at_once_write_one_document(app: Flask, client: FlaskClient, business: Made) -> None:
    url, clients = pdf_url(business), [signed_in(app, business) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda one: one.get(url), clients))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.data for answer in answers}) == 1
    db.session.rollback()
    assert db.session.scalars(select(InvoiceDocument.pdf)).all() == [answers[0].data]


def test_head_and_the_pages_write_nothing(client: FlaskClient, business: Made) -> None:
    before = dump()
    answer = client.head(pdf_url(business))
    assert (answer.status_code, answer.content_type, answer.data) == (200, "application/pdf", b"")
    client.get(LIST)
    client.get(f"{LIST}/{invoice_of(business).id}")
    assert dump() == before


def test_another_accounts_invoice_never_existed(client: FlaskClient, business: Made) -> None:
    before = dump()
    for made_up in (invoice_of(scenarios.make("business")).id, "nothing", "%00"):
        for path in (f"{LIST}/{made_up}", f"{LIST}/{made_up}/download"):
            assert client.get(path).status_code == client.head(path).status_code == 404
    assert client.get(pdf_url(business)).status_code == 200
    assert dump()["invoice_document"] != before["invoice_document"]


def test_a_stranger_is_sent_to_sign_in(app: Flask, business: Made) -> None:
    assert app.test_client().get(pdf_url(business)).status_code == 303


ANYTHING = "".join(map(chr, random.Random(5).choices([*range(0xD800), *range(0xE000, 0x11000)], k=600)))
HOSTILE = [
    ANYTHING,
    "<script>alert(1)</script>", "{{7*7}} {% raw %}", '#eval("1") #panic() $x$ *b* _i_ @ref <label> `raw`',
    'a "quoted" name', "e\u0301" + "\u0301" * 60,
    "C:\\new\\table \\u{41}", "one\r\ntwo\u2028three\x00four", "\u202etxt.exe\u2066\u200f", "日本 😀 مرحبا हिन्दी",
    "x" * 5000, "", "\ud800 alone",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:20])
def test_hostile_words_are_only_words(client: FlaskClient, business: Made, name: str) -> None:
    rewrite(business, buyer=buyer(business, legal_name=name, street=name, purchase_order=name), product=name)
    answer = client.get(pdf_url(business))
    assert answer.status_code == 200
    text = read(answer.data)
    assert "424,80 €" in text
    assert "49" not in text or name == ANYTHING
    if name.isascii() and name.isprintable() and len(name) < 100:
        assert re.sub(r"\s", "", name) in re.sub(r"\s", "", text)
    if len(name) == 5000:
        assert text.count("x") >= 5000


@pytest.mark.parametrize("number", ['a"; filename="b', "../../etc", "é\r\nX-Evil: 1", "MQ/2027/1"])
def test_the_file_name_is_ascii_letters_whatever_the_number(client: FlaskClient, business: Made, number: str) -> None:
    with transaction() as session:
        session.execute(update(Invoice).where(Invoice.number == OWN[0]).values(number=number))
    answer = client.get(pdf_url(business))
    assert re.fullmatch(r'attachment; filename="facture-[A-Za-z0-9-]+\.pdf"', answer.headers["Content-Disposition"])
    assert "X-Evil" not in answer.headers


def test_a_document_that_cannot_be_made_is_a_page_and_a_line_in_the_log(
    client: FlaskClient, business: Made, caplog: pytest.LogCaptureFixture
) -> None:
    whole = invoice_of(business).snapshot
    rewrite(business, seller={})
    before = dump()
    with caplog.at_level(logging.ERROR):
        answer = client.get(pdf_url(business))
    assert (answer.status_code, "The document could not be made." in answer.text) == (500, True)
    assert answer.content_type.startswith("text/html")
    assert "Content-Disposition" not in answer.headers
    assert f'href="{pdf_url(business)}"' in answer.text
    assert "could not be made" in caplog.text
    assert dump() == before
    rewrite(business, seller=whole["seller"])
    assert client.get(pdf_url(business)).status_code == 200
