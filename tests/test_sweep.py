"""The sweep over many subscriptions: in pages, on several threads, around a silent gateway, and what it tells."""

from collections.abc import Callable
from datetime import timedelta
from unittest.mock import patch

import pytest
from flask import Flask, current_app
from sqlalchemy import func, select, update

from webapp.db import db, transaction
from webapp.models.accounts import Account
from webapp.models.invoices import Invoice
from webapp.models.purchases import Payment
from webapp.models.subscriptions import PriceList, Subscription
from webapp.ports import NewCard
from webapp.purchases import cards, wallet
from webapp.renewals import sweep
from webapp.renewals.rollover import Done
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxAccount
from webapp.subscriptions import service

from .conftest import signed_in
from .test_mails import kinds
from .world import post, statements, subscription

pytestmark = pytest.mark.service
MONTH = timedelta(days=31)


@pytest.fixture
def due(app: Flask) -> list[Made]:
    """Seven subscriptions whose renewal is due and was not swept."""
    made = [scenarios.make("business") for _ in range(7)]
    pass_time(MONTH)
    return made


def pass_time(gone: timedelta) -> None:
    """For everybody; the panel would sweep on the way."""
    db.session.rollback()
    with transaction() as session:
        for account in session.scalars(select(SandboxAccount)):
            account.set_to += gone


def swept(threads: int = 1) -> Done:
    return sum(sweep.swept(threads=threads), Done())


def renewals() -> int:
    return db.session.scalars(select(func.count()).select_from(Invoice).where(Invoice.payment_key.is_not(None))).one()


def breaks(made: Made) -> None:
    """Its price list cannot be read."""
    with transaction() as session:
        session.add(PriceList(id="bad", currency="EUR", rows=[[5, 1]]))
        session.flush()
        session.execute(update(Subscription).where(Subscription.id == subscription(made)).values(price_list_id="bad"))


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("size", [1, 3, 7, 200])
def test_every_subscription_is_seen_once_whatever_the_pages(
    due: list[Made], monkeypatch: pytest.MonkeyPatch, threads: int, size: int
) -> None:
    monkeypatch.setattr(sweep, "PAGE", size)
    assert swept(threads) == Done(seen=7, renewed=7)
    assert renewals() == 7
    assert swept(threads) == Done()


def test_what_has_nothing_due_is_not_looked_at_again_before_its_day(due: list[Made]) -> None:
    swept()
    with statements() as asked:
        assert swept() == Done()
    assert not any("FROM period" in statement for statement in asked)
    pass_time(timedelta(days=21))
    assert (swept(), kinds().count("renewal")) == (Done(seen=7), 7)  # a week ahead
    assert swept() == Done()


def test_a_sweep_with_nothing_to_look_at_waits_for_nobody(due: list[Made]) -> None:
    swept()
    with db.engine.connect().execution_options(immediate=True) as other:
        other.execute(update(Subscription).values(product="held"))
        assert swept() == Done()


def expiring_default(made: Made) -> None:
    with transaction() as session:
        account = session.get_one(Account, made.account)
        card = wallet.add_card(account, NewCard("a token", "Visa", "0002", 2027, 1, "Camille Martin")).id
    cards.make_default(made.account, card)


def another_owner(made: Made) -> None:
    asked = ["add-owner", "--account", made.account, "--email", "second@example.test", "--name", "Sacha"]
    with patch.dict(current_app.config, SANDBOX=False):  # which makes its owners itself
        assert current_app.test_cli_runner().invoke(args=asked).exit_code == 0


@pytest.mark.parametrize(
    "change", [lambda made: service.cancel(made.account, subscription(made)), expiring_default, another_owner]
)
def test_whoever_changes_something_makes_the_next_sweep_look(business: Made, change: Callable[[Made], object]) -> None:
    pass_time(timedelta(days=27))
    swept()
    assert swept() == Done()
    change(business)
    assert swept() == Done(seen=1)
    assert swept() == Done()


def test_a_silent_gateway_is_left_alone_after_three_and_everything_is_paid_once_it_speaks(
    app: Flask, due: list[Made]
) -> None:
    for made in due:
        post(app, f"/{made.account}/gateway", next="down")
    assert swept() == Done(seen=7, silent=3)  # three payments begun, and no more
    pass_time(timedelta(minutes=1))
    assert swept() == Done(seen=7, silent=6)  # asked for, and three more begun
    for made in due:
        post(app, f"/{made.account}/gateway", next="")
    pass_time(timedelta(minutes=1))
    done = swept()
    assert (done["renewed"], done["given up"], renewals()) == (7, 6, 7)
    assert states() == {"captured": 7, "cancelled": 6}
    assert swept() == Done()


def states() -> dict[str, int]:
    found = db.session.execute(select(Payment.state, func.count()).group_by(Payment.state))
    return {row[0]: row[1] for row in found}


def test_the_command_tells_what_was_done(app: Flask, due: list[Made]) -> None:
    told = app.test_cli_runner().invoke(args=["roll-over"])
    assert told.exit_code == 0
    assert told.output.startswith("7 subscriptions in ")
    assert told.output.endswith(" s: 7 renewed.\n")
    assert app.test_cli_runner().invoke(args=["roll-over"]).output.endswith(" s: nothing was due.\n")


def test_one_bad_subscription_is_reported_and_the_others_are_rolled_over(
    app: Flask, due: list[Made], caplog: pytest.LogCaptureFixture
) -> None:
    breaks(due[3])
    told = app.test_cli_runner().invoke(args=["roll-over"])
    assert told.exit_code == 1
    assert "6 renewed, 1 failed." in told.output
    assert "1 subscriptions were not rolled over" in told.output
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
    (found,) = reported()
    assert found.startswith(f"payment {key} has been pending for 1 day, ")
    assert found.endswith(": look it up at the gateway")
    assert key in client.get(receipt).text
