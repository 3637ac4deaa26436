"""Mails in the outbox and the real adapter that sends them to a mail server."""

from dataclasses import replace
from datetime import datetime, timedelta
from email.message import EmailMessage

from flask import Flask

from tests.support.world import stored
from webapp.adapters.smtp import Smtp
from webapp.db import db, new_id, transaction
from webapp.mail_server import parse_relay
from webapp.models.mail import Message
from webapp.ports import ports
from webapp.sandbox.clock import SandboxClock
from webapp.sandbox.scenarios import Made

FROM = "My Qlik à Paris <billing@portal.example.test>"


class MovableClock(SandboxClock):
    """The machine's time plus what tests add."""

    ahead = timedelta()

    def system_now(self) -> datetime:
        return super().system_now() + self.ahead

    def passes(self, gone: timedelta) -> None:
        self.ahead += gone


def mails_to(app: Flask, url: str, timeout: float = 5) -> None:
    app.config.update(SMTP_URL=url, MAIL_FROM=FROM)
    app.extensions["ports"] = replace(ports(), mailer=Smtp(parse_relay(url), FROM, timeout))


def queued(made: Made, recipient: str = "reader@example.test", **content: object) -> str:
    """Writes a mail to the outbox; returns its id."""
    words = {"subject": "Reçu", "body": "Bonjour,\nvoilà.\n", "html": "<p>Bonjour</p>"}
    with transaction() as session:
        message = Message(
            id=new_id(),
            account_id=made.account,
            recipient=recipient,
            about=f"test/{new_id()}",
            sent_at=made.now,
            **words | content,
        )
        session.add(message)
        return message.id


def stored_mail(message_id: str) -> Message:
    db.session.rollback()
    return stored(Message, message_id)


def text_of(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n").rstrip("\n")
