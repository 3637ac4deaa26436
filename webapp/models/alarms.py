"""What a member is told about their own access: the browsers they use, links to disown an act, a new e-mail."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Instant, Model
from .columns import Id, account_part, reference


class KnownBrowser(Model):
    """A browser in which a member has signed in, found by the hash of the identifier in its cookie.

    `forgotten`: the member disowned a sign-in, so the next one from here is told of again.
    """

    __tablename__ = "known_browser"
    __table_args__ = (reference("member", member_id="id"),)
    account_id: Mapped[str] = account_part()
    member_id: Mapped[str] = mapped_column(Id, primary_key=True)
    browser_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(Instant, index=True)
    forgotten: Mapped[bool] = mapped_column(default=False, server_default=false())


class AlarmLink(Model):
    """« Ce n’était pas moi » of one mail, found by the hash of its token. Used, it is deleted.

    What the mail told of, and the link undoes: `old_email` was replaced, or `factor` was added ("app", or the id of a
    passkey). `created_at` is by the account's clock: a link also undoes what was told of later.
    """

    __tablename__ = "alarm_link"
    __table_args__ = (
        reference("member", member_id="id"),
        Index("ix_alarm_link_member", "account_id", "member_id"),
    )
    account_id: Mapped[str] = account_part()
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    member_id: Mapped[str] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(Instant, index=True)
    old_email: Mapped[str | None] = mapped_column(String(254))
    factor: Mapped[str | None] = mapped_column(String(40))


class EmailChange(Model):
    """A new e-mail that a member has asked for and not confirmed yet. Asked again, it is replaced; done, deleted.

    `asked_at` is by the account's clock.
    """

    __tablename__ = "email_change"
    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email_lower"),
        UniqueConstraint("account_id", "token_hash"),
        reference("member", member_id="id"),
    )
    account_id: Mapped[str] = account_part()
    member_id: Mapped[str] = mapped_column(Id, primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    token_hash: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[datetime] = mapped_column(Instant, index=True)
