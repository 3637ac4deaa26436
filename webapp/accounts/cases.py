"""What an owner writes to the account manager. The same shared rules as `service`."""

import secrets
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select

from ..access.identity import SignedIn
from ..db import LOCK, db, transaction
from ..mail import outbox
from ..models.accounts import Account
from ..models.activity import Case
from ..models.subscriptions import Subscription
from ..ports import ports
from ..sentences.labels import CASE_SUBJECTS
from ..subscriptions.loading import load
from . import activity

LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # none that is read for another: no 0, O, 1, I, L, U
SENT_TWICE = timedelta(minutes=1)
SHORTEST, LONGEST = 10, 4000  # characters of a message


class Listed(NamedTuple):
    """`day` is in the account's zone."""

    case: Case
    day: date
    product: str | None


def of(account_id: str) -> Sequence[Listed]:
    """The account's cases, newest first."""
    zone = ZoneInfo(db.session.get_one(Account, account_id).zone)
    rows = db.session.execute(
        select(Case, Subscription.product)
        .outerjoin(Subscription, Subscription.id == Case.subscription_id)
        .where(Case.account_id == account_id)
        .order_by(Case.opened_at.desc(), Case.number)
    )
    return [Listed(case, case.opened_at.astimezone(zone).date(), product) for case, product in rows]


def message_fits(message: str) -> bool:
    return SHORTEST <= len(message) <= LONGEST


def open_case(owner: SignedIn, subject: str, subscription_id: str | None, message: str) -> str:
    """Stores the case and the mail to the manager; its number. Sent twice within a minute, it is one case."""
    with transaction() as session:
        account = session.get_one(Account, owner.account_id, with_for_update=LOCK)  # two at once: one waits
        subscription = load(account.id, subscription_id) if subscription_id else None
        now = ports().clock.now(account)
        same = select(Case.number).where(
            Case.account_id == account.id,
            Case.subject == subject,
            Case.subscription_id == subscription_id,
            Case.message == message,
            Case.opened_at > now - SENT_TWICE,
        )
        if number := session.scalars(same).first():
            return number
        number = "C-" + "".join(secrets.choice(LETTERS) for _ in range(8))
        case = Case(
            number=number,
            account_id=account.id,
            subscription_id=subscription_id,
            subject=subject,
            message=message,
            opened_at=now,
        )
        session.add(case)
        session.add(outbox.case(case, account, subscription, owner, CASE_SUBJECTS[subject], now))
        told = {"number": number, "subject": subject}
        activity.record(account.id, "case_opened", now, {}, told, subscription)
    return number
