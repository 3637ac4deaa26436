"""The sweep over many subscriptions: in pages, on several threads, with a silent gateway, and its report."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from flask import Flask, current_app
from sqlalchemy import func, select, update

from e2e.portal import environment
from tests.support.mails import kinds
from tests.support.world import post, signed_in, statements, subscription
from webapp import create_app
from webapp.db import db, transaction
from webapp.models.accounts import Account
from webapp.models.invoices import Invoice
from webapp.models.prices import PriceList
from webapp.models.purchases import Payment
from webapp.models.subscriptions import SubscriptionRow
from webapp.ports import NewCard
from webapp.purchases import cards, wallet
from webapp.renewals import processes, sweep
from webapp.renewals.rollover import SubscriptionKey, Tally, roll_over
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxAccount
from webapp.subscriptions import service

pytestmark = pytest.mark.service
MONTH = timedelta(days=31)


@pytest.fixture
def due(app: Flask) -> list[Made]:
    """Makes seven subscriptions whose renewal is due."""
    made = [scenarios.make("business") for _ in range(7)]
    pass_time(MONTH)
    return made


def pass_time(gone: timedelta) -> None:
    """Moves every account's clock without a sweep, which the panel would run."""
    db.session.rollback()
    with transaction() as session:
        for account in session.scalars(select(SandboxAccount)):
            account.set_to += gone


def run(threads: int = 1) -> Tally:
    return sum(sweep.run(threads=threads), Tally())


def renewals() -> int:
    return db.session.scalars(select(func.count()).select_from(Invoice).where(Invoice.payment_key.is_not(None))).one()


def breaks(made: Made) -> None:
    """Makes its price list unreadable."""
    with transaction() as session:
        session.add(PriceList(id="bad", currency="EUR", rows=[[5, 1]]))
        session.flush()
        session.execute(
            update(SubscriptionRow).where(SubscriptionRow.id == subscription(made)).values(price_list_id="bad")
        )


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("size", [1, 3, 7, 200])
def test_every_subscription_is_seen_once_whatever_the_pages(
    due: list[Made], monkeypatch: pytest.MonkeyPatch, threads: int, size: int
) -> None:
    monkeypatch.setattr(sweep, "PAGE", size)
    assert run(threads) == Tally(seen=7, renewed=7)
    assert renewals() == 7
    assert run(threads) == Tally()


