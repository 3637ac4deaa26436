"""Second factors of members, and the forms that wait for a proof."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Instant, Model, new_id
from .columns import Id, account_part, reference


class Totp(Model):
    """A member's authenticator app. Both secrets are encrypted; `pending_secret` is shown and not confirmed yet.

    `last_step` is the time step of the last code that was accepted: no code is accepted twice.
    """

    __tablename__ = "totp"
    __table_args__ = (reference("member", member_id="id"),)
    account_id: Mapped[str] = account_part()
    member_id: Mapped[str] = mapped_column(Id, primary_key=True)
    secret: Mapped[str | None] = mapped_column(Text)
    pending_secret: Mapped[str | None] = mapped_column(Text)
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)


class Passkey(Model):
    """A passkey or security key. `id` follows from `credential_id`. Each has a SignInKey, which names the account."""

    __tablename__ = "passkey"
    __table_args__ = (reference("member", member_id="id"), Index("ix_passkey_member", "account_id", "member_id"))
    account_id: Mapped[str] = account_part()
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    member_id: Mapped[str] = mapped_column(Id)
    credential_id: Mapped[str] = mapped_column(Text)
    public_key: Mapped[str] = mapped_column(Text)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(60))
    added_at: Mapped[datetime] = mapped_column(Instant)


class RecoveryCode(Model):
    """A code that replaces a factor once: used, it is deleted. `salt` is the same in a member's whole set."""

    __tablename__ = "recovery_code"
    __table_args__ = (reference("member", member_id="id"),)
    account_id: Mapped[str] = account_part()
    member_id: Mapped[str] = mapped_column(Id, primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    salt: Mapped[str] = mapped_column(String(32))


class HeldForm(Model):
    """A form that waits until its sender has proved again who they are. Only the session that sent it can go on."""

    __tablename__ = "held_form"
    __table_args__ = (reference("member", member_id="id"), Index("ix_held_form_member", "account_id", "member_id"))
    account_id: Mapped[str] = account_part()
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    member_id: Mapped[str] = mapped_column(Id)
    session_id: Mapped[str] = mapped_column(Id)
    path: Mapped[str] = mapped_column(Text)
    page: Mapped[str | None] = mapped_column(Text)
    fields: Mapped[list[list[str]]] = mapped_column(JSON)
    held_at: Mapped[datetime] = mapped_column(Instant, index=True)
