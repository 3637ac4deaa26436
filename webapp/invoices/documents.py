"""An invoice as a PDF that carries itself as data (Factur-X): made once, from nothing but what was frozen when it was
issued, and kept. `wording` writes every word; templates/invoices/invoice.typ only lays them out.
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
# What the fonts of the document can print; PDF/A refuses a document in which a letter has no shape.
UNPRINTABLE = re.compile(
    "[^\u0020-\u007e\u00a0-\u00ac\u00ae-\u0148\u014a-\u01c3\u01c5-\u024f\u0374-\u0376\u037a-\u037f\u0384-\u038a\u038c"
    "\u038e-\u03a1\u03a3-\u03d7\u03dc\u03dd\u03f0-\u03f6\u03f9\u03fa\u03fc-\u045f\u0490\u0491\u1e80-\u1e9b\u1e9d-\u1eff"
    "\u2000-\u200a\u2010-\u2027\u202f-\u2055\u2057\u205f\u20a0-\u20af\u20b1-\u20b5\u20b8-\u20ba\u20bc-\u20bf\u2116"
    "\u2122\u2190\u2192\u2212\u25a1]"
)
UNBROKEN = re.compile(r"[^\s\u200b-]{20}|-{20}")


class DocumentNotMade(Exception):
    """The document of the invoice with this id could not be made: the cause is logged and nothing is written."""


class Made(NamedTuple):
    pdf: bytes
    xml: bytes


def filename(invoice: Invoice, ending: str = "pdf") -> str:
    """`facture-MQ-2027-000003.pdf`: ASCII letters, digits and hyphens, whatever the number holds."""
    names = ("invoice", "credit-note") if language_of(invoice) == "en" else ("facture", "avoir")
    number = re.sub(r"[^A-Za-z0-9]+", "-", invoice.number).strip("-")
    return f"{names[invoice.kind == 'credit_note']}-{number}.{ending}"


def pdf_of(invoice: Invoice) -> bytes:
    """The invoice's PDF, the same bytes at each download. Raises DocumentNotMade."""
    kept = db.session.get(InvoiceDocument, invoice.id)
    return kept.pdf if kept else _kept(invoice).pdf


def xml_of(invoice: Invoice) -> bytes:
    """The data that the PDF carries; those of a PDF that was made without any are made now. Raises DocumentNotMade."""
    kept = db.session.get(InvoiceDocument, invoice.id)
    return (kept and kept.xml) or _kept(invoice).xml


def _kept(invoice: Invoice) -> Made:
    """Both, made and stored; what is stored already stays as it is."""
    invoice_id, made = invoice.id, _make(invoice)
    with transaction() as session:
        session.get_one(Invoice, invoice_id, with_for_update=LOCK)  # of two first downloads, one writes
        kept = session.get(InvoiceDocument, invoice_id)
        if kept is None:
            kept = InvoiceDocument(invoice_id=invoice_id, pdf=made.pdf)
            session.add(kept)
        if kept.xml is None:
            kept.xml = made.xml
        return Made(kept.pdf, kept.xml)


def _make(invoice: Invoice) -> Made:
    try:
        credited = db.session.get_one(Invoice, invoice.credits_id) if invoice.credits_id else None
        return made_of(bill_of(invoice, credited))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as fault:  # a panic inside typst is no Exception
        log.error("the document of invoice %s could not be made", invoice.id, exc_info=fault)
        raise DocumentNotMade(invoice.id) from fault


def made_of(bill: Bill) -> Made:
    """PDF/A-3b, and PDF/UA for those who listen to it, with the XML attached.

    The customer's words reach typst as JSON, never as markup.
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
    return Made(facturx.declared(bytes(pdf)), xml)


def _clean(value: Any) -> Any:
    """Every text in `value` as one printable line: no controls, no marks of direction, no word without a break.

    Accents that no composed letter holds are left out: the fonts have no shape for them. A letter that they lack is
    printed as the plain one that it stands for, or as an empty box; the data have the letter itself.
    """
    if isinstance(value, dict):
        return {name: _clean(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    if isinstance(value, bool):
        return value
    text = unicodedata.normalize("NFC", re.sub(r"[\r\n\t\v\f\x85\u2028\u2029]+", " ", str(value)))
    kept = "".join(one for one in text if unicodedata.category(one)[0] not in "CM")
    return UNBROKEN.sub(lambda long: long[0] + "\u200b", UNPRINTABLE.sub(_printable, kept))


def _printable(found: re.Match[str]) -> str:
    plain = "".join(one for one in unicodedata.normalize("NFKD", found[0]) if unicodedata.category(one)[0] != "M")
    return "□" if not plain or UNPRINTABLE.search(plain) else plain
