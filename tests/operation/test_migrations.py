"""The migrations make exactly the schema of the models, and can be undone."""

import json
from pathlib import Path

import pytest
from flask_migrate import check, downgrade, upgrade
from sqlalchemy import JSON, bindparam, inspect, select, text

from tests.support.databases import fresh_database
from webapp import create_app
from webapp.access import members
from webapp.accounts import people
from webapp.db import Instant, db, transaction
from webapp.models.access import MemberSession
from webapp.models.accounts import Member
from webapp.models.activity import Activity
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


def test_names_and_addresses_in_the_activity_become_people_and_are_names_again(tmp_path: Path) -> None:
    rows = text('SELECT what, "by", "before", "after" FROM activity ORDER BY id')
    with fresh_database(tmp_path) as url, create_app({"SQLALCHEMY_DATABASE_URI": url}).app_context():
        upgrade()
        made = scenarios.make("business", email="nadia@example.test")
        written = [
            ("member_joined", None, {}, {"member": "nadia@example.test", "role": "viewer"}),
            ("renewal_paid", "Camille Martin", {"seats": 3}, {"seats": 5}),
            ("exported", "Somebody (support)", {}, {}),
            ("document_sent", "Gone Before", {}, {"billing_emails": ["a@example.test", "nadia@example.test"]}),
        ]
        db.session.remove()
        downgrade(revision="0022")
        with db.engine.begin() as connection:
            connection.execute(text("DELETE FROM activity"))
            for number, (what, by, before, after) in enumerate(written):
                values = {"account_id": made.account, "id": f"a{number}", "at": ports().clock.system_now(), "by": by}
                connection.execute(
                    text(
                        'INSERT INTO activity (account_id, id, "at", "by", what, "before", "after") '
                        "VALUES (:account_id, :id, :at, :by, :what, :before, :after)"
                    ).bindparams(
                        bindparam("at", type_=Instant), bindparam("before", type_=JSON), bindparam("after", type_=JSON)
                    ),
                    {**values, "what": what, "before": before, "after": after},
                )
        upgrade()
        people_of = people.of_account(made.account)
        read = db.session.scalars(select(Activity).order_by(Activity.id)).all()
        assert [
            (row.what, row.by, people.with_addresses(row.before, people_of, ""), told(row, people_of)) for row in read
        ] == written
        assert {row.person_id for row in read if row.by == "Camille Martin"} == set(
            db.session.scalars(select(Member.id))
        )
        assert "example.test" not in str([(row.before, row.after) for row in read])
        db.session.remove()
        downgrade(revision="0022")
        with db.engine.connect() as connection:
            again = connection.execute(rows).all()
        assert [(what, by, plain(before), plain(after)) for what, by, before, after in again] == written
        db.engine.dispose()


def told(row: Activity, people_of: dict[str, people.Known]) -> dict[str, object]:
    return people.with_addresses(row.after, people_of, "")


def plain(column: object) -> object:
    return json.loads(column) if isinstance(column, str) else column
