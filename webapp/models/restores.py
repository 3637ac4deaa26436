"""What a restored database has to catch up with: whether payments are paused, and captures that are not booked."""

from datetime import datetime

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Instant, Model
from .columns import Cents, Currency, Id, PaymentKey


class RestoreHold(Model):
    """At most one row. While it is there, nothing is charged: `backup` writes it into its copy, and the command
    `restored` deletes it when it is done.

    `copied_at`: when the copy was made, None if that is not known. `access_ended_at`: when this restore ended all
    sessions and local passwords.
    """

    __tablename__ = "restore_hold"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=1)
    copied_at: Mapped[datetime | None] = mapped_column(Instant)
    access_ended_at: Mapped[datetime | None] = mapped_column(Instant)


class UnbookedCapture(Model):
    """Money that the gateway took and that the portal could not book, and why. Until it is released by an operator,
    nothing is charged for its subscription.

    `subscription_id` is what the gateway says, and may not exist here; "" if it does not say. Amounts in cents.
    """

    __tablename__ = "unbooked_capture"
    account_id: Mapped[str] = mapped_column(Id, primary_key=True)
    subscription_id: Mapped[str] = mapped_column(Id, primary_key=True)
    key: Mapped[str] = mapped_column(PaymentKey, primary_key=True)
    amount: Mapped[int] = mapped_column(Cents)
    currency: Mapped[str] = mapped_column(Currency)
    reason: Mapped[str] = mapped_column(String(300))
    found_at: Mapped[datetime] = mapped_column(Instant)
    released_at: Mapped[datetime | None] = mapped_column(Instant)
