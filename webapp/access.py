"""The tables of who may come in: links that set a password, and how often something was asked for."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from .db import Instant, Model
from .models import OwnerSession

SESSION_LIFETIME = timedelta(hours=12)
RESET_LIFETIME = timedelta(minutes=30)


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


def forget_expired(session: Session, now: datetime) -> None:
    """Deletes in the open transaction what means nothing any more; what another process deletes is left to it."""
    expired: tuple[tuple[type[Model], Any, ColumnElement[bool]], ...] = (
        (OwnerSession, OwnerSession.token_hash, OwnerSession.created_at <= now - SESSION_LIFETIME),
        (PasswordReset, PasswordReset.token_hash, PasswordReset.created_at <= now - RESET_LIFETIME),
        (RateLimit, RateLimit.key, RateLimit.ends_at <= now),
    )
    for table, key, over in expired:
        session.execute(delete(table).where(key.in_(select(key).where(over).with_for_update(skip_locked=True))))
