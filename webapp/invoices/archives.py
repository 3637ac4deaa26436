"""Months for the accountant: a ZIP of every invoice and credit note as PDF and XML, with a journal and a manifest. The
journal can be had alone, too.

The ZIP is made document by document into a temporary file, one archive at a time for an account, and no transaction is
open meanwhile. Only a whole file is sent.
"""

import hashlib
import io
import logging
import tempfile
from collections.abc import Iterator
from datetime import date
from typing import IO, NamedTuple
from zipfile import ZipFile, ZipInfo

from sqlalchemy import ColumnElement, and_, func, select, tuple_
from werkzeug.wsgi import FileWrapper

from .. import guard, leases
from ..db import NotFound, begin_reading, db
from ..models.invoices import Invoice, InvoiceDocument
from . import documents
from .journal import COLUMNS, Journal
from .spans import Span

log = logging.getLogger(__name__)
PAGE = 200
STEP = 20  # documents to make in one request


_OF_INVOICE = and_(InvoiceDocument.account_id == Invoice.account_id, InvoiceDocument.invoice_id == Invoice.id)


class Progress(NamedTuple):
    """How many documents of a span are made, of how many."""

    made: int
    all: int


def count(account_id: str, span: Span) -> Progress:
    """How many of the span's documents are made."""
    query = select(func.count(), func.count(InvoiceDocument.invoice_id)).select_from(Invoice)
    query = query.outerjoin(InvoiceDocument, _OF_INVOICE)
    all_of_them, made = db.session.execute(query.where(*_within(account_id, span))).one()
    return Progress(made, all_of_them)


def progress(account_id: str, span: Span) -> Progress:
    """The same. Raises NotFound if there is no document."""
    counted = count(account_id, span)
    if counted.all == 0:
        raise NotFound(span)
    return counted


def extent(account_id: str) -> Span | None:
    """The days of the account's first and last document. None if it has no document."""
    days = select(func.min(Invoice.issued_on), func.max(Invoice.issued_on)).where(Invoice.account_id == account_id)
    first, last = db.session.execute(days).one()
    return Span(first, last) if first else None


def prepare(account_id: str, span: Span) -> None:
    """Makes up to STEP documents that are not made yet. Raises DocumentNotMade."""
    is_made = select(InvoiceDocument.invoice_id).where(_OF_INVOICE).exists()
    missing = select(Invoice.id).where(*_within(account_id, span), ~is_made)
    ids = db.session.scalars(missing.order_by(Invoice.issued_on, Invoice.number).limit(STEP)).all()
    for invoice_id in ids:
        documents.pdf_of(db.session.get_one(Invoice, (account_id, invoice_id)))


def check(account_id: str, span: Span) -> None:
    """Raises NotFound if the account has no document of that span."""
    if db.session.scalars(select(Invoice.id).where(*_within(account_id, span)).limit(1)).first() is None:
        raise NotFound(span)


class Spooled(FileWrapper):
    """A temporary file. It is closed, and so gone, at the latest when nobody refers to this any more."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        super().__init__(file)
        self.size = size

    def __del__(self) -> None:
        self.close()


def spooled(account_id: str, span: Span) -> Spooled:
    """The whole ZIP file, at its beginning. Raises leases.Taken while another one of the account is made, and
    guard.Busy while too many others are."""
    with guard.asking(guard.ARCHIVES), leases.held(f"archive {account_id}") as renew:
        file = tempfile.TemporaryFile()  # noqa: SIM115  whoever sends it closes it
        try:
            for part in archive(account_id, span):
                file.write(part)
                renew()
            size = file.tell()
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return Spooled(file, size)


def spooled_journal(account_id: str, span: Span) -> Spooled:
    """The journal of the span as a CSV file, at its beginning. It makes no document."""
    journal, file = Journal(account_id), tempfile.TemporaryFile()  # noqa: SIM115
    query = select(*COLUMNS).where(*_within(account_id, span)).order_by(Invoice.issued_on, Invoice.number)
    begin_reading()
    for page in db.session.execute(query.execution_options(yield_per=PAGE)).partitions():
        for row in page:
            journal.add(row)
        file.write(journal.take())
    db.session.rollback()
    size = file.tell()
    file.seek(0)
    return Spooled(file, size)


def archive(account_id: str, span: Span) -> Iterator[bytes]:
    """The ZIP file, part by part. An error on the way is logged and raised; the file then stays incomplete."""
    try:
        yield from _archive(account_id, span)
    except Exception:
        db.session.rollback()
        log.exception("the archive of %s of account %s broke off", span.name, account_id)
        raise


def _archive(account_id: str, span: Span) -> Iterator[bytes]:
    buffer, manifest, journal = _Buffer(), [], Journal(account_id)
    zip_file = ZipFile(buffer, "w")  # not closed after an error: closing would write the directory
    names: set[str] = set()

    def add(name: str, body: bytes, day: date) -> bytes:
        manifest.append(f"{hashlib.sha256(body).hexdigest()}  {name}\n")
        return _write_entry(zip_file, buffer, name, body, day)

    day = span.last
    for invoice, pdf, xml in _documents(account_id, span):
        day, stem = invoice.issued_on, _stem(invoice, names)
        journal.add(invoice)
        yield add(f"{stem}.pdf", pdf, day)
        yield add(f"{stem}.xml", xml, day)
    yield add(f"journal-{span.name}.csv", journal.take(), day)
    yield _write_entry(zip_file, buffer, "MANIFEST.sha256", "".join(manifest).encode(), day)
    zip_file.close()
    yield buffer.take()


def _documents(account_id: str, span: Span) -> Iterator[tuple[Invoice, bytes, bytes]]:
    """Each document of the span so far, in order. Only one is held in memory at a time."""
    key = tuple_(Invoice.issued_on, Invoice.number)
    ours = select(Invoice.id, Invoice.issued_on, Invoice.number).where(*_within(account_id, span))
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


def _within(account_id: str, span: Span) -> tuple[ColumnElement[bool], ...]:
    return Invoice.account_id == account_id, Invoice.issued_on.between(*span)


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
