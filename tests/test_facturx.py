"""An invoice as a Factur-X document: what the norm, French law and PDF/A want of it, and that the amounts are one."""

import random
import re
import subprocess
import sys
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree
from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError
from sqlalchemy import delete, select, update

from webapp.db import db, new_id, transaction
from webapp.invoices import documents, facturx, issuing
from webapp.invoices.bill import bill_of, spans_of
from webapp.models.accounts import Account, Issuer
from webapp.models.invoices import Invoice, InvoiceDocument
from webapp.purchases import refunds
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import loading

from .conftest import signed_in
from .einvoice import RAM, amounts_of, broken_rules, drawn, faults, text_of, wrong_amounts, wrong_container
from .world import buyer, dump, invoice_of, pay, pdf_url, quoted, rewrite, state, subscription


def xml_url(made: Made) -> str:
    return pdf_url(made).replace("/download", "/xml")


def found(xml: bytes, path: str) -> list[str | None]:
    """The texts at a path of names of the aggregates' space."""
    return [one.text for one in etree.fromstring(xml).findall("." + "".join(f"//{RAM}{part}" for part in path.split()))]


def credited(made: Made, **told: Any) -> Invoice:
    """A credit note for all of the newest invoice."""
    invoice = invoice_of(made)
    note = Invoice(
        id=new_id(), issuer_id=invoice.issuer_id, account_id=invoice.account_id, kind="credit_note",
        status="credit_note",
        subscription_id=invoice.subscription_id, credits_id=invoice.id, number="AV-2027-000001",
        issued_on=invoice.issued_on + timedelta(1), currency="EUR", net=invoice.net, tax=invoice.tax,
        total=invoice.total, snapshot={**invoice.snapshot, **told},
    )  # fmt: skip
    with transaction() as session:
        session.add(note)
    return note


# Invoices of every kind
@pytest.mark.parametrize("first", range(0, 50, 10))
def test_whatever_is_invoiced_the_document_holds_to_every_rule(app: Flask, business: Made, first: int) -> None:
    wrong = {}
    for seed in range(first, first + 10):
        invoice, wanted = drawn(business, subscription(business), random.Random(seed))
        wrong[seed] = faults(invoice, wanted)
    assert {seed: told for seed, told in wrong.items() if told} == {}


@pytest.mark.parametrize(
    ("country", "siren", "vat_number", "rate"),
    [("FR", "900300401", "FR41900300401", 120), ("DE", None, "DE136695976", 100), ("US", None, None, 100)],
)
@pytest.mark.parametrize("what", ["renewal", "addition", "addition over two periods"])
def test_quote_charge_page_pdf_and_data_are_one_amount(
    app: Flask, what: str, country: str, siren: str | None, vat_number: str | None, rate: int
) -> None:
    made = scenarios.make("business-renewed" if "two" in what else "business")
    client = signed_in(app, made)
    with transaction() as session:
        session.execute(
            update(Account)
            .where(Account.id == made.account)
            .values(country=country, siren=siren, vat_number=vat_number, purchase_order="BC-42")
        )
    command = "renew" if what == "renewal" else "add"
    url = f"/subscriptions/{subscription(made)}/{command}"
    quote = client.post(url, data={"seats": "30"}).headers["Location"].split("/")[-2]
    client.post(f"{url}/{quote}/payment", data={"card": made.cards[0]})
    overview = client.get(f"{url}/{quote}/overview").text
    assert client.post(f"{url}/{quote}/pay", data={"attempt": 1}).status_code == 303

    invoice = invoice_of(made)
    charged = state(app, made)["gateway"]["charges"][-1]["amount"]
    assert invoice.total == charged
    assert (Decimal(invoice.net) * rate / 100).quantize(Decimal(1), ROUND_HALF_UP) == charged
    shown = f"€{Decimal(charged) / 100:,.2f}"
    assert shown in overview
    assert shown in client.get(f"/billing/invoices/{invoice.id}").text
    pdf, xml = client.get(pdf_url(made)).data, client.get(xml_url(made)).data
    assert shown[1:].replace(",", " ").replace(".", ",") + " €" in text_of(pdf)
    assert Decimal(amounts_of(xml)["GrandTotalAmount"]) == Decimal(charged) / 100
    assert broken_rules(xml) + wrong_container(pdf, xml) == []
    assert found(xml, "BuyerOrderReferencedDocument IssuerAssignedID") == [invoice.purchase_order] == ["BC-42"]
    assert len(found(xml, "IncludedSupplyChainTradeLineItem ChargeAmount")) == (
        {"renewal": 3, "addition": 1}.get(what, 2)
    )


