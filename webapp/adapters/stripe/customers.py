"""Which customer at Stripe an account has, and what the portal knows of a payment."""

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from ...db import Across, across, db
from ...domain.money import Money
from ...models.accounts import Account
from ...models.purchases import Payment
from ...purchases.captures import metadata_of
from .tables import StripeCustomer


class StoredPayment(NamedTuple):
    """A payment as the portal stores it. `customer` is None if the account never entered a card in Stripe."""

    customer: str | None
    money: Money
    metadata: dict[str, str]


def load_payment(account_id: str, key: str) -> StoredPayment:
    """Reads a payment over a connection of its own, which is returned before Stripe is asked."""
    query = select(Payment.amount, Payment.currency).where(Payment.account_id == account_id, Payment.key == key)
    with Session(db.engine) as session:
        stored = session.get(StripeCustomer, account_id)
        amount, currency = session.execute(query).one()
        metadata = metadata_of(session, account_id, key)
        return StoredPayment(stored.customer if stored else None, Money(amount, currency), metadata)


def account_of(customer: str) -> str:
    """The account whose customer it is; "" if there is none."""
    query = select(StripeCustomer.account_id).where(StripeCustomer.customer == customer)
    with Session(db.engine) as session:
        return session.scalars(across(query, Across.CUSTOMER)).first() or ""


def remember_customer(account_id: str, customer: str) -> None:
    """The account's row may be lost by a restore."""
    with Session(db.engine) as session:
        if session.get(Account, account_id) and not session.get(StripeCustomer, account_id):
            session.add(StripeCustomer(account_id=account_id, customer=customer))
            session.commit()
