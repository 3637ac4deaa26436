"""The mails that carried a document: what became of each, and sending the document again."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import select

from ..accounts import activity
from ..db import LOCK, db, new_id, transaction
from ..invoices import listing
from ..mail_server import parse_relay
from ..models.accounts import Account
from ..models.invoices import Invoice
from ..models.mail import Message
from ..ports import ports
from . import outbox


class Outcome(StrEnum):
    """What became of a mail. `kept`: the sandbox sends none. `refused`: with an answer of the mail server."""

    SENT = "sent"
    WAITING = "waiting"
    RETRIED = "retried"
    REFUSED = "refused"
    FAILED = "failed"
    KEPT = "kept"


class DocumentMail(NamedTuple):
    """A mail that has the document attached. `at`: when it was sent, or else written, in the account's zone.

    `server` and `answer`: who refused it, and in which words.
    """

    recipient: str
    outcome: Outcome
    at: datetime
    server: str = ""
    answer: str = ""


def mails_of(invoice: Invoice) -> list[DocumentMail]:
    """The mails of a document, newest first."""
    zone = ZoneInfo(db.session.get_one(Account, invoice.account_id).zone)
    return [_told(message, zone) for message in _messages(invoice)]


def send_again(account_id: str, invoice_id: str, shown: str) -> list[str]:
    """Writes the mails to the billing e-mails, and records it. Returns the addresses.

    `shown` is how many mails the form showed. If there are more by now, the form was sent twice: nothing is written,
    and [] is returned. Raises NotFound.
    """
    with transaction() as session:
        account = session.get_one(Account, account_id, with_for_update=LOCK)
        invoice = listing.find_invoice(account_id, invoice_id)
        if shown != str(len(_messages(invoice))):
            return []
        now = ports().clock.now(account)
        addresses = list({address.casefold(): address for address in account.billing_emails}.values())
        about = f"document/{invoice.id}/{new_id()}"
        session.add_all(outbox.documents_to(account, invoice, addresses, about, now))
        after = {invoice.kind: invoice.number, "billing_emails": addresses}
        activity.record(account_id, "document_sent", now, {}, after)
    return addresses


def _messages(invoice: Invoice) -> Sequence[Message]:
    these = select(Message).where(Message.account_id == invoice.account_id, Message.attached_id == invoice.id)
    return db.session.scalars(these.order_by(Message.sent_at.desc(), Message.recipient, Message.id)).all()


def _told(message: Message, zone: ZoneInfo) -> DocumentMail:
    written = message.sent_at.astimezone(zone)
    match message.delivery:
        case "sent":
            return DocumentMail(message.recipient, Outcome.SENT, (message.delivered_at or written).astimezone(zone))
        case "kept":
            return DocumentMail(message.recipient, Outcome.KEPT, written)
        case "unsent":
            return DocumentMail(message.recipient, Outcome.RETRIED if message.fault else Outcome.WAITING, written)
    fault = message.fault or ""
    if not fault[:3].isdigit():  # not an answer, but what our sender noted for the operator
        return DocumentMail(message.recipient, Outcome.FAILED, written)
    return DocumentMail(message.recipient, Outcome.REFUSED, written, _server(), fault)


def _server() -> str:
    """The name of the mail server that answers, or "" if it is not known any more."""
    url = current_app.config.get("SMTP_URL")
    try:
        return parse_relay(url).host if url else ""
    except ValueError:
        return ""
