"""What the adapters of the real world remember: what Stripe calls an account, and a visit to its card page."""

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from ...db import Model
from ...models.columns import Id


class StripeCustomer(Model):
    """Stripe's customer for an account, made when its first card is entered."""

    __tablename__ = "stripe_customer"
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), primary_key=True)
    customer: Mapped[str] = mapped_column(String(100), unique=True)


class StripeSetup(Model):
    """A visit to Stripe's card page: our reference, and the Checkout session that it is there."""

    __tablename__ = "stripe_setup"
    reference: Mapped[str] = mapped_column(Id, primary_key=True)
    session: Mapped[str] = mapped_column(String(255))
