"""Factur-X files: what is frozen, stored and downloaded, and how older invoices get their data."""

import subprocess
import sys
from io import BytesIO

from flask import Flask
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import delete, select, update

from tests.support.document_faults import broken_rules, text_of, wrong_container
from tests.support.world import dump, invoice_of, pay, pdf_url, quoted, rewrite, xml_url
from webapp.db import db, transaction
from webapp.invoices import documents, issuing
from webapp.models.accounts import Account, Issuer
from webapp.models.invoices import Invoice, InvoiceDocument
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made


def test_what_the_document_needs_is_frozen_when_it_is_issued(app: Flask, business: Made) -> None:
    pay(app, business, quoted(app, business, 14))
    kept = documents.pdf_of(invoice_of(business))
    snapshot = invoice_of(business).snapshot
    assert {"legal_form", "share_capital", "register", "siren", "vat_number"} <= snapshot["seller"].keys()
    assert snapshot["buyer"]["email"].startswith("compta-")
    assert (snapshot["paid_on"], snapshot["card"]) == ("2027-01-15", {"brand": "Visa", "last4": "4242"})
    assert snapshot["late_payment"] == {"points": 10, "indemnity": 4000}
    with transaction() as session:
        session.execute(update(Account).values(legal_name="Another", billing_emails=["other@example.test"]))
        session.execute(update(Issuer).values(legal_name="Other", share_capital=1, register="Lyon", vat_on_debits=True))
        session.execute(delete(InvoiceDocument))
    assert documents.pdf_of(invoice_of(business)) == kept


def test_a_snapshot_of_before_still_makes_its_documents(app: Flask, client: FlaskClient, business: Made) -> None:
    invoice = invoice_of(business)
    before = ("locale", "product", "kind", "seats", "period", "lines", "tax_treatment", "tax_rate", "card")
    old = {name: invoice.snapshot[name] for name in before}
    for party in ("seller", "buyer"):
        columns = [*issuing.PARTY_COLUMNS, *(["purchase_order"] if party == "buyer" else [])]
        old[party] = {name: invoice.snapshot[party][name] for name in columns}
    with transaction() as session:
        session.execute(update(Invoice).where(Invoice.id == invoice.id).values(snapshot=old))
    pdf, xml = client.get(pdf_url(business)).data, client.get(xml_url(business)).data
    assert broken_rules(xml) + wrong_container(pdf, xml) == []
    assert "SIREN 900100207" in text_of(pdf)


def test_a_pdf_of_before_keeps_its_bytes_and_gets_data(client: FlaskClient, business: Made) -> None:
    with transaction() as session:
        session.add(
            InvoiceDocument(
                account_id=business.account, invoice_id=invoice_of(business).id, pdf=b"%PDF-1.7 old", xml=None
            )
        )
    xml = client.get(xml_url(business)).data
    assert broken_rules(xml) == []
    assert client.get(pdf_url(business)).data == b"%PDF-1.7 old"
    db.session.rollback()
    assert db.session.scalars(select(InvoiceDocument.xml)).all() == [None], "what is stored never changes"
    assert client.get(xml_url(business)).data == xml


def test_the_data_are_downloaded_as_the_pdf_carries_them(client: FlaskClient, business: Made) -> None:
    answer = client.get(xml_url(business))
    assert (answer.status_code, answer.content_type) == (200, "application/xml")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="facture-MQ-2027-000001.xml"'
    attached = PdfReader(BytesIO(client.get(pdf_url(business)).data)).attachments["factur-x.xml"]
    assert attached == [answer.data]
    assert f'href="{xml_url(business)}"' in client.get(f"/billing/invoices/{invoice_of(business).id}").text


def test_head_makes_no_data_and_another_account_has_none(app: Flask, client: FlaskClient, business: Made) -> None:
    before = dump()
    answer = client.head(xml_url(business))
    assert (answer.status_code, answer.content_type, answer.data) == (200, "application/xml", b"")
    assert dump() == before
    other = scenarios.make("business")
    for url in (xml_url(other), "/billing/invoices/nothing/xml", "/billing/invoices/%00/xml"):
        assert client.get(url).status_code == client.head(url).status_code == 404
    assert app.test_client().get(xml_url(business)).status_code == 303


def test_data_that_cannot_be_made_are_a_page_and_the_next_try_works(client: FlaskClient, business: Made) -> None:
    whole = invoice_of(business).snapshot
    rewrite(business, seller={})
    before = dump()
    answer = client.get(xml_url(business))
    assert (answer.status_code, "The document could not be created." in answer.text) == (500, True)
    assert dump() == before
    rewrite(business, seller=whole["seller"])
    assert client.get(xml_url(business)).status_code == 200


def test_the_application_starts_without_the_library_that_only_documents_need() -> None:
    code = "import sys, webapp; sys.exit(bool({'facturx', 'lxml', 'pypdf'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
