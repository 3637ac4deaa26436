"""The outbox."""

from datetime import datetime

from flask import current_app
from sqlalchemy import CheckConstraint, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Instant, Model, new_id
from .columns import Id, account_key, index_where, one_of, reference


def _delivery() -> str:
    return "unsent" if current_app.config.get("SMTP_URL") else "kept"


class Message(Model):
    """A mail, written in the transaction of the change that it reports. `mail/delivery.py` sends it later.

    `delivery` is kept (shown in the sandbox's panel, never sent), unsent, sent or given_up; `fault` says why not sent.
    `sent_at` is when it was written, by the account's clock. `due_at`, `tried_at` and `delivered_at` are machine time.
    A mail is not tried before `due_at` (None: try at once). A sender that takes a mail moves `due_at`: that is the time
    it has to send it.
    """

    __tablename__ = "message"
    __table_args__ = (
        one_of("delivery", "kept", "unsent", "sent", "given_up"),
        CheckConstraint("(delivery = 'sent') = (delivered_at IS NOT NULL)", name="delivered"),
        UniqueConstraint("account_id", "about"),
        reference("invoice", attached_id="id"),
        index_where("delivery = 'unsent'", "ix_message_unsent", "due_at", "id"),
        index_where("attached_id IS NOT NULL", "ix_message_attached", "account_id", "attached_id"),
    )
    account_id: Mapped[str] = account_key()
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    recipient: Mapped[str] = mapped_column(String(254))
    reply_to: Mapped[str | None] = mapped_column(String(254))  # None: the account's manager
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str]
    html: Mapped[str] = mapped_column(Text, server_default="")  # empty in old mails, which are text only
    about: Mapped[str] = mapped_column(String(200))  # the event: each is reported once
    attached_id: Mapped[str | None] = mapped_column(Id)  # attach the PDF of this invoice
    sent_at: Mapped[datetime] = mapped_column(Instant)
    delivery: Mapped[str] = mapped_column(String(10), default=_delivery, server_default="unsent")
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    due_at: Mapped[datetime | None] = mapped_column(Instant)
    tried_at: Mapped[datetime | None] = mapped_column(Instant)  # the first attempt
    delivered_at: Mapped[datetime | None] = mapped_column(Instant)
    fault: Mapped[str | None] = mapped_column(String(300))
