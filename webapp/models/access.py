"""Sessions, identities at a provider, links that set a password, and counted attempts."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Instant, Model, new_id
from .columns import Id, one_of


class ProviderIdentity(Model):
    """Who an owner is at an identity provider. It is bound at the first sign-in, which finds the owner by e-mail; an
    e-mail may later belong to somebody else, a subject never does.
    """

    __tablename__ = "provider_identity"
    __table_args__ = (UniqueConstraint("owner_id", "issuer"),)
    issuer: Mapped[str] = mapped_column(String(300), primary_key=True)
    subject: Mapped[str] = mapped_column(String(300), primary_key=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("owner.id"))
    bound_at: Mapped[datetime] = mapped_column(Instant)


class KeptDefault(Model):
    """A default of an older version that this portal keeps until its operator decides. Only migrations write it."""

    __tablename__ = "kept_default"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)


class PasswordReset(Model):
    """A link that was mailed, known by the hash of its token. An unknown e-mail leaves a row, too, of nobody: so both
    take as long."""

    __tablename__ = "password_reset"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("owner.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant, index=True)


class RateLimit(Model):
    """How often something was asked for in a window that ends; `key` tells by a keyed hash who asked."""

    __tablename__ = "rate_limit"
    key: Mapped[str] = mapped_column(String(160), primary_key=True)
    hits: Mapped[int]
    ends_at: Mapped[datetime] = mapped_column(Instant, index=True)


class OwnerSession(Model):
    """A signed-in browser, known by the hash of the token in its cookie; `id` is what its owner ends it by.

    `ended` is why, where it was ended elsewhere. `id_token` is what its provider wants to see to end it there, too.
    No address of the network is kept: who reads the list knows their browsers, and nobody else is to follow them.
    """

    __tablename__ = "owner_session"
    __table_args__ = (one_of("ended", "revoked", "password"),)
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(Id, unique=True, default=new_id)
    owner_id: Mapped[str] = mapped_column(ForeignKey("owner.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant, index=True)
    last_seen_at: Mapped[datetime] = mapped_column(Instant)
    browser: Mapped[str] = mapped_column(String(30))
    system: Mapped[str] = mapped_column(String(30))
    ended: Mapped[str | None] = mapped_column(String(10))
    id_token: Mapped[str | None] = mapped_column(Text)
