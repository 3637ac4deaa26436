"""The PDF of an invoice, with embedded EN 16931 data (Factur-X). The XML can also be downloaded alone.

Both are made once, from the invoice's snapshot alone, and stored. `wording` writes every word of the PDF, and
templates/invoices/invoice.typ only lays them out.
"""

import json
import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime, time
from typing import NamedTuple

import typst
from flask import current_app
from flask_babel import force_locale

from .. import config
from ..db import LOCK, db, transaction
from ..models.invoices import Invoice, InvoiceDocument
from . import facturx
from .bill import Bill, bill_of, language_of
from .printing import Printer, chosen
from .wording import page_of, words_of

log = logging.getLogger(__name__)
TEMPLATE = config.ROOT / "templates" / "invoices" / "invoice.typ"
FILENAMES = {
    "en": {"invoice": "invoice", "credit_note": "credit-note"},
    "fr": {"invoice": "facture", "credit_note": "avoir"},
}


class DocumentNotMade(Exception):
    """The document of the invoice with this id could not be made. The cause is logged and nothing is stored."""


class Document(NamedTuple):
    pdf: bytes
    xml: bytes


def filename(invoice: Invoice, ending: str = "pdf") -> str:
    """`facture-MQ-2027-000003.pdf`: only ASCII letters, digits and hyphens."""
    kind = FILENAMES[language_of(invoice)][invoice.kind]
    number = re.sub(r"[^A-Za-z0-9]+", "-", invoice.number).strip("-")
    return f"{kind}-{number}.{ending}"


def pdf_of(invoice: Invoice) -> bytes:
    """The invoice's PDF, the same bytes at each download. Raises DocumentNotMade."""
    stored = _stored(invoice)
    return stored.pdf if stored else _make_and_store(invoice).pdf


def xml_of(invoice: Invoice) -> bytes:
    """The XML that the PDF embeds. Raises DocumentNotMade.

    Old PDFs were stored without it. What is stored never changes, so it is made at each download of such a one.
    """
    stored = _stored(invoice)
    if stored is None:
        return _make_and_store(invoice).xml
    return stored.xml or _make(invoice).xml


def _stored(invoice: Invoice) -> InvoiceDocument | None:
    return db.session.get(InvoiceDocument, (invoice.account_id, invoice.id))


def _make_and_store(invoice: Invoice) -> Document:
    """Makes both. Of two first downloads, the second gets what the first has stored."""
    key, document = (invoice.account_id, invoice.id), _make(invoice)
    with transaction() as session:
        session.get_one(Invoice, key, with_for_update=LOCK)
        stored = session.get(InvoiceDocument, key)
        if stored is not None:
            return Document(stored.pdf, stored.xml or document.xml)
        session.add(InvoiceDocument(account_id=key[0], invoice_id=key[1], **document._asdict()))
    return document


def _make(invoice: Invoice) -> Document:
    try:
        credited = _credited(invoice)
        return make_document(bill_of(invoice, credited))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as fault:  # a panic inside typst is a BaseException
        log.error("the document of invoice %s could not be made", invoice.id, exc_info=fault)
        raise DocumentNotMade(invoice.id) from fault


def _credited(note: Invoice) -> Invoice | None:
    return db.session.get_one(Invoice, (note.account_id, note.credits_id)) if note.credits_id else None


def make_document(bill: Bill) -> Document:
    """The PDF, as PDF/A-3b with the XML attached and PDF/UA for screen readers.

    What customers typed reaches typst as JSON, never as markup.
    """
    printer = Printer(current_app.config["FONTS_DIR"])
    with force_locale(bill.language):
        page, xml = printer.clean(page_of(bill)), facturx.xml_of(bill, words_of(bill))
    with chosen(printer.fonts) as (folders, families):
        pdf = typst.compile(
            str(TEMPLATE),
            format="pdf",
            pdf_standards=["a-3b", "ua-1"],
            ignore_system_fonts=True,  # the same document on every machine
            font_paths=folders,
            sys_inputs={"invoice": json.dumps({**page, "families": families}), "xml": xml.decode()},
            timestamp=datetime.combine(bill.issued_on, time(), UTC),
        )
    return Document(facturx.declared(bytes(pdf)), xml)


def unprintable(texts: Iterable[str]) -> list[str]:
    """The characters of these texts that a PDF cannot show as they are, each once."""
    printer = Printer(current_app.config["FONTS_DIR"])
    printer.clean(list(texts))
    return list(printer.lost)
