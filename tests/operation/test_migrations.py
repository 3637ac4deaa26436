"""The migrations make exactly the schema of the models, and can be undone."""

from pathlib import Path

import pytest
from flask_migrate import check, downgrade, upgrade
from sqlalchemy import inspect, select

from tests.support.databases import fresh_database
from webapp import create_app
from webapp.access import members
from webapp.db import db, transaction
from webapp.models.access import MemberSession
from webapp.models.accounts import Member
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
            member_id, now = session.scalars(select(Member.id)).one(), ports().clock.system_now()
            for token in "ab":
                session.add(
                    MemberSession(
                        account_id=invoice.account_id,
                        token_hash=token * 64,
                        member_id=member_id,
                        created_at=now,
                        last_seen_at=now,
                        proved_at=now,
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
        signed_in = db.session.scalars(select(MemberSession).order_by(MemberSession.token_hash)).all()
        assert [(row.member_id, row.created_at, row.last_seen_at, row.ended) for row in signed_in] == [
            (member_id, now, now, None)
        ] * 2
        db.session.remove()
        db.engine.dispose()


def test_of_several_owners_the_lowest_email_stays_the_owner(tmp_path: Path) -> None:
    with fresh_database(tmp_path) as url, create_app({"SQLALCHEMY_DATABASE_URI": url}).app_context():
        upgrade()
        scenarios.make("business", email="nadia@example.test")
        account = db.session.scalars(select(Member.account_id)).one()
        for email in ("alix@example.test", "sam@example.test"):
            with transaction():
                members.add_member(Member(account_id=account, role="viewer", name="", email=email, password_hash=""))
        db.session.remove()
        downgrade(revision="0016")
        upgrade()
        rows = db.session.execute(select(Member.email, Member.role, Member.unwanted_mails).order_by(Member.email)).all()
        assert rows == [
            ("alix@example.test", "owner", []),
            ("nadia@example.test", "manager", []),
            ("sam@example.test", "manager", []),
        ]
        db.session.remove()
        db.engine.dispose()
