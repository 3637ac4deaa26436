"""An invoice as a PDF: made once, from nothing but what was frozen when it was issued, and kept.

`_texts` writes every word of the document in the billing language; templates/invoices/invoice.typ only lays them out.
"""

import json
import logging
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

import typst
from flask_babel import force_locale, get_locale, gettext

from . import config, formats
from .db import LOCK, db, transaction
from .domain.pricing import Line
from .domain.tax import Treatment
from .formats import ngettext
from .records import Invoice, InvoiceDocument

log = logging.getLogger(__name__)
TEMPLATE = config.ROOT / "templates" / "invoices" / "invoice.typ"
# What the fonts that typst bundles can print; PDF/A refuses a document in which a letter has no shape.
UNPRINTABLE = re.compile("[^ -\u04ff\u1e00-\u2040\u20a0-\u20bf\u2116\u2122\u2212]")
UNBROKEN = re.compile(r"[^\s\u200b]{16}")


class DocumentNotMade(Exception):
    """The PDF could not be made: the cause is logged and nothing is written."""

    def __init__(self, invoice_id: str) -> None:
        super().__init__(invoice_id)
        self.invoice_id = invoice_id


def filename(invoice: Invoice) -> str:
    """`facture-MQ-2027-000003.pdf`: ASCII letters, digits and hyphens, whatever the number holds."""
    kind = "invoice" if _language(invoice) == "en" else "facture"
    return f"{kind}-{re.sub(r'[^A-Za-z0-9]+', '-', invoice.number).strip('-')}.pdf"


def pdf_of(invoice: Invoice) -> bytes:
    """The invoice's PDF, the same bytes at each download. Raises DocumentNotMade."""
    invoice_id = invoice.id
    kept = db.session.get(InvoiceDocument, invoice_id)
    if kept is not None:
        return kept.pdf
    pdf = _make(invoice)
    with transaction() as session:
        session.get_one(Invoice, invoice_id, with_for_update=LOCK)  # of two first downloads, one writes
        kept = session.get(InvoiceDocument, invoice_id)
        if kept is None:
            kept = InvoiceDocument(invoice_id=invoice_id, pdf=pdf)
            session.add(kept)
        return kept.pdf


def _make(invoice: Invoice) -> bytes:
    """PDF/A-3, which may carry the invoice as data too. The customer's words reach typst as JSON, never as markup."""
    try:
        with force_locale(_language(invoice)):
            texts = _clean(_texts(invoice))
        pdf = typst.compile(
            str(TEMPLATE),
            format="pdf",
            pdf_standards="a-3b",
            ignore_system_fonts=True,  # the same document on every machine
            sys_inputs={"invoice": json.dumps(texts)},
            timestamp=datetime.combine(invoice.issued_on, time(), UTC),
        )
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as fault:  # a panic inside typst is no Exception
        log.error("the document of invoice %s could not be made", invoice.id, exc_info=fault)
        raise DocumentNotMade(invoice.id) from fault
    return bytes(pdf)


def _language(invoice: Invoice) -> str:
    wished = invoice.snapshot.get("locale")
    return wished if wished in config.LOCALES else "fr"


def _texts(invoice: Invoice) -> dict[str, Any]:
    """What the template prints, in the language that is forced."""
    told, currency = invoice.snapshot, invoice.currency
    start, end = map(date.fromisoformat, told["period"])
    card = told["card"]
    return {
        "language": formats.language(),
        "title": gettext("Invoice"),
        "number": invoice.number,
        "details": [
            [gettext("Number"), invoice.number],
            [gettext("Issue date"), formats.day(invoice.issued_on)],
            [gettext("Period"), formats.period((0, start, end))],
            [gettext("Subscription"), f"{told['product']} · {ngettext('%(n)s seat', '%(n)s seats', told['seats'])}"],
        ],
        "parties": [_party(gettext("Seller"), told["seller"]), _party(gettext("Customer"), told["buyer"])],
        "columns": [gettext("Seats"), gettext("Calculation"), gettext("Amount")],
        "lines": [[*_line(line, currency), formats.money(line["amount"], currency)] for line in told["lines"]],
        "sums": [
            [gettext("Total before tax"), formats.money(invoice.net, currency)],
            [_tax_name(told["tax_treatment"], told["tax_rate"]), formats.money(invoice.tax, currency)],
        ],
        "total": [gettext("Total with tax"), formats.money(invoice.total, currency)],
        "paid": gettext("Paid"),
        "paid_with": gettext("Paid with %(card)s", card=f"{card['brand']} •••• {card['last4']}") if card else "",
    }


def _party(title: str, party: Mapping[str, Any]) -> dict[str, Any]:
    locale, country = get_locale(), party["country"]
    numbers = [
        ["SIREN", party["siren"]],
        [gettext("VAT number"), party["vat_number"]],
        [gettext("Purchase order"), party.get("purchase_order")],
    ]
    return {
        "title": title,
        "name": party["legal_name"],
        "address": [
            party["street"],
            f"{party['postal_code']} {party['city']}",
            locale.territories.get(country, country) if locale else country,
        ],
        "numbers": [number for number in numbers if number[1]],
    }


def _line(line: Line, currency: str) -> tuple[str, str]:
    """What a line is for, and how its amount comes about: the words of the `line` macro."""
    months = " × " + ngettext("%(n)s month", "%(n)s months", line["months"]) if line["months"] > 1 else ""
    if line["kind"] == "credit":
        return gettext("Part of the invoice that is credited"), ""
    if line["kind"] == "tier":
        first, last = formats.number(line["first"]), formats.number(line["last"])
        label = (
            gettext("Seat %(n)s", n=first)
            if first == last
            else gettext("Seats %(first)s to %(last)s", first=first, last=last)
        )
        return label, f"{formats.number(line['seats'])} × {formats.money(line['unit'], currency)}{months}"
    if line["days_left"] < line["days"]:
        label = ngettext("%(n)s seat for the days left", "%(n)s seats for the days left", line["seats"])
    else:
        label = ngettext("%(n)s seat for the whole period", "%(n)s seats for the whole period", line["seats"])
    days = gettext("%(left)s of %(days)s days", left=line["days_left"], days=line["days"])
    return label, f"{formats.money(line['monthly'], currency)}{months} × {days}"


def _tax_name(treatment: str, rate: int) -> str:
    """The words of the `tax_name` macro."""
    if treatment == Treatment.REVERSE_CHARGE:
        return gettext("VAT: reverse charge, due by the customer")
    if treatment == Treatment.OUTSIDE_EU:
        return gettext("VAT: not applicable outside the European Union")
    return gettext("VAT %(rate)s", rate=formats.percent(rate))


def _clean(value: Any) -> Any:
    """Every text in `value` as one printable line: no controls, no marks of direction, no word without a break.

    Accents that no composed letter holds are left out: the fonts have no shape for them.
    """
    if isinstance(value, dict):
        return {name: _clean(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    text = unicodedata.normalize("NFC", re.sub(r"[\r\n\t\v\f\x85\u2028\u2029]+", " ", str(value)))
    kept = "".join(one for one in text if unicodedata.category(one)[0] not in "CM")
    return UNBROKEN.sub(lambda long: long[0] + "\u200b", UNPRINTABLE.sub("?", kept))
