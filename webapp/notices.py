"""The mails: each is written to the outbox in the transaction of the change that it tells of."""

from datetime import date, datetime
from typing import Any

from flask import render_template
from flask_babel import force_locale
from sqlalchemy import select

from . import billing, service
from .db import db
from .domain.subscription import ATTEMPT_DAYS, projected_seats
from .models import Owner, Payment, Subscription
from .records import Case, Invoice, Message


def _to_owners(subscription: Subscription, template: str, about: str, now: datetime, **told: Any) -> list[Message]:
    """The same mail to each owner of the account, each in the language that owner reads. Line one: the subject."""
    messages = []
    for owner in db.session.scalars(select(Owner).where(Owner.account_id == subscription.account_id)).all():
        with force_locale(owner.locale or subscription.account.document_locale):
            text = render_template(f"mail/{template}.txt", owner=owner, subscription=subscription, **told)
        subject, body = text.split("\n", 1)
        messages.append(
            Message(
                account_id=owner.account_id, recipient=owner.email, subject=subject, body=body.strip() + "\n",
                about=f"{about}/{owner.id}", sent_at=now,
            )
        )  # fmt: skip
    return messages


def receipts(subscription: Subscription, invoice: Invoice, now: datetime) -> list[Message]:
    return _to_owners(subscription, "receipt", f"receipt/{invoice.id}", now, invoice=invoice)


def renewal(subscription: Subscription, ahead: int, now: datetime) -> list[Message]:
    """Amount, card and date of the next automatic renewal, `ahead` days before."""
    facts = subscription.facts()
    card = billing.default_card(subscription.account_id)
    day = facts.boundary(facts.last_paid + 1)
    about = _renewal(subscription, ahead)
    return _to_owners(
        subscription,
        "renewal",
        about,
        now,
        seats=projected_seats(facts),
        total=service.renewal_total(subscription),
        card=card,
        day=day,
    )


def told_of_renewal(subscription: Subscription, ahead: int) -> bool:
    about = Message.about.startswith(_renewal(subscription, ahead) + "/", autoescape=True)
    return db.session.scalars(select(Message.id).where(about).limit(1)).first() is not None


def _renewal(subscription: Subscription, ahead: int) -> str:
    return f"renewal/{subscription.id}/{subscription.facts().last_paid + 1}/{ahead}"


def refused(subscription: Subscription, payment: Payment, now: datetime) -> list[Message]:
    """An automatic payment was refused: why, and when the next try is, if there is one."""
    facts = subscription.facts()
    tries = facts.refused + 1
    last = tries >= len(ATTEMPT_DAYS)
    next_try = None if last else facts.boundary(facts.last_paid + 1).toordinal() + ATTEMPT_DAYS[tries]
    return _to_owners(
        subscription, "refused", f"refused/{payment.key}", now,
        payment=payment, next_try=next_try and date.fromordinal(next_try),
    )  # fmt: skip


def not_made(subscription: Subscription, payment: Payment, now: datetime) -> list[Message]:
    """A payment whose outcome was unknown was not made."""
    return _to_owners(subscription, "not_made", f"not_made/{payment.key}", now, payment=payment)


def ended(subscription: Subscription, day: date, now: datetime) -> list[Message]:
    return _to_owners(subscription, "ended", f"ended/{subscription.id}", now, day=day)


def case(opened: Case, manager: str, subject: str, body: str, now: datetime) -> Message:
    """To the account manager, from the contact page."""
    return Message(
        account_id=opened.account_id, recipient=manager, subject=subject, body=body, about=f"case/{opened.number}",
        sent_at=now,
    )  # fmt: skip
