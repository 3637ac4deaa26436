"""The memory that a year's archive takes."""

import tracemalloc

from flask import Flask
from sqlalchemy import select

from tests.support.world import issue
from webapp.db import db, transaction
from webapp.invoices import archives
from webapp.invoices.spans import Span
from webapp.models.invoices import Invoice, InvoiceDocument
from webapp.sandbox.scenarios import Made


def test_memory_is_that_of_some_documents_and_not_of_the_year(app: Flask, business: Made) -> None:
    """`make bench` measures the whole process with documents that are not made yet."""
    issue(business, 40)
    db.session.rollback()
    ids = db.session.scalars(select(Invoice.id)).all()
    with transaction() as session:
        session.add_all(
            [
                InvoiceDocument(
                    account_id=business.account, invoice_id=invoice_id, pdf=b"%PDF" * 100_000, xml=b"<xml/>"
                )
                for invoice_id in ids
            ]
        )
    size = 0
    tracemalloc.start()
    try:
        with app.test_request_context():
            for part in archives.archive(business.account, Span.of_year(2020)):
                size += len(part)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < size / 4
