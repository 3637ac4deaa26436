"""What must hold for an account whatever happened to it, and its state in a comparable form."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import and_, select

from tests.support import invariants
from tests.support.world import state
from webapp.db import db
from webapp.models.accounts import Account
from webapp.models.cards import CardDetachment
from webapp.models.invoices import Invoice
from webapp.models.purchases import Payment, Quote
from webapp.models.subscriptions import SubscriptionRow
from webapp.ports import ports
from webapp.purchases import wallet
from webapp.renewals import sweep
from webapp.sandbox.clock import set_clock
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCharge
from webapp.subscriptions import loading


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def truth(app: Flask, made: Made) -> dict[str, Any]:
    """The account's state without ids and times of day, so that two accounts with one history are equal."""
    account_state = state(app, made)
    return {
        "subscriptions": sorted((without(row, "id") for row in account_state["subscriptions"]), key=repr),
        "cards": sorted((without(card, "id") for card in account_state["cards"]), key=repr),
        "invoices": [without(invoice, "id") for invoice in account_state["invoices"]],
        "payments": sorted((payment["state"], payment["amount"]) for payment in account_state["payments"]),
        "charges": sorted((charge["state"], charge["amount"]) for charge in account_state["gateway"]["charges"]),
        "messages": sorted((mail["sent_at"][:10], mail["subject"]) for mail in account_state["messages"]),
    }


def later(made: Made, by: timedelta) -> None:
    """Moves the account's clock and sweeps; no subscription may fail."""
    now = ports().clock.now(db.session.get_one(Account, made.account))
    set_clock(made.account, now + by)
    assert sweep.sweep(made.account) == 0


def check(made: Made, nothing_pending: bool = False) -> None:
    """Checks the invariants of money, periods, cards and invoice numbers over the account's whole history."""
    db.session.rollback()
    invariants.check_quiet(made.account)
    attempts = db.session.execute(
        select(Payment, Quote)
        .join(Quote, and_(Quote.account_id == Payment.account_id, Quote.id == Payment.quote_id))
        .join(
            SubscriptionRow,
            and_(SubscriptionRow.account_id == Quote.account_id, SubscriptionRow.id == Quote.subscription_id),
        )
        .where(SubscriptionRow.account_id == made.account)
    ).all()
    invoices = db.session.scalars(select(Invoice).where(Invoice.account_id == made.account)).all()
    taken = db.session.scalars(
        select(SandboxCharge).where(SandboxCharge.customer == made.account, SandboxCharge.state == "captured")
    )
    pending = {payment.key for payment, _ in attempts if payment.state == "pending"}
    asked = {payment.key for payment, quote in attempts if quote.automatic and payment.action_url}  # until tomorrow
    captured = {payment.key: payment.amount for payment, _ in attempts if payment.state == "captured"}
    assert {invoice.payment_key: invoice.total for invoice in invoices if invoice.payment_key} == captured
    assert {charge.key: charge.amount for charge in taken if charge.key not in pending} == captured
    assert not (nothing_pending and pending - asked)
    if nothing_pending:
        open_detachments = select(CardDetachment).where(CardDetachment.account_id == made.account)
        assert db.session.scalars(open_detachments).all() == []
    _check_periods(made, [quote for payment, quote in attempts if payment.state == "captured"])
    _check_numbers(invoices)
    defaults = [own.is_default for own in wallet.cards_of(made.account)]
    assert sum(defaults) == (1 if defaults else 0)


def _check_periods(made: Made, paid: list[Quote]) -> None:
    """A quote and a period are paid once; a paid period exists, and none follows the end."""
    assert len({quote.id for quote in paid}) == len(paid)
    renewals = [(quote.subscription_id, quote.ordinal) for quote in paid if quote.kind == "renewal"]
    assert len(set(renewals)) == len(renewals)
    for subscription in loading.load_all(made.account):
        facts = subscription.facts
        assert {ordinal for owner, ordinal in renewals if owner == subscription.id} <= set(facts.seats)
        if facts.ended_on is not None:
            assert facts.changes == ()
            assert facts.boundary(facts.last_paid) < facts.ended_on


def _check_numbers(invoices: Sequence[Invoice]) -> None:
    """Invoice numbers have no gap within a year and follow the dates."""
    for year in {invoice.issued_on.year for invoice in invoices}:
        numbered = sorted((invoice.number, invoice.issued_on) for invoice in invoices if invoice.issued_on.year == year)
        assert [number for number, _ in numbered] == [f"MQ-{year}-{n:06d}" for n in range(1, len(numbered) + 1)]
        assert [day for _, day in numbered] == sorted(day for _, day in numbered)
