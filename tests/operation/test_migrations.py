"""The migrations make exactly the schema of the models, and can be undone."""

from pathlib import Path

import pytest
from flask_migrate import check, downgrade, upgrade
from sqlalchemy import inspect, select

from tests.support.databases import fresh_database
from webapp import create_app
from webapp.db import db, transaction
from webapp.models.access import OwnerSession
from webapp.models.accounts import Owner
from webapp.models.invoices import Invoice, InvoiceDocument
from webapp.ports import ports
from webapp.sandbox import scenarios

pytestmark = pytest.mark.service


def test_up_from_nothing_is_the_models_schema_and_down_is_nothing(tmp_path: Path) -> None:
    with fresh_database(tmp_path) as url, create_app({"SQLALCHEMY_DATABASE_URI": url}).app_context():
        for _ in range(2):
            upgrade()
            check()
            assert "subscription" in inspect(db.engine).get_table_names()
            downgrade(revision="base")
            assert inspect(db.engine).get_table_names() == ["alembic_version"]
        db.engine.dispose()


def test_what_was_written_survives_down_and_up_again(tmp_path: Path) -> None:
    with fresh_database(tmp_path) as url, create_app({"SQLALCHEMY_DATABASE_URI": url}).app_context():
        upgrade()
        scenarios.make("business")
        number = db.session.scalars(select(Invoice.number)).first()
        with transaction() as session:
            invoice = session.scalars(select(Invoice).where(Invoice.number == number)).one()
            session.add(InvoiceDocument(account_id=invoice.account_id, invoice_id=invoice.id, pdf=b"%PDF", xml=None))
            owner_id, now = session.scalars(select(Owner.id)).one(), ports().clock.system_now()
            for token in "ab":
                session.add(
                    OwnerSession(
                        account_id=invoice.account_id,
                        token_hash=token * 64,
                        owner_id=owner_id,
                        created_at=now,
                        last_seen_at=now,
                        browser="Firefox",
                        system="Windows",
                    )
                )
        db.session.remove()
        downgrade(revision="0002")
        upgrade()
        kept = select(Invoice.number, InvoiceDocument.pdf).join(
            InvoiceDocument, InvoiceDocument.invoice_id == Invoice.id
        )
        assert db.session.execute(kept).all() == [(number, b"%PDF")]
        signed_in = db.session.scalars(select(OwnerSession).order_by(OwnerSession.token_hash)).all()
        assert [(row.owner_id, row.created_at, row.last_seen_at, row.ended) for row in signed_in] == [
            (owner_id, now, now, None)
        ] * 2
        db.session.remove()
        db.engine.dispose()
