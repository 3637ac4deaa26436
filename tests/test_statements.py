"""Each statement of the portal names its account: the listener that watches every test notices one that does not."""

import pytest
from flask import Flask
from sqlalchemy import and_, delete, exists, select, update

from tests.support.databases import POSTGRESQL
from tests.support.statements import Unnamed, check, unnamed_tables
from webapp.db import Across, transaction
from webapp.models.accounts import Account
from webapp.models.cards import Card, DefaultCard
from webapp.models.invoices import Invoice
from webapp.models.prices import PriceList
from webapp.models.purchases import Payment, Quote
from webapp.models.restores import RestoreHold
from webapp.models.subscriptions import PeriodRow
from webapp.purchases import wallet
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import loading

OF_QUOTE = and_(Payment.account_id == Quote.account_id, Payment.quote_id == Quote.id)
MINE = Invoice.account_id == "a"


@pytest.mark.parametrize(
    ("statement", "unnamed"),
    [
        (select(Invoice), {"invoice"}),
        (select(Invoice.number).where(Invoice.id == "i"), {"invoice"}),
        (select(Invoice.number).where(MINE), set()),
        (select(Account).where(Account.id == "a"), set()),
        (select(Account).where(Account.zone == "UTC"), {"account"}),
        (update(Invoice).where(Invoice.id == "i").values(net=1), {"invoice"}),
        (delete(Invoice).where(MINE), set()),
        (select(Payment).join(Quote, OF_QUOTE).where(Quote.account_id == "a"), set()),
        (select(Payment).join(Quote, Payment.quote_id == Quote.id).where(Quote.account_id == "a"), {"payment"}),
        (select(Payment).join(Quote, OF_QUOTE), {"payment", "quote"}),
        (select(Invoice.id).where(MINE, exists().where(Payment.key == Invoice.payment_key)), {"payment"}),
        (select(Invoice.id).where(MINE, exists().where(RestoreHold.id == 1)), set()),
        (select(PriceList), set()),
        (select(Invoice).where(Invoice.account_id.in_(["a", "b"])), {"invoice"}),
    ],
)
def test_a_table_without_its_account_is_noticed(statement: object, unnamed: set[str]) -> None:
    assert unnamed_tables(statement) == unnamed


def test_a_service_that_forgets_the_account_fails_every_test_that_uses_it(
    app: Flask, business: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wallet.default_card(business.account) is not None
    monkeypatch.setattr(wallet, "_is_default", DefaultCard.card_id == Card.id)
    with pytest.raises(Unnamed):
        wallet.default_card(business.account)


@pytest.mark.service
@pytest.mark.skipif(not POSTGRESQL, reason="on SQLite, a read begins a transaction, too")
def test_a_service_that_locks_outside_of_a_transaction_fails_every_test_that_uses_it(business: Made) -> None:
    with pytest.raises(AssertionError, match="needs a transaction"):
        loading.lock_all(business.account)
    with transaction():
        loading.lock_all(business.account)


def test_what_looks_across_accounts_locks_and_writes_nothing() -> None:
    found = select(PeriodRow.ordinal)
    check(found, Across.SWEEP)
    for statement in (found.with_for_update(), delete(PeriodRow)):
        with pytest.raises(AssertionError):
            check(statement, Across.SWEEP)