def test_each_line_is_for_its_own_period(app: Flask) -> None:
    made = scenarios.make("business-renewed")
    client = signed_in(app, made)
    url = f"/subscriptions/{subscription(made)}/add"
    quote = client.post(url, data={"seats": "15"}).headers["Location"].split("/")[-2]
    client.post(f"{url}/{quote}/payment", data={"card": made.cards[0]})
    client.post(f"{url}/{quote}/pay", data={"attempt": 1})
    xml = client.get(xml_url(made)).data
    days = etree.fromstring(xml).iter("{urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100}DateTimeString")
    assert [one.text for one in days if "Period" in one.getparent().getparent().tag] == [
        "20270115", "20270214", "20270215", "20270314", "20270115", "20270314",
    ]  # fmt: skip
    assert "15 janvier 2027 – 14 mars 2027" in text_of(client.get(pdf_url(made)).data)


# That the checks can fail
def spoilt(xml: bytes, pattern: str, by: str) -> bytes:
    text, count = re.subn(pattern, by, xml.decode(), flags=re.DOTALL)
    assert count
    return text.encode()


@pytest.mark.parametrize(
    ("pattern", "by", "rule"),
    [
        (r"<ram:GrandTotalAmount>489.60", "<ram:GrandTotalAmount>489.61", "BR-CO-15"),
        (r"<ram:LineTotalAmount>300.00", "<ram:LineTotalAmount>300.01", "BR-CO-10"),
        (r"<ram:CalculatedAmount>81.60", "<ram:CalculatedAmount>84.60", "BR-CO-17"),
        (r"<ram:SubjectCode>PMT", "<ram:SubjectCode>AAI", "BR-FR-05"),
        (r"<ram:SubjectCode>AAB", "<ram:SubjectCode>AAI", "BR-FR-05"),
        (r"900300401</ram:ID>", "90030040</ram:ID>", "BR-FR-11"),
        (r'(<ram:ID schemeID="0002">)900100207', r"\g<1>90010020", "BR-FR-10"),
        (r'(<ram:URIID schemeID="0225">)900300401', r"\g<1>123456789", "BR-FR-21"),
        (r"<ram:URIUniversalCommunication>.*?</ram:URIUniversalCommunication>", "", "BR-FR-12"),
        (r"<ram:TotalPrepaidAmount>489.60", "<ram:TotalPrepaidAmount>400.00", "BR-FR-CO-09"),
        (r">S2<", ">Z9<", "BR-FR-08"),
        (r"<ram:CategoryCode>S<", "<ram:CategoryCode>O<", "BR-O-02"),
        (r"<ram:TypeCode>380", "<ram:TypeCode>381", "BR-FR-CO-05"),
        (r"<ram:DuePayableAmount>0.00</ram:DuePayableAmount>", "", "XSD"),
    ],
)
def test_a_spoilt_document_breaks_the_rule(app: Flask, business: Made, pattern: str, by: str, rule: str) -> None:
    pay(app, business, quoted(app, business, 14))
    xml = documents.xml_of(invoice_of(business))
    assert broken_rules(xml) == []
    assert any(rule in told for told in broken_rules(spoilt(xml, pattern, by)))


def test_an_amount_that_the_oracle_does_not_find_is_a_fault(app: Flask, business: Made) -> None:
    invoice, wanted = drawn(business, subscription(business), random.Random(3))
    xml = documents.xml_of(invoice)
    assert wrong_amounts(xml, wanted) == []
    more = wanted._replace(total=wanted.total + Decimal("0.01"), lines=wanted.lines[:-1])
    assert [told.split(":")[0] for told in wrong_amounts(xml, more)] == ["lines", "total", "paid"]


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        (b"<pdfaid:part>3", b"<pdfaid:part>2", "PDF: XMP: PDF/A-3b"),
        (b"<fx:DocumentType>INVOICE", b"<fx:DocumentType>ORDERS?", "PDF: XMP: Factur-X"),
        (b"/AFRelationship /Alternative", b"/AFRelationship /Supplement ", "PDF: relationship"),
        (b"/GTS_PDFA1", b"/GTS_PDFX1", "PDF: output intent"),
        (b"/FontFile2", b"/FontFileX", "PDF: fonts embedded"),
        (b"/ViewerPreferences", b"/OpenAction       ", "PDF: scripts"),
    ],
)
def test_a_spoilt_container_is_found_out(app: Flask, business: Made, before: bytes, after: bytes, fault: str) -> None:
    invoice = invoice_of(business)
    pdf, xml = documents.pdf_of(invoice), documents.xml_of(invoice)
    assert wrong_container(pdf, xml) == []
    assert wrong_container(pdf, xml + b"\n") == ["PDF: bytes of the file"]
    assert before in pdf
    assert wrong_container(pdf.replace(before, after), xml) == [fault]


