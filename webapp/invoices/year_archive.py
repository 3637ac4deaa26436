"""A year for the accountant: a ZIP of every invoice and credit note as PDF and XML, a journal, and a manifest.

It is made document by document into a temporary file, one archive at a time for an account, and no transaction is open
meanwhile. Only a whole file is sent.
"""

import csv
import hashlib
import io
import logging
import re
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import IO, NamedTuple
from zipfile import ZipFile, ZipInfo

from sqlalchemy import ColumnElement, and_, func, select, tuple_
from werkzeug.wsgi import FileWrapper

from .. import guard, leases
from ..db import NotFound, db
from ..models.invoices import Invoice, InvoiceDocument
from ..models.subscriptions import SubscriptionRow
from ..words import gettext, language
from . import documents

log = logging.getLogger(__name__)
PAGE = 200
STEP = 20  # documents to make in one request
FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")  # what a spreadsheet would run as a formula


_OF_INVOICE = and_(InvoiceDocument.account_id == Invoice.account_id, InvoiceDocument.invoice_id == Invoice.id)


class Progress(NamedTuple):
    """How many documents of a year are made, of how many."""

    made: int
    all: int


def progress(account_id: str, year: int) -> Progress:
    """How many of the year's documents are made. Raises NotFound if the year has none."""
    query = select(func.count(), func.count(InvoiceDocument.invoice_id)).select_from(Invoice)
    query = query.outerjoin(InvoiceDocument, _OF_INVOICE)
    count, made = db.session.execute(query.where(*_within(account_id, year))).one()
    if count == 0:
        raise NotFound(year)
    return Progress(made, count)


def prepare(account_id: str, year: int) -> None:
    """Makes up to STEP documents that are not made yet. Raises DocumentNotMade."""
    is_made = select(InvoiceDocument.invoice_id).where(_OF_INVOICE).exists()
    missing = select(Invoice.id).where(*_within(account_id, year), ~is_made)
    ids = db.session.scalars(missing.order_by(Invoice.issued_on, Invoice.number).limit(STEP)).all()
    for invoice_id in ids:
        documents.pdf_of(db.session.get_one(Invoice, (account_id, invoice_id)))


def check(account_id: str, year: int) -> None:
    """Raises NotFound if the account has no document of that year."""
    if db.session.scalars(select(Invoice.id).where(*_within(account_id, year)).limit(1)).first() is None:
        raise NotFound(year)


class Spooled(FileWrapper):
    """A temporary file. It is closed, and so gone, at the latest when nobody refers to this any more."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        super().__init__(file)
        self.size = size

    def __del__(self) -> None:
        self.close()


def spooled(account_id: str, year: int) -> Spooled:
    """The whole ZIP file, at its beginning. Raises leases.Taken while another one of the account is made, and
    guard.Busy while too many others are."""
    with guard.asking(guard.ARCHIVES), leases.held(f"archive {account_id}") as renew:
        file = tempfile.TemporaryFile()  # noqa: SIM115  whoever sends it closes it
        try:
            for part in archive(account_id, year):
                file.write(part)
                renew()
            size = file.tell()
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return Spooled(file, size)


def archive(account_id: str, year: int) -> Iterator[bytes]:
    """The ZIP file, part by part. An error on the way is logged and raised; the file then stays incomplete."""
    try:
        yield from _archive(account_id, year)
    except Exception:
        db.session.rollback()
        log.exception("the archive of %s of account %s broke off", year, account_id)
        raise


def _archive(account_id: str, year: int) -> Iterator[bytes]:
    buffer, manifest, journal = _Buffer(), [], _Journal(account_id)
    zip_file = ZipFile(buffer, "w")  # not closed after an error: closing would write the directory
    names: set[str] = set()

    def add(name: str, body: bytes, day: date) -> bytes:
        manifest.append(f"{hashlib.sha256(body).hexdigest()}  {name}\n")
        return _write_entry(zip_file, buffer, name, body, day)

    day = date(year, 12, 31)
    for invoice, pdf, xml in _documents(account_id, year):
        day, stem = invoice.issued_on, _stem(invoice, names)
        journal.add(invoice)
        yield add(f"{stem}.pdf", pdf, day)
        yield add(f"{stem}.xml", xml, day)
    yield add(f"journal-{year}.csv", journal.content(), day)
    yield _write_entry(zip_file, buffer, "MANIFEST.sha256", "".join(manifest).encode(), day)
    zip_file.close()
    yield buffer.take()


def _documents(account_id: str, year: int) -> Iterator[tuple[Invoice, bytes, bytes]]:
    """Each document of the year so far, in order. Only one is held in memory at a time."""
    key = tuple_(Invoice.issued_on, Invoice.number)
    ours = select(Invoice.id, Invoice.issued_on, Invoice.number).where(*_within(account_id, year))
    backwards = ours.order_by(Invoice.issued_on.desc(), Invoice.number.desc())
    newest = db.session.execute(backwards.limit(1)).one()
    pages = ours.where(key <= newest[1:]).order_by(Invoice.issued_on, Invoice.number).limit(PAGE)
    page = db.session.execute(pages).all()
    while page:
        for invoice_id, _, _ in page:
            invoice = db.session.get_one(Invoice, (account_id, invoice_id))
            pdf = documents.pdf_of(invoice)
            xml = documents.xml_of(invoice)
            db.session.refresh(invoice)
            db.session.expunge_all()
            db.session.rollback()
            yield invoice, pdf, xml
        page = db.session.execute(pages.where(key > page[-1][1:])).all()
    db.session.rollback()


def _within(account_id: str, year: int) -> tuple[ColumnElement[bool], ...]:
    if year < 1:
        raise NotFound(year)
    return Invoice.account_id == account_id, Invoice.issued_on.between(date(year, 1, 1), date(year, 12, 31))


def _stem(invoice: Invoice, names: set[str]) -> str:
    """A unique file name without ending: ASCII letters, digits and hyphens. Adds it to `names`."""
    stem = base = documents.filename(invoice).removesuffix(".pdf")
    count = 1
    while stem in names:
        count += 1
        stem = f"{base}-{count}"
    names.add(stem)
    return stem


def _write_entry(zip_file: ZipFile, buffer: "_Buffer", name: str, body: bytes, day: date) -> bytes:
    info = ZipInfo(name, (min(max(day.year, 1980), 2107), day.month, day.day, 0, 0, 0))
    info.external_attr = 0o644 << 16
    zip_file.writestr(info, body)
    return buffer.take()


class _Buffer(io.RawIOBase):
    """A file that a ZIP is written to. `take` returns what was written since the last call."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, part: object) -> int:
        self.parts.append(bytes(part))  # type: ignore[call-overload]
        return len(self.parts[-1])

    def take(self) -> bytes:
        parts, self.parts = self.parts, []
        return b"".join(parts)


