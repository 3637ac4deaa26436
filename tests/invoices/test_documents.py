"""The PDF of an invoice: made once, from the invoice's frozen snapshot."""

import logging
import random
import re
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import select, update

from tests.support.world import (
    LIST,
    buyer,
    dump,
    invoice_of,
    pay,
    pdf_url,
    post,
    quoted,
    rewrite,
    signed_in,
    subscription,
)
from webapp.db import db, transaction
from webapp.invoices import documents
from webapp.models.invoices import Invoice, InvoiceDocument
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made


def read(pdf: bytes) -> str:
    """The text of a PDF, with every kind of space as a plain space."""
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)
    return re.sub(r"\s+", " ", text.replace("\u200b", ""))


def test_the_pdf_says_what_the_invoice_says(app: Flask, client: FlaskClient, business: Made) -> None:
    pay(app, business, quoted(app, business, 14))
    answer = client.get(pdf_url(business))
    assert (answer.status_code, answer.content_type) == (200, "application/pdf")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="facture-MQ-2027-000002.pdf"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.data.startswith(b"%PDF-")
    text = read(answer.data)
    for text_expected in (
        "Facture",
        "MQ-2027-000002",
        "15 janvier 2027",
        "15 février 2027 – 14 mars 2027",
        "Ateliers Beaumont SARL",
        "8 quai des Analyses",
        "69002 Lyon",
        "France",
        "900300401",
        "FR41900300401",
        "My Qlik Démonstration SAS",
        "FR83900100207",
        "Licences 1 à 10 10 30,00 € 20 % 300,00 €",
        "11 à 14 4 27,00 € 20 % 108,00 €",
        "408,00 €",
        "TVA 20 %",
        "81,60 €",
        "489,60 €",
        "Payée le 15 janvier 2027 avec Visa •••• 4242",
        "Reste à payer 0,00 €",
        "Prestation de services",
        "SAS au capital de 50 000 € · RCS Paris 900 100 207",
        "majoré de 10 points",
        "recouvrement : 40 €",
        "Pas d’escompte",
    ):
        assert text_expected in text, text_expected


def test_the_document_is_in_the_billing_language_whoever_reads(client: FlaskClient, business: Made) -> None:
    assert "Facture" in read(client.get(pdf_url(business)).data)
    other = scenarios.make("business")
    rewrite(other, locale="en", buyer=buyer(other, purchase_order="PO-77"))
    reader = signed_in(client.application, other)
    reader.set_cookie("locale", "fr")
    answer = reader.get(pdf_url(other))
    assert 'filename="invoice-MQ-2027-000001.pdf"' in answer.headers["Content-Disposition"]
    text = read(answer.data)
    for text_expected in (
        "Invoice",
        "Issue date",
        "15 January 2027",
        "€354.00",
        "VAT 20%",
        "€70.80",
        "€424.80",
        "PO-77",
    ):
        assert text_expected in text, text_expected
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
        answers = list(pool.map(lambda browser: browser.get(url), clients))
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
    "<script>alert(1)</script>",
    "{{7*7}} {% raw %}",
    '#eval("1") #panic() $x$ *b* _i_ @ref <label> `raw`',
    'a "quoted" name',
    "e\u0301" + "\u0301" * 60,
    "C:\\new\\table \\u{41}",
    "one\r\ntwo\u2028three\x00four",
    "\u202etxt.exe\u2066\u200f",
    "日本 😀 مرحبا हिन्दी",
    "x" * 5000,
    "",
    "\ud800 alone",
]


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
    invoice = invoice_of(business).id
    with transaction() as session:
        session.execute(update(Invoice).where(Invoice.id == invoice).values(number=number))
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
    assert (answer.status_code, "The document could not be created." in answer.text) == (500, True)
    assert answer.content_type.startswith("text/html")
    assert "Content-Disposition" not in answer.headers
    assert f'href="{pdf_url(business)}"' in answer.text
    assert "could not be made" in caplog.text
    assert dump() == before
    rewrite(business, seller=whole["seller"])
    assert client.get(pdf_url(business)).status_code == 200
