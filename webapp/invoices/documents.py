"""The PDF of an invoice, with embedded EN 16931 data (Factur-X). The XML can also be downloaded alone.

Both are made once, from the invoice's snapshot alone, and stored. `wording` writes every word of the PDF, and
templates/invoices/invoice.typ only lays them out.
"""

import json
import logging
import re
import unicodedata
from datetime import UTC, datetime, time
from typing import Any, NamedTuple

import typst
from flask_babel import force_locale

from .. import config
from ..db import LOCK, db, transaction
from ..models.invoices import Invoice, InvoiceDocument
from . import facturx
from .bill import Bill, bill_of, language_of
from .wording import page_of, words_of

log = logging.getLogger(__name__)
TEMPLATE = config.ROOT / "templates" / "invoices" / "invoice.typ"
FONTS = config.PACKAGE / "fonts"
# Characters that the document's fonts lack. PDF/A forbids a character without a glyph.
UNPRINTABLE = re.compile(
    "[^\u0020-\u007e\u00a0-\u00ac\u00ae-\u0148\u014a-\u01c3\u01c5-\u024f\u0374-\u0376\u037a-\u037f\u0384-\u038a\u038c"
    "\u038e-\u03a1\u03a3-\u03d7\u03dc\u03dd\u03f0-\u03f6\u03f9\u03fa\u03fc-\u045f\u0490\u0491\u1e80-\u1e9b\u1e9d-\u1eff"
    "\u2000-\u200a\u2010-\u2027\u202f-\u2055\u2057\u205f\u20a0-\u20af\u20b1-\u20b5\u20b8-\u20ba\u20bc-\u20bf\u2116"
    "\u2122\u2190\u2192\u2212\u25a1]"
)
UNBROKEN = re.compile(r"[^\s\u200b-]{20}|-{20}")
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
    stored = db.session.get(InvoiceDocument, invoice.id)
    return stored.pdf if stored else _make_and_store(invoice).pdf


def xml_of(invoice: Invoice) -> bytes:
    """The XML that the PDF embeds. If an old PDF was stored without it, it is made now. Raises DocumentNotMade."""
    stored = db.session.get(InvoiceDocument, invoice.id)
    return (stored and stored.xml) or _make_and_store(invoice).xml


def _make_and_store(invoice: Invoice) -> Document:
    """Makes both; what is stored already is not replaced."""
    invoice_id, document = invoice.id, _make(invoice)
    with transaction() as session:
        session.get_one(Invoice, invoice_id, with_for_update=LOCK)  # of two first downloads, only one writes
        stored = session.get(InvoiceDocument, invoice_id)
        if stored is None:
            stored = InvoiceDocument(invoice_id=invoice_id, pdf=document.pdf)
            session.add(stored)
        if stored.xml is None:
            stored.xml = document.xml
        return Document(stored.pdf, stored.xml)


def _make(invoice: Invoice) -> Document:
    try:
        credited = db.session.get_one(Invoice, invoice.credits_id) if invoice.credits_id else None
        return make_document(bill_of(invoice, credited))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as fault:  # a panic inside typst is a BaseException
        log.error("the document of invoice %s could not be made", invoice.id, exc_info=fault)
        raise DocumentNotMade(invoice.id) from fault


def make_document(bill: Bill) -> Document:
    """The PDF, as PDF/A-3b with the XML attached and PDF/UA for screen readers.

    What customers typed reaches typst as JSON, never as markup.
    """
    with force_locale(bill.language):
        page, xml = _clean(page_of(bill)), facturx.xml_of(bill, words_of(bill))
    pdf = typst.compile(
        str(TEMPLATE),
        format="pdf",
        pdf_standards=["a-3b", "ua-1"],
        ignore_system_fonts=True,  # the same document on every machine
        font_paths=[str(FONTS)],
        sys_inputs={"invoice": json.dumps(page), "xml": xml.decode()},
        timestamp=datetime.combine(bill.issued_on, time(), UTC),
    )
    return Document(facturx.declared(bytes(pdf)), xml)


def _clean(value: Any) -> Any:
    """Makes every text in `value` one printable line, without control characters. Long words can be broken.

    Combining accents are dropped, since the fonts lack them. A letter that the fonts lack is printed as its plain form
    or as an empty box. The XML has the text as it was typed.
    """
    if isinstance(value, dict):
        return {name: _clean(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if isinstance(value, bool):
        return value
    text = unicodedata.normalize("NFC", re.sub(r"[\r\n\t\v\f\x85\u2028\u2029]+", " ", str(value)))
    text = "".join(character for character in text if unicodedata.category(character)[0] not in "CM")
    return UNBROKEN.sub(lambda match: match[0] + "\u200b", UNPRINTABLE.sub(_printable, text))


def _printable(match: re.Match[str]) -> str:
    decomposed = unicodedata.normalize("NFKD", match[0])
    plain = "".join(character for character in decomposed if unicodedata.category(character)[0] != "M")
    return "□" if not plain or UNPRINTABLE.search(plain) else plain
