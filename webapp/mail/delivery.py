"""Sends the mails of the outbox. Several processes may run it at once, and each may be stopped at any moment.

A mail is delivered at least once. It is marked as sent after the mail server has accepted it. If the connection or the
process fails between these two steps, the mail is sent again, with the same Message-ID. An invoice that arrives twice
is better than one that never arrives.
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

from ..db import Across, across, db, transaction
from ..invoices import documents
from ..mail_server import parse_sender
from ..models.accounts import Account
from ..models.invoices import Invoice
from ..models.mail import Message
from ..ports import Send, Undelivered, ports
from . import security_mails

log = logging.getLogger(__name__)
CLAIM = timedelta(
    minutes=15
)  # longer than any mail takes to send; after that, its process has died and another takes the mail
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=4)
GIVE_UP_AFTER = timedelta(days=3)  # counted from the first attempt
AT_ONCE = 20  # mails that are looked up at once: other senders may claim the first of them meanwhile
SECRET = ("password_reset/", "invitation/", "confirm_email/", security_mails.FAMILY)  # mails with a link that acts
OUTCOMES = ("sent", "later", "given up")
SILENCES_MAX = 3  # after so many in a row, the run stops and the other mails wait for the next one


class SubjectPolicy(EmailPolicy):
    """Keeps every character of a subject.

    In Python 3.11, EmailPolicy loses spaces when it folds a long subject with accents, and decodes a subject that
    looks encoded.
    """

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        if name != "Subject":
            return super().header_store_parse(name, value)
        if re.search(r"[\r\n]", value):
            raise ValueError("the subject is not one line")
        return name, " ".join(value.splitlines())

    def fold_binary(self, name: str, value: Any) -> bytes:
        if name != "Subject":
            return super().fold_binary(name, value)
        plain = re.fullmatch("[ -~]{0,60}", value) and "=?" not in value  # one line, not encoded
        folded = Header(value, "us-ascii" if plain else "utf-8", header_name=name).encode(linesep=self.linesep)
        return f"{name}: {folded}{self.linesep}".encode("ascii")


POLICY = SubjectPolicy(linesep="\r\n", cte_type="7bit")  # every mail server accepts this


class Claim(NamedTuple):
    """A mail that this process has claimed. `attempts` differs from a later claim's; `tried_at` is the first."""

    id: str
    account_id: str
    about: str
    attempts: int
    tried_at: datetime


def send_due(stop: Event | None = None) -> Counter[str]:
    """Sends the mails that are due, until `stop` is set. No transaction may be open.

    Returns how many mails had each of the OUTCOMES.
    """
    outcomes, silences = Counter[str](), 0
    mailer = ports().mailer
    if mailer is None:
        return outcomes
    with mailer.sending() as send:
        while silences < SILENCES_MAX and not (stop and stop.is_set()) and (claim := _claim()) is not None:
            outcome, silent = _attempt(claim, mailer.sender, send)
            outcomes[outcome] += 1
            silences = silences + 1 if silent else 0
    return outcomes


def _claim() -> Claim | None:
    """Claims the mail that has waited longest. Skips one that another process is claiming."""
    now = ports().clock.system_now()
    due = or_(Message.due_at.is_(None), Message.due_at <= now)
    order = Message.due_at.nulls_first(), Message.id
    waiting = Message.delivery == "unsent", due
    query = select(Message.account_id, Message.id).where(*waiting).order_by(*order)
    found = db.session.execute(across(query.limit(AT_ONCE), Across.SENDER)).all()
    db.session.rollback()
    for account_id, message_id in found:
        this = select(Message).where(Message.account_id == account_id, Message.id == message_id, *waiting)
        with transaction() as session:  # SQLite has one writer; PostgreSQL locks the row
            message = session.scalars(this.with_for_update(skip_locked=True)).one_or_none()
            if message is None:
                continue
            message.attempts, message.due_at = message.attempts + 1, now + CLAIM
            message.tried_at = message.tried_at or now
            return Claim(message.id, message.account_id, message.about, message.attempts, message.tried_at)
    return None


