"""The role that runs the portal may do all that owners and the sweep do, and change nothing that was issued."""

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError

from tests.support import databases
from tests.support.application import new_app
from tests.support.world import pay, post, quoted, signed_in, subscription
from webapp.db import db
from webapp.domain.subscription import ChangeKind
from webapp.invoices import documents, listing
from webapp.purchases import quotes, refunds
from webapp.renewals import sweep
from webapp.sandbox import scenarios
from webapp.subscriptions import loading, service

ROLE = "portal_running"
FORBIDDEN = (
    "UPDATE invoice SET total = total",
    "UPDATE invoice SET snapshot = snapshot",
    "DELETE FROM invoice",
    "UPDATE invoice_document SET pdf = pdf",
    "DELETE FROM invoice_document",
    "UPDATE activity SET what = what",
    "DELETE FROM activity",
    "DELETE FROM spent_number",
    "TRUNCATE invoice",
    "ALTER TABLE invoice ADD COLUMN more integer",
)
on_postgresql = pytest.mark.skipif(not databases.POSTGRESQL or databases.CITUS, reason="SQLite has no roles")


@pytest.mark.service
@on_postgresql
def test_the_running_role_runs_the_portal_and_changes_nothing_that_was_issued(migrated: str, tmp_path: Path) -> None:
    with databases.copied(migrated, tmp_path) as url:
        owner = new_app(url)
        with owner.app_context():
            with db.engine.begin() as connection:
                made = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": ROLE}).first()
                if made is None:
                    connection.execute(text(f"CREATE ROLE {ROLE} LOGIN"))
            for _ in range(2):
                done = owner.test_cli_runner().invoke(args=["grant", ROLE])
                assert (done.exit_code, f"{ROLE} may run the portal" in done.output) == (0, True)
            refusals = {"nobody_at_all": "There is no role", "postgres": "owns the tables", "a b": "letters"}
            for name, sentence in refusals.items():
                refused = owner.test_cli_runner().invoke(args=["grant", name])
                assert (refused.exit_code, sentence in refused.output) == (1, True)
            db.engine.dispose()
        running = new_app(
            make_url(url).set(username=ROLE).render_as_string(hide_password=False), WTF_CSRF_ENABLED=False
        )
        with running.app_context():
            assert db.session.scalars(text("SELECT current_user")).one() == ROLE
            _walk(running)
            done = running.test_cli_runner().invoke(args=["prune"])
            assert (done.exit_code, "activity" in done.output) == (0, False), "the owner of the tables prunes it"
            for statement in FORBIDDEN:
                with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
                    db.session.execute(text(statement))
                db.session.rollback()
            db.session.remove()
            db.engine.dispose()


def _walk(app: Flask) -> None:
    """All that an owner, the sweep and an operator do in the course of business."""
    made = scenarios.make("business")
    client = signed_in(app, made)
    pay(app, made, quoted(app, made))
    with app.test_request_context():
        quote = quotes.quote_addition(made.account, subscription(made), 20)
        quotes.choose_card(made.account, subscription(made), quote, made.cards[0])
    assert pay(app, made, quote) == "captured"
    with app.test_request_context():
        service.reduce(made.account, subscription(made), 8)
        (change,) = loading.load(made.account, subscription(made)).open_changes
        assert change.kind is ChangeKind.REDUCTION
        service.withdraw(made.account, subscription(made), change.id)
        invoice = listing.invoices_of(made.account)[0]
        assert refunds.credit(made.account, invoice.number, 100).state == "made"
        assert documents.pdf_of(listing.find_invoice(made.account, invoice.id)).startswith(b"%PDF")
    assert client.get("/subscriptions").status_code == 200
    post(app, f"/{made.account}/clock", to="2027-05-20T09:00:00")
    assert sweep.sweep() == 0
    assert len(loading.load(made.account, subscription(made)).periods) == 10
    with app.test_request_context():
        service.cancel(made.account, subscription(made))


def test_sqlite_has_no_roles(app: Flask) -> None:
    if databases.POSTGRESQL:
        pytest.skip("this is PostgreSQL")
    refused = app.test_cli_runner().invoke(args=["grant", ROLE])
    assert (refused.exit_code, "SQLite has no roles" in refused.output) == (1, True)