def test_only_a_pdf_of_typsts_is_declared() -> None:
    blank = BytesIO()
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.write(blank)
    for pdf in (b"", b"%PDF-1.7 %%EOF", b"%PDF <?xpacket begin endstream trailer\n<<>>\nstartxref\n1\n%%EOF"):
        with pytest.raises(PyPdfError):
            facturx.declared(pdf)
    with pytest.raises(ValueError, match="typst"):
        facturx.declared(blank.getvalue())


def test_a_document_that_is_made_again_is_the_same_to_the_byte(app: Flask, business: Made) -> None:
    bill = bill_of(invoice_of(business), None)
    assert documents.made_of(bill) == documents.made_of(bill)


# What it says
def test_what_the_document_needs_is_frozen_when_it_is_issued(app: Flask, business: Made) -> None:
    pay(app, business, quoted(app, business, 14))
    kept = documents.pdf_of(invoice_of(business))
    told = invoice_of(business).snapshot
    assert {"legal_form", "share_capital", "register", "siren", "vat_number"} <= told["seller"].keys()
    assert told["buyer"]["email"].startswith("compta-")
    assert (told["paid_on"], told["card"]) == ("2027-01-15", {"brand": "Visa", "last4": "4242"})
    assert told["late_payment"] == {"points": 10, "indemnity": 4000}
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
        columns = [*issuing.PARTY.split(), *(["purchase_order"] if party == "buyer" else [])]
        old[party] = {name: invoice.snapshot[party][name] for name in columns}
    with transaction() as session:
        session.execute(update(Invoice).where(Invoice.id == invoice.id).values(snapshot=old))
    pdf, xml = client.get(pdf_url(business)).data, client.get(xml_url(business)).data
    assert broken_rules(xml) + wrong_container(pdf, xml) == []
    assert "SIREN 900100207" in text_of(pdf)


def test_a_pdf_of_before_keeps_its_bytes_and_gets_data(client: FlaskClient, business: Made) -> None:
    with transaction() as session:
        session.add(InvoiceDocument(invoice_id=invoice_of(business).id, pdf=b"%PDF-1.7 old", xml=None))
    xml = client.get(xml_url(business)).data
    assert broken_rules(xml) == []
    assert client.get(pdf_url(business)).data == b"%PDF-1.7 old"
    db.session.rollback()
    assert db.session.scalars(select(InvoiceDocument.xml)).all() == [xml]
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
    assert (answer.status_code, "The document could not be made." in answer.text) == (500, True)
    assert dump() == before
    rewrite(business, seller=whole["seller"])
    assert client.get(xml_url(business)).status_code == 200


@pytest.mark.parametrize(
    ("locale", "title", "name"), [("fr", "Avoir", "avoir"), ("en", "Credit note", "credit-note")]
)  # fmt: skip
def test_a_credit_note_names_its_invoice(
    client: FlaskClient, business: Made, locale: str, title: str, name: str
) -> None:
    note = credited(business, locale=locale, reason="Erreur de <commande>")
    answer = client.get(f"/billing/invoices/{note.id}/download")
    assert f'filename="{name}-AV-2027-000001.pdf"' in answer.headers["Content-Disposition"]
    text, xml = text_of(answer.data), documents.xml_of(db.session.get_one(Invoice, note.id))
    assert text.startswith(title)
    assert "MQ-2027-000001" in text
    assert "Erreur de <commande>" in text
    assert ("Remboursé le 16 janvier 2027" if locale == "fr" else "Refunded on 16 January 2027") in text
    assert "Payée" not in text
    assert found(xml, "InvoiceReferencedDocument IssuerAssignedID") == ["MQ-2027-000001"]
    assert broken_rules(xml) + wrong_container(answer.data, xml) == []


