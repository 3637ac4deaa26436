"""Which customer at Stripe an account has, and what the portal knows of a payment."""

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from ...db import db
from ...domain.money import Money
from ...models.accounts import Account
from ...models.purchases import Payment
from ...models.subscriptions import Subscription
from ...purchases.captures import metadata_of
from .tables import StripeCustomer


class StoredPayment(NamedTuple):
    """A payment as the portal stores it. `customer` is None if the account never entered a card in Stripe."""

    customer: str | None
    money: Money
    metadata: dict[str, str]


def load_payment(key: str) -> StoredPayment:
    """Reads a payment over a connection of its own, which is returned before Stripe is asked."""
    query = (
        select(StripeCustomer.customer, Payment.amount, Payment.currency)
        .select_from(Payment)
        .join(Subscription, Subscription.id == Payment.subscription_id)
        .outerjoin(StripeCustomer, StripeCustomer.account_id == Subscription.account_id)
        .where(Payment.key == key)
    )
    with Session(db.engine) as session:
        customer, amount, currency = session.execute(query).one()
        return StoredPayment(customer, Money(amount, currency), metadata_of(session, key))


def account_of(customer: str) -> str:
    """The account whose customer it is; "" if there is none."""
    with Session(db.engine) as session:
        query = select(StripeCustomer.account_id).where(StripeCustomer.customer == customer)
        return session.scalars(query).one_or_none() or ""


def remember_customer(account_id: str, customer: str) -> None:
    """The account's row may be lost by a restore."""
    with Session(db.engine) as session:
        if session.get(Account, account_id) and not session.get(StripeCustomer, account_id):
            session.add(StripeCustomer(account_id=account_id, customer=customer))
            session.commit()
