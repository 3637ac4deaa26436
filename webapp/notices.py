"""The mails: each is written to the outbox in the transaction of the change that it tells of."""

from datetime import datetime

from flask import render_template
from flask_babel import force_locale, gettext
from sqlalchemy import select

from .db import db
from .models import Invoice, Message, Owner, Subscription


def receipts(subscription: Subscription, invoice: Invoice, now: datetime) -> list[Message]:
    """A receipt to each owner of the account, in the language that owner reads."""
    owners = db.session.scalars(select(Owner).where(Owner.account_id == subscription.account_id)).all()
    return [_receipt(owner, subscription, invoice, now) for owner in owners]


def _receipt(owner: Owner, subscription: Subscription, invoice: Invoice, now: datetime) -> Message:
    with force_locale(owner.locale or subscription.account.document_locale):
        return Message(
            account_id=owner.account_id,
            recipient=owner.email,
            subject=gettext("Receipt for your payment: %(product)s", product=subscription.product),
            body=render_template("mail/receipt.txt", owner=owner, subscription=subscription, invoice=invoice),
            about=f"receipt/{invoice.id}/{owner.id}",
            sent_at=now,
        )