def test_the_credit_notes_of_refunds_hold_to_every_rule_and_come_to_the_invoice(app: Flask, business: Made) -> None:
    pay(app, business, quoted(app, business, 30))
    invoice = invoice_of(business)
    for net in (1, 33_333, None):
        refunds.credit(business.account, invoice.number, net, "Geste <commercial> & Co")
    notes = db.session.scalars(select(Invoice).where(Invoice.credits_id == invoice.id)).all()
    xmls = [documents.xml_of(note) for note in notes]
    assert [broken_rules(xml) for xml in xmls] == [[], [], []]
    assert [wrong_container(documents.pdf_of(note), xml) for note, xml in zip(notes, xmls, strict=True)] == [[], [], []]
    assert [sum(getattr(note, part) for note in notes) for part in ("net", "tax", "total")] == [82_500, 16_500, 99_000]
    for note, xml in zip(notes, xmls, strict=True):
        assert amounts_of(xml)["GrandTotalAmount"] == f"{Decimal(note.total) / 100:.2f}"
        assert found(xml, "TypeCode")[0] == "381"


def test_a_reason_of_controls_alone_leaves_no_empty_note(app: Flask, business: Made) -> None:
    note = credited(business, reason="\x00\x01\ufffe")
    xml = documents.xml_of(note)
    assert broken_rules(xml) == []
    assert None not in found(xml, "IncludedNote Content")


def test_the_option_for_debits_is_told(app: Flask, business: Made) -> None:
    rewrite(business, vat_on_debits=True)
    invoice = invoice_of(business)
    assert "Option pour le paiement de la taxe d’après les débits." in text_of(documents.pdf_of(invoice))
    assert found(documents.xml_of(invoice), "ApplicableTradeTax DueDateTypeCode") == ["5"]


def test_an_address_of_delivery_is_told_where_it_is_another(app: Flask, business: Made) -> None:
    rewrite(business, delivery=buyer(business, street="3 quai du Port", country="BE"))
    invoice = invoice_of(business)
    text, xml = text_of(documents.pdf_of(invoice)), documents.xml_of(invoice)
    assert "Livré à" in text
    assert "3 quai du Port" in text
    assert found(xml, "ShipToTradeParty LineOne") == ["3 quai du Port"]
    assert broken_rules(xml) == []


def test_a_customer_outside_the_union_is_not_subject_and_the_seller_still_tells_its_vat_number(
    app: Flask, business: Made
) -> None:
    swiss = buyer(business, country="CH", siren=None, vat_number="CHE107787577MWST")
    rewrite(business, tax_treatment="outside_eu", tax_rate=0, buyer=swiss)
    xml = documents.xml_of(invoice_of(business))
    assert set(found(xml, "ApplicableTradeTax CategoryCode")) == {"O"}
    assert found(xml, "SellerTradeParty Description")[0].endswith("· FR83900100207")  # type: ignore[union-attr]
    assert found(xml, "SpecifiedTaxRegistration ID") == []


# Letters
def test_every_letter_that_is_printed_has_a_shape_in_both_weights(app: Flask, business: Made) -> None:
    every = [chr(code) for code in range(32, 0x10000) if not documents.UNPRINTABLE.match(chr(code))]
    assert len(every) > 900
    rewrite(business, buyer=buyer(business, legal_name=" ".join(every), street=" ".join(every)))
    text = text_of(documents.pdf_of(invoice_of(business)))
    assert "é" in text
    assert "Ж" in text


def test_a_letter_without_a_shape_is_the_plain_one_or_a_box_and_itself_in_the_data(app: Flask, business: Made) -> None:
    rewrite(business, buyer=buyer(business, legal_name="ﬁn Ａ① 日本", city="\u202eLyon\x00\ufffe\ud800"))
    invoice = invoice_of(business)
    assert "fin A1 □□" in text_of(documents.pdf_of(invoice))
    assert found(documents.xml_of(invoice), "BuyerTradeParty Name") == ["ﬁn Ａ① 日本"]
    assert found(documents.xml_of(invoice), "BuyerTradeParty CityName") == ["Lyon"]


def test_the_application_starts_without_the_library_that_only_documents_need() -> None:
    code = "import sys, webapp; sys.exit(bool({'facturx', 'lxml', 'pypdf'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_days_of_a_quote_that_is_prorated_are_the_last_of_its_period(app: Flask, business: Made) -> None:
    facts = loading.load(business.account, subscription(business)).facts()
    line = {"kind": "proration", "days_left": 21}
    spans = spans_of([line, line], facts, 5)  # type: ignore[list-item]
    assert spans == [(date(2027, 1, 25), date(2027, 2, 15)), (date(2027, 2, 22), date(2027, 3, 15))]
