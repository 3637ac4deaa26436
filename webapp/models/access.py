"""Who signs in, sessions, links that reset a password, and rate limits."""

from datetime import datetime

from sqlalchemy import Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Instant, Model, new_id
from .columns import Id, account_part, one_of, reference


class SignInKey(Model):
    """In which account somebody signs in: found by a hash of the e-mail, or of the issuer and subject of an identity
    provider. So an e-mail belongs to one account. The table is everyone's, and nothing in it can be read by itself.
    """

    __tablename__ = "sign_in_key"
    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str] = mapped_column(Id)


class ProviderIdentity(Model):
    """Who an owner is at an identity provider. It is bound at the first sign-in, which finds the owner by e-mail; an
    e-mail may later belong to somebody else, a subject never does.
    """

    __tablename__ = "provider_identity"
    __table_args__ = (UniqueConstraint("account_id", "member_id", "issuer"), reference("member", member_id="id"))
    account_id: Mapped[str] = account_part()
    issuer: Mapped[str] = mapped_column(String(300), primary_key=True)
    subject: Mapped[str] = mapped_column(String(300), primary_key=True)
    member_id: Mapped[str] = mapped_column(Id)
    bound_at: Mapped[datetime] = mapped_column(Instant)


class KeptDefault(Model):
    """A default of an older version that this portal keeps until its operator decides. Only migrations write it."""

    __tablename__ = "kept_default"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)


class PasswordReset(Model):
    """A mailed link, found by the hash of its token.

    A request for an unknown e-mail also writes a row, without an owner and for an account that does not exist: it takes
    as long as one for a known e-mail.
    """

    __tablename__ = "password_reset"
    __table_args__ = (reference("member", member_id="id"), Index("ix_password_reset_member", "account_id", "member_id"))
    account_id: Mapped[str] = account_part()
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    member_id: Mapped[str | None] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(Instant, index=True)


class RateLimit(Model):
    """How often something was requested in a time window. `key` contains a keyed hash of who requested it."""

    __tablename__ = "rate_limit"
    key: Mapped[str] = mapped_column(String(160), primary_key=True)
    hits: Mapped[int]
    ends_at: Mapped[datetime] = mapped_column(Instant, index=True)


class MemberSession(Model):
    """A signed-in browser, found by the hash of the token in its cookie. Its owner ends it by its `id`.

    `ended` says why it was ended from elsewhere. The provider needs `id_token` to end its own session. `proved_at` is
    when its member last gave a password or factor. `awaits_factor`: the password was right, and it is no sign-in yet.
    No IP address is stored: the owner recognises the browser, and nobody else should trace it.
    """

    __tablename__ = "member_session"
    __table_args__ = (
        one_of("ended", "revoked", "password"),
        reference("member", member_id="id"),
        UniqueConstraint("account_id", "id"),
        Index("ix_member_session_member", "account_id", "member_id"),
    )
    account_id: Mapped[str] = account_part()
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)
    id: Mapped[str] = mapped_column(Id, default=new_id)
    member_id: Mapped[str] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(Instant, index=True)
    last_seen_at: Mapped[datetime] = mapped_column(Instant)
    browser: Mapped[str] = mapped_column(String(30))
    system: Mapped[str] = mapped_column(String(30))
    ended: Mapped[str | None] = mapped_column(String(10))
    id_token: Mapped[str | None] = mapped_column(Text)
    proved_at: Mapped[datetime] = mapped_column(Instant)
    awaits_factor: Mapped[bool] = mapped_column(default=False, server_default=false())
