"""The checks of Factur-X documents find what is wrong: each test spoils a document and expects a fault."""

import random
import re
from decimal import Decimal
from io import BytesIO

import pytest
from flask import Flask
from pypdf import PdfWriter
from pypdf.errors import PyPdfError

from tests.support.document_faults import broken_rules, wrong_amounts, wrong_container
from tests.support.random_invoices import drawn
from tests.support.world import invoice_of, pay, quoted, subscription
from webapp.invoices import documents, facturx
from webapp.invoices.bill import bill_of
from webapp.sandbox.scenarios import Made


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
    assert any(rule in broken for broken in broken_rules(spoilt(xml, pattern, by)))


def test_an_amount_that_the_oracle_does_not_find_is_a_fault(app: Flask, business: Made) -> None:
    invoice, wanted = drawn(business, subscription(business), random.Random(3))
    xml = documents.xml_of(invoice)
    assert wrong_amounts(xml, wanted) == []
    more = wanted._replace(total=wanted.total + Decimal("0.01"), lines=wanted.lines[:-1])
    assert [fault.split(":")[0] for fault in wrong_amounts(xml, more)] == ["lines", "total", "paid"]


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
    assert documents.make_document(bill) == documents.make_document(bill)
