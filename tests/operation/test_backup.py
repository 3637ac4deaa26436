"""A backup taken during payments can be restored elsewhere, and holds all that was acknowledged before it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import pytest
from flask import Flask
from sqlalchemy import select

from tests.support import invariants
from tests.support.databases import CITUS, POSTGRESQL
from tests.support.restoring import back_up, restored_alone
from tests.support.world import pay, quoted
from webapp.db import db
from webapp.models.accounts import Account
from webapp.models.purchases import Payment
from webapp.renewals import sweep
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service
OWNERS, BEFORE = 8, 3


@pytest.mark.skipif(CITUS, reason="a dump of a cluster is of one moment only while the portal is stopped")
def test_a_copy_taken_while_payments_go_on_is_sound_and_holds_what_was_acknowledged(app: Flask, tmp_path: Path) -> None:
    made = [scenarios.make("business") for _ in range(OWNERS)]
    quotes = [quoted(app, account) for account in made]
    db.session.remove()
    acknowledged: Queue[str] = Queue()

    def work(account: Made, quote: str) -> None:
        with app.app_context():
            assert pay(app, account, quote) == "captured"
            acknowledged.put(quote)

    with ThreadPoolExecutor(1) as pool:
        payments = [pool.submit(work, *both) for both in zip(made, quotes, strict=True)]
        before = {acknowledged.get(timeout=30) for _ in range(BEFORE)}
        back_up(app, tmp_path / "copy")
        for payment in payments:
            payment.result(30)
    with restored_alone(tmp_path / "copy") as elsewhere:
        assert elsewhere.test_client().get("/readyz").status_code == 200
        captured = set(db.session.scalars(select(Payment.quote_id).where(Payment.state == "captured")))
        assert before <= captured
        for account in db.session.scalars(select(Account.id)).all():
            invariants.check(invariants.read(account))
        db.session.rollback()
        assert sweep.sweep() == 0
        states = set(db.session.scalars(select(Payment.state)))
        assert states <= {"captured", "pending"}, "what was in flight is found out later"


def test_a_copy_is_the_operators_alone_and_overwrites_nothing(app: Flask, business: Made, tmp_path: Path) -> None:
    if POSTGRESQL:
        done = app.test_cli_runner().invoke(args=["backup", str(tmp_path / "copy")])
        assert (done.exit_code, "pg_dump" in done.output) == (1, True)
        return
    for code in (0, 1):
        done = app.test_cli_runner().invoke(args=["backup", str(tmp_path / "copy")])
        assert done.exit_code == code, done.output
    assert "cannot be made (File exists): name a new file" in done.output
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