def _attempt(claim: Claim, sender: str, send: Send) -> tuple[str, bool]:
    """Tries to send one mail. Returns its outcome, and whether the mail server was silent."""
    try:
        mail, recipient = compose(claim.account_id, claim.id, sender)
        db.session.rollback()
        send(mail, recipient)
    except Undelivered as fault:
        return _failed(claim, str(fault), fault.final), fault.silent
    except Exception:  # a mail that cannot be composed must not hold up the others
        log.exception("mail %s could not be made", claim.id)
        db.session.rollback()
        return _failed(claim, "it could not be made", final=False), False
    _record(
        claim, delivery="sent", delivered_at=ports().clock.system_now(), due_at=None, fault=None, **_removed_text(claim)
    )
    return "sent", False


def _removed_text(claim: Claim) -> dict[str, object]:
    """A link that lets somebody in is not kept once its mail is sent, or given up."""
    return {"body": "", "html": ""} if claim.about.startswith(SECRET) else {}


def _failed(claim: Claim, reason: str, final: bool) -> str:
    """Gives a mail up, or schedules the next attempt. Returns the outcome."""
    now = ports().clock.system_now()
    if final or now - claim.tried_at >= GIVE_UP_AFTER:
        _record(claim, delivery="given_up", due_at=None, fault=reason[:300], **_removed_text(claim))
        log.error(
            "mail %s of account %s was given up after %s attempts: %s",
            claim.id,
            claim.account_id,
            claim.attempts,
            reason,
        )
        return "given up"
    _record(claim, due_at=now + pause(claim.attempts), fault=reason[:300])
    log.warning("mail %s was not sent and is tried again: %s", claim.id, reason)
    return "later"


def pause(attempts: int) -> timedelta:
    """The time until the next attempt: it doubles with each one, up to LONGEST_PAUSE, and varies by a fifth."""
    return min(FIRST_PAUSE * 2 ** min(attempts - 1, 20), LONGEST_PAUSE) * SystemRandom().uniform(0.8, 1.2)


def _record(claim: Claim, **values: object) -> None:
    """Writes the outcome of an attempt. A failure is written only if no later claim has taken the mail."""
    conditions = [Message.account_id == claim.account_id, Message.id == claim.id]
    if values.get("delivery") != "sent":
        conditions += [Message.attempts == claim.attempts, Message.delivery == "unsent"]
    with transaction() as session:
        session.execute(update(Message).where(*conditions).values(**values))


def compose(account_id: str, message_id: str, from_: str) -> tuple[EmailMessage, str]:
    """The mail to send, which is the same at each attempt, and the recipient's address for the mail server.

    Raises Undelivered if a header has a line break or an address is not valid.
    """
    message = db.session.get_one(Message, (account_id, message_id))
    manager = db.session.get_one(Account, account_id).manager_email
    sender = parse_sender(from_)
    mail = EmailMessage(POLICY)
    try:
        recipient = address(message.recipient)
        mail["From"], mail["To"], mail["Subject"] = sender, recipient, message.subject
        reply_to = address(message.reply_to or manager)
        if reply_to != recipient and reply_to.addr_spec.isascii():
            mail["Reply-To"] = reply_to
        mail["Date"], mail["Message-ID"] = message.sent_at, f"<{message.id}@{sender.domain}>"
    except ValueError as fault:
        raise Undelivered(f"its headers cannot be written: {fault}", final=True) from None
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    mail.set_content(message.body)
    if message.html:
        mail.add_alternative(message.html, subtype="html")
    if message.attached_id is not None:
        invoice = db.session.get_one(Invoice, (account_id, message.attached_id))
        name = documents.filename(invoice)
        mail.add_attachment(documents.pdf_of(invoice), maintype="application", subtype="pdf", filename=name)
    return mail, recipient.addr_spec


def address(text: str) -> Address:
    """An address with its domain in ASCII, which every mail server accepts. Raises ValueError."""
    name, at, domain = text.rpartition("@")
    if not at or not name or not domain or any(letter.isspace() or not letter.isprintable() for letter in text):
        raise ValueError("the address is not valid")
    return Address(username=name, domain=domain.encode("idna").decode())
