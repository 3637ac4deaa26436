"""The tables of the sandbox's gateway, tenant directory and clock. The portal's own code does not read them.

All but SandboxAccount stand for services outside of the portal, so they are not the account's: `customer` is what such
a service calls an account.
"""

from datetime import datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, false
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Instant, Model, new_id
from ..models.columns import Cents, Id, PaymentKey, RefundKey, account_key, one_of


class SandboxAccount(Model):
    """An account made for testers: the password that the panel shows, the clock, and the faults that testers set.

    The account's time is `set_to` plus the machine's time since `set_at`.
    """

    __tablename__ = "sandbox_account"
    account_id: Mapped[str] = account_key()
    scenario: Mapped[str] = mapped_column(String(40))
    password: Mapped[str] = mapped_column(String(100))
    set_to: Mapped[datetime] = mapped_column(Instant)
    set_at: Mapped[datetime] = mapped_column(Instant)
    next_charge: Mapped[str | None] = mapped_column(String(30))
    directory_down: Mapped[bool] = mapped_column(default=False, server_default=false())


class SandboxHeadcount(Model):
    """A tenant's actual number of active users since an instant of the account's time."""

    __tablename__ = "sandbox_headcount"
    __table_args__ = (CheckConstraint("active >= 0", name="active"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(253), index=True)
    customer: Mapped[str] = mapped_column(Id)
    active: Mapped[int]
    since: Mapped[datetime] = mapped_column(Instant)


class SandboxCard(Model):
    """A card at the gateway: its behaviour, and never its number."""

    __tablename__ = "sandbox_card"
    token: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    customer: Mapped[str] = mapped_column(Id)
    behaviour: Mapped[str] = mapped_column(String(30))
    brand: Mapped[str] = mapped_column(String(20))
    last4: Mapped[str] = mapped_column(String(4))
    exp_year: Mapped[int]
    exp_month: Mapped[int]
    holder: Mapped[str] = mapped_column(String(100))


class SandboxSetup(Model):
    """A visit to the gateway's card page."""

    __tablename__ = "sandbox_setup"
    reference: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    customer: Mapped[str] = mapped_column(Id)
    return_url: Mapped[str] = mapped_column(String(500))
    locale: Mapped[str] = mapped_column(String(2))
    card_token: Mapped[str | None] = mapped_column(ForeignKey("sandbox_card.token"))


class SandboxCharge(Model):
    """The gateway's ledger: one charge for each key. `challenge` identifies the bank's 3-D Secure page."""

    __tablename__ = "sandbox_charge"
    __table_args__ = (one_of("state", "captured", "declined", "challenged", "cancelled"),)
    key: Mapped[str] = mapped_column(PaymentKey, primary_key=True)
    customer: Mapped[str] = mapped_column(Id, index=True)
    card_token: Mapped[str] = mapped_column(Id)
    amount: Mapped[int] = mapped_column(Cents)
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(10))
    code: Mapped[str | None] = mapped_column(String(40))
    challenge: Mapped[str | None] = mapped_column(String(40), unique=True)
    return_url: Mapped[str] = mapped_column(String(500))
    purpose: Mapped[dict[str, str]] = mapped_column("metadata", JSON, default=dict, server_default="{}")
    captured_at: Mapped[datetime | None] = mapped_column(Instant)  # the machine's time


class SandboxRefund(Model):
    """The gateway's ledger: one refund for each key."""

    __tablename__ = "sandbox_refund"
    __table_args__ = (one_of("state", "made", "refused"),)
    key: Mapped[str] = mapped_column(RefundKey, primary_key=True)
    charge_key: Mapped[str] = mapped_column(ForeignKey("sandbox_charge.key"), index=True)
    customer: Mapped[str] = mapped_column(Id, index=True)
    amount: Mapped[int] = mapped_column(Cents)
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(10))
