"""Sends the mails of the outbox. Safe on several machines at once, and to stop anywhere.

A mail is delivered at least once: it is marked as sent after the server took it, so a connection that broke off after
the last byte and before the answer, or a process that died between the answer and the mark, sends it again. An invoice
twice is better than none; the Message-ID is the same both times, so that who receives both can tell.
"""

import logging
import re
from collections import Counter
from datetime import datetime, timedelta
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from secrets import SystemRandom
from threading import Event
from typing import Any, NamedTuple

from sqlalchemy import or_, select, update

from ..db import db, transaction
from ..invoices import documents
from ..mail_server import parse_sender
from ..models.accounts import Account
from ..models.invoices import Invoice
from ..models.mail import Message
from ..ports import Send, Undelivered, ports

log = logging.getLogger(__name__)
CLAIM = timedelta(minutes=15)  # longer than any mail takes; then its sender is dead, and another takes it
FIRST, LONGEST = timedelta(minutes=1), timedelta(hours=4)
PATIENCE = timedelta(days=3)  # after the first attempt
OUTCOMES = ("sent", "later", "given up")
SILENCES = 3  # in a row, after which the others wait for the next run


class Policy(EmailPolicy):
    """A subject arrives letter by letter: the folding of EmailPolicy (Python 3.11) loses spaces of a long one with
    accents, and reads one that looks encoded."""

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        if name != "Subject":
            return super().header_store_parse(name, value)
        if re.search(r"[\r\n]", value):
            raise ValueError("the subject is not one line")
        return name, " ".join(value.splitlines())

    def fold_binary(self, name: str, value: Any) -> bytes:
        if name != "Subject":
            return super().fold_binary(name, value)
        plain = re.fullmatch("[ -~]{0,60}", value) and "=?" not in value  # on one line, as it is
        folded = Header(value, "us-ascii" if plain else "utf-8", header_name=name).encode(linesep=self.linesep)
        return f"{name}: {folded}{self.linesep}".encode("ascii")


POLICY = Policy(linesep="\r\n", cte_type="7bit")  # any server takes it as it is


class Claim(NamedTuple):
    """A mail that is this process's to send; `attempts` tells the claim from a later one. `tried_at`: the first."""

    id: str
    account_id: str
    about: str
    attempts: int
    tried_at: datetime


def send_due(stop: Event | None = None) -> Counter[str]:
    """Sends what is due, until told to stop; how many were "sent", are tried "later", were "given up". Outside any
    transaction."""
    done, silences = Counter[str](), 0
    mailer = ports().mailer
    if mailer is None:
        return done
    with mailer.sending() as send:
        while silences < SILENCES and not (stop and stop.is_set()) and (claim := _claim()) is not None:
            outcome, silent = _attempt(claim, mailer.sender, send)
            done[outcome] += 1
            silences = silences + 1 if silent else 0
    return done


def _claim() -> Claim | None:
    """Takes the mail that has waited longest; one that another process is just taking is passed over."""
    now = ports().clock.system_now()
    due = or_(Message.due_at.is_(None), Message.due_at <= now)
    order = Message.due_at.nulls_first(), Message.id
    query = select(Message).where(Message.delivery == "unsent", due).order_by(*order).limit(1)
    with transaction() as session:  # SQLite has one writer; elsewhere the row is locked
        message = session.scalars(query.with_for_update(skip_locked=True)).one_or_none()
        if message is None:
            return None
        message.attempts, message.due_at = message.attempts + 1, now + CLAIM
        message.tried_at = message.tried_at or now
        return Claim(message.id, message.account_id, message.about, message.attempts, message.tried_at)


def _attempt(claim: Claim, sender: str, send: Send) -> tuple[str, bool]:
    """What became of it, and whether the mail server was silent."""
    try:
        mail, recipient = compose(claim.id, sender)
        db.session.rollback()
        send(mail, recipient)
    except Undelivered as fault:
        return _failed(claim, str(fault), fault.final), fault.silent
    except Exception:  # one mail that cannot be made holds up no other
        log.exception("mail %s could not be made", claim.id)
        db.session.rollback()
        return _failed(claim, "it could not be made", final=False), False
    _settle(claim, delivery="sent", delivered_at=ports().clock.system_now(), due_at=None, fault=None, **_over(claim))
    return "sent", False


def _over(claim: Claim) -> dict[str, object]:
    """A link that sets a password is not kept once its mail is sent, or given up."""
    return {"body": "", "html": ""} if claim.about.startswith("password_reset/") else {}


def _failed(claim: Claim, reason: str, final: bool) -> str:
    now = ports().clock.system_now()
    if final or now - claim.tried_at >= PATIENCE:
        _settle(claim, delivery="given_up", due_at=None, fault=reason[:300], **_over(claim))
        told = (claim.id, claim.account_id, claim.attempts, reason)
        log.error("mail %s of account %s was given up after %s attempts: %s", *told)
        return "given up"
    _settle(claim, due_at=now + pause(claim.attempts), fault=reason[:300])
    log.warning("mail %s was not sent and is tried again: %s", claim.id, reason)
    return "later"


def pause(attempts: int) -> timedelta:
    """After so many failed attempts: a minute, doubling to four hours, give or take a fifth."""
    return min(FIRST * 2 ** min(attempts - 1, 20), LONGEST) * SystemRandom().uniform(0.8, 1.2)


def _settle(claim: Claim, **values: object) -> None:
    """Writes what became of a mail. A failure counts only while the mail is still this claim's; sent is sent."""
    which = [Message.id == claim.id]
    if values.get("delivery") != "sent":
        which += [Message.attempts == claim.attempts, Message.delivery == "unsent"]
    with transaction() as session:
        session.execute(update(Message).where(*which).values(**values))


def compose(message_id: str, from_: str) -> tuple[EmailMessage, str]:
    """The mail as it goes out, the same at each attempt, and its recipient's address as the server is told it.

    Raises Undelivered where a header would not be one line, or an address none.
    """
    message = db.session.get_one(Message, message_id)
    manager = db.session.get_one(Account, message.account_id).manager_email
    sender = parse_sender(from_)
    mail = EmailMessage(POLICY)
    try:
        recipient = address(message.recipient)
        mail["From"], mail["To"], mail["Subject"] = sender, recipient, message.subject
        answered = address(message.reply_to or manager)
        if answered != recipient and answered.addr_spec.isascii():
            mail["Reply-To"] = answered
        mail["Date"], mail["Message-ID"] = message.sent_at, f"<{message.id}@{sender.domain}>"
    except ValueError as fault:
        raise Undelivered(f"its headers cannot be written: {fault}", final=True) from None
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    mail.set_content(message.body)
    if message.html:
        mail.add_alternative(message.html, subtype="html")
    if message.attached_id is not None:
        invoice = db.session.get_one(Invoice, message.attached_id)
        name = documents.filename(invoice)
        mail.add_attachment(documents.pdf_of(invoice), maintype="application", subtype="pdf", filename=name)
    return mail, recipient.addr_spec


def address(text: str) -> Address:
    """With its domain in ASCII, as any server takes it. Raises ValueError."""
    name, at, domain = text.rpartition("@")
    if not at or not name or not domain or any(one.isspace() or not one.isprintable() for one in text):
        raise ValueError("the address is not valid")
    return Address(username=name, domain=domain.encode("idna").decode())