def test_several_processes_renew_each_subscription_once(
    due: list[Made], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address = db.engine.url.render_as_string(hide_password=False)
    for name, value in environment(tmp_path, DATABASE_URL=address).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(processes, "WORTH_A_PROCESS", 3)
    done = sum(processes.run(create_app, threads=1, processes=2, to_check=7), Tally())
    assert (done["renewed"], done["failed"], renewals()) == (7, 0, 7)
    assert run() == Tally()


def test_a_renewal_takes_few_statements_and_the_counter_of_the_invoices_is_locked_last(business: Made) -> None:
    pass_time(MONTH)
    with statements() as asked:
        assert roll_over(SubscriptionKey(business.account, subscription(business))) == Tally(renewed=1)
    of_the_portal = [asked for asked in asked if "sandbox" not in asked and "advisory" not in asked]
    locks = 2 if db.engine.dialect.name == "postgresql" else 0  # SQLite has one writer
    counted = next(number for number, statement in enumerate(of_the_portal) if "invoice_counter" in statement)
    written = [re.match(r"INSERT INTO (\w+)", statement) for statement in of_the_portal[counted:]]
    assert [found and found[1] for found in written] == ["invoice_counter", "invoice", "message", "activity", "quiet"]
    assert len(of_the_portal) == 15 + locks


def test_what_has_nothing_due_is_not_looked_at_again_before_its_day(due: list[Made]) -> None:
    run()
    with statements() as asked:
        assert run() == Tally()
    assert not any("FROM period" in statement for statement in asked)
    pass_time(timedelta(days=21))
    assert (run(), kinds().count("renewal")) == (Tally(seen=7), 7)  # a week before the renewal
    assert run() == Tally()


def test_a_sweep_with_nothing_to_look_at_waits_for_nobody(due: list[Made]) -> None:
    run()
    with db.engine.connect().execution_options(immediate=True) as other:
        other.execute(update(SubscriptionRow).values(product="held"))
        assert run() == Tally()


def expiring_default(made: Made) -> None:
    with transaction() as session:
        account = session.get_one(Account, made.account)
        card = wallet.add_card(account, NewCard("a token", "Visa", "0002", 2027, 1, "Camille Martin")).id
    cards.make_default(made.account, card)


def another_owner(made: Made) -> None:
    asked = ["add-member", "--account", made.account, "--email", "second@example.test", "--name", "Sacha"]
    with patch.dict(current_app.config, SANDBOX=False):  # whose panel makes its own owners
        assert current_app.test_cli_runner().invoke(args=asked).exit_code == 0


@pytest.mark.parametrize(
    "change", [lambda made: service.cancel(made.account, subscription(made)), expiring_default, another_owner]
)
def test_whoever_changes_something_makes_the_next_sweep_look(business: Made, change: Callable[[Made], object]) -> None:
    pass_time(timedelta(days=27))
    run()
    assert run() == Tally()
    change(business)
    assert run() == Tally(seen=1)
    assert run() == Tally()


def test_a_payment_that_still_waits_for_its_owner_is_not_written_again(app: Flask, business: Made) -> None:
    post(app, f"/{business.account}/gateway", next="challenge")
    pass_time(MONTH)
    assert run()["waiting"] == 1
    with statements() as asked:
        assert run()["waiting"] == 1
    assert not any(statement.startswith("UPDATE payment") for statement in asked)


def test_a_silent_gateway_is_left_alone_after_three_and_everything_is_paid_once_it_speaks(
    app: Flask, due: list[Made]
) -> None:
    for made in due:
        post(app, f"/{made.account}/gateway", next="down")
    assert run() == Tally(seen=7, silent=3)  # it begins three payments and stops
    pass_time(timedelta(minutes=1))
    assert run() == Tally(seen=7, silent=6)  # it asks for these, and begins three more
    for made in due:
        post(app, f"/{made.account}/gateway", next="")
    pass_time(timedelta(minutes=1))
    done = run()
    assert (done["renewed"], done["given up"], renewals()) == (7, 6, 7)
    assert states() == {"captured": 7, "cancelled": 6}
    assert run() == Tally()


def states() -> dict[str, int]:
    counts = db.session.execute(select(Payment.state, func.count()).group_by(Payment.state))
    return {row[0]: row[1] for row in counts}


def test_the_command_tells_what_was_done(app: Flask, due: list[Made]) -> None:
    command = app.test_cli_runner().invoke(args=["roll-over"])
    assert command.exit_code == 0
    assert command.output.startswith("7 subscriptions in ")
    assert command.output.endswith(" s: 7 renewed.\n")
    assert app.test_cli_runner().invoke(args=["roll-over"]).output.endswith(" s: nothing was due.\n")


def test_one_bad_subscription_is_reported_and_the_others_are_rolled_over(
    app: Flask, due: list[Made], caplog: pytest.LogCaptureFixture
) -> None:
    breaks(due[3])
    command = app.test_cli_runner().invoke(args=["roll-over"])
    assert command.exit_code == 1
    assert "6 renewed, 1 failed." in command.output
    assert "1 subscriptions were not rolled over" in command.output
    assert f"subscription {subscription(due[3])} was not rolled over" in caplog.text
    assert renewals() == 6


def test_a_payment_that_stays_pending_for_a_day_is_for_a_person_in_the_log_and_on_its_page(
    app: Flask, due: list[Made], caplog: pytest.LogCaptureFixture
) -> None:
    post(app, f"/{due[0].account}/gateway", next="down")
    sweep.sweep(due[0].account)
    key = db.session.scalars(select(Payment.key).where(Payment.state == "pending")).one()
    client, quote = signed_in(app, due[0]), db.session.scalars(select(Payment.quote_id).where(Payment.key == key)).one()
    receipt = f"/subscriptions/{subscription(due[0])}/renew/{quote}/receipt"

    def reported() -> list[str]:
        caplog.clear()
        sweep.sweep(due[0].account)
        return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]

    pass_time(timedelta(hours=23))
    assert reported() == []
    assert key not in client.get(receipt).text
    pass_time(timedelta(hours=1))
    (report,) = reported()
    assert report.startswith(f"payment {key} has been pending for 1 day, ")
    assert report.endswith(": look it up at the gateway")
    assert key in client.get(receipt).text
