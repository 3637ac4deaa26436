"""Invitations to an account, and the proposal to hand it over."""

from datetime import datetime

from sqlalchemy import CheckConstraint, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Instant, Model, new_id
from ..domain.permissions import INVITABLE
from .columns import Id, account_key, account_part, one_of, reference


class Invitation(Model):
    """An invitation that is not accepted yet, found by the hash of its token. Accepted or withdrawn, it is deleted.

    `sent_at`, by the account's clock, is the last time: sent again, it has a new token.
    """

    __tablename__ = "invitation"
    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email_lower"),
        one_of("role", *INVITABLE),
        UniqueConstraint("account_id", "email"),
        UniqueConstraint("account_id", "token_hash"),
    )
    account_id: Mapped[str] = account_key()
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(String(254))
    role: Mapped[str] = mapped_column(String(12))
    token_hash: Mapped[str] = mapped_column(String(64))
    invited_by: Mapped[str] = mapped_column(String(200))
    sent_at: Mapped[datetime] = mapped_column(Instant)


class Handover(Model):
    """The owner's proposal that this member become the owner. An account has at most one; answered, it is deleted."""

    __tablename__ = "handover"
    __table_args__ = (reference("member", member_id="id"),)
    account_id: Mapped[str] = account_part()
    member_id: Mapped[str] = mapped_column(Id)
    proposed_at: Mapped[datetime] = mapped_column(Instant)
