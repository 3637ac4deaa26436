"""The tables of the Stripe adapter: each account's customer in Stripe, and visits to the card page."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from ...db import Model
from ...models.columns import Id, account_key


class StripeCustomer(Model):
    """The customer in Stripe of an account. It is made when the account enters its first card."""

    __tablename__ = "stripe_customer"
    account_id: Mapped[str] = account_key()
    customer: Mapped[str] = mapped_column(String(100), index=True)


class StripeSetup(Model):
    """A visit to Stripe's card page: the portal's reference, and the Checkout session in Stripe."""

    __tablename__ = "stripe_setup"
    account_id: Mapped[str] = account_key()
    reference: Mapped[str] = mapped_column(Id, primary_key=True)
    session: Mapped[str] = mapped_column(String(255))
