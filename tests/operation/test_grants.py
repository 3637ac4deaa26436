"""The role that runs the portal may do all that owners and the sweep do, and change nothing that was issued."""

from pathlib import Path
from unittest.mock import patch

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError

from tests.support import databases
from tests.support.application import new_app
from tests.support.everyday import walk
from webapp.db import db
from webapp.operation import doctor

ROLE = "portal_running"
FORBIDDEN = (
    "UPDATE invoice SET total = total",
    "UPDATE invoice SET snapshot = snapshot",
    "DELETE FROM invoice",
    "UPDATE invoice_document SET pdf = pdf",
    "DELETE FROM invoice_document",
    "UPDATE activity SET what = what",
    "DELETE FROM activity",
    "UPDATE security_event SET kind = kind",
    "DELETE FROM security_event",
    "UPDATE trail_seal SET mac = mac",
    "DELETE FROM trail_seal",
    "DELETE FROM spent_number",
    "TRUNCATE invoice",
    "ALTER TABLE invoice ADD COLUMN more integer",
)
on_postgresql = pytest.mark.skipif(not databases.POSTGRESQL, reason="SQLite has no roles")


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
            assert "may change too much (account, active_users_by_day," in _rights(owner)
            db.engine.dispose()
        running = new_app(
            make_url(url).set(username=ROLE).render_as_string(hide_password=False), WTF_CSRF_ENABLED=False
        )
        with running.app_context():
            assert db.session.scalars(text("SELECT current_user")).one() == ROLE
            assert _rights(running) == ""
            walk(running)
            done = running.test_cli_runner().invoke(args=["prune"])
            assert (done.exit_code, "activity" in done.output) == (0, False), "the owner of the tables prunes it"
            for statement in FORBIDDEN:
                with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
                    db.session.execute(text(statement))
                db.session.rollback()
            db.session.remove()
            db.engine.dispose()
        with owner.app_context():
            for right in ("DELETE ON activity", "UPDATE (snapshot) ON invoice", "TRUNCATE ON card"):
                with db.engine.begin() as connection:
                    connection.execute(text(f"GRANT {right} TO {ROLE}"))
            db.engine.dispose()
        with running.app_context():
            assert "(activity, card, invoice): run the portal as one of `grant` only" in _rights(running)
            db.engine.dispose()


def _rights(app: Flask) -> str:
    """What `doctor` says outside the sandbox."""
    with patch.dict(app.config, SANDBOX=False):
        return dict(doctor.CHECKS)["database rights"]() or ""


def test_sqlite_has_no_roles(app: Flask) -> None:
    if databases.POSTGRESQL:
        pytest.skip("this is PostgreSQL")
    refused = app.test_cli_runner().invoke(args=["grant", ROLE])
    assert (refused.exit_code, "SQLite has no roles" in refused.output) == (1, True)