class _Journal:
    """A CSV file with one line for each document, in the format of a spreadsheet in the reader's language.

    The amounts of a credit note are negative.
    """

    def __init__(self, account_id: str) -> None:
        ours = select(SubscriptionRow.id, SubscriptionRow.tenant).where(SubscriptionRow.account_id == account_id)
        self.tenants = {row.id: row.tenant for row in db.session.execute(ours)}
        self.file = io.StringIO(newline="")
        self.french = language() == "fr"
        self.kinds = {"invoice": gettext("Invoice"), "credit_note": gettext("Credit note")}
        self.writer = csv.writer(self.file, delimiter=";" if self.french else ",")
        self.writer.writerow(
            [
                gettext("Number"),
                gettext("Date"),
                gettext("Kind"),
                gettext("Refers to"),
                gettext("Subscription"),
                gettext("First day"),
                gettext("Last day"),
                gettext("Net"),
                gettext("VAT rate (%)"),
                gettext("VAT"),
                gettext("Total"),
                gettext("Currency"),
                gettext("Purchase order"),
            ]
        )

    def add(self, invoice: Invoice) -> None:
        snapshot, sign = invoice.snapshot, -1 if invoice.kind == "credit_note" else 1
        start, end = map(date.fromisoformat, snapshot["period"])
        net, tax, total = (self._decimal(sign * cents) for cents in (invoice.net, invoice.tax, invoice.total))
        subscription = f"{snapshot['product']} ({self.tenants.get(invoice.subscription_id, '')})"
        self.writer.writerow(
            [
                _safe_cell(invoice.number),
                invoice.issued_on,
                self.kinds[invoice.kind],
                _safe_cell(snapshot.get("credits", {}).get("number", "")),
                _safe_cell(subscription),
                start,
                end - timedelta(days=1),
                net,
                self._decimal(snapshot["tax_rate"]),
                tax,
                total,
                invoice.currency,
                _safe_cell(invoice.purchase_order or ""),
            ]
        )

    def _decimal(self, hundredths: int) -> str:
        printed = f"{Decimal(hundredths).scaleb(-2):.2f}"
        return printed.replace(".", ",") if self.french else printed

    def content(self) -> bytes:
        return self.file.getvalue().encode("utf-8-sig", "replace")


def _safe_cell(text: str) -> str:
    """The text as one line that no spreadsheet runs as a formula."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return f"'{line}" if FORMULA.match(text) or text[:1] in ("\t", "\r", "\n") else line
