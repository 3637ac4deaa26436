"""Cases: messages from a member to the account manager."""

import secrets
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import and_, select

from ..access.identity import SignedIn
from ..db import LOCK, NotFound, db, transaction
from ..mail import outbox
from ..models.accounts import Account
from ..models.activity import Case
from ..models.subscriptions import SubscriptionRow
from ..ports import ports
from ..sentences.labels import CASE_SUBJECTS
from ..subscriptions.loading import load
from . import activity

LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # none that can be mistaken for another: no 0, O, 1, I, L, U
RESEND_WINDOW = timedelta(minutes=1)
SHORTEST, LONGEST = 10, 4000  # characters of a message


class CaseRow(NamedTuple):
    """A case as the page lists it. `day` is when it was opened, in the account's zone."""

    case: Case
    day: date
    product: str | None


_of_case = and_(SubscriptionRow.account_id == Case.account_id, SubscriptionRow.id == Case.subscription_id)


def cases_of(account_id: str, number: str | None = None) -> Sequence[CaseRow]:
    """The account's cases, newest first, or the one with that number."""
    zone = ZoneInfo(db.session.get_one(Account, account_id).zone)
    query = select(Case, SubscriptionRow.product).outerjoin(SubscriptionRow, _of_case)
    query = query.where(Case.account_id == account_id).order_by(Case.opened_at.desc(), Case.number)
    rows = db.session.execute(query if number is None else query.where(Case.number == number))
    return [CaseRow(case, case.opened_at.astimezone(zone).date(), product) for case, product in rows]


def find_case(account_id: str, number: str) -> CaseRow:
    """Raises NotFound."""
    for row in cases_of(account_id, number):
        return row
    raise NotFound(number)


def message_fits(message: str) -> bool:
    return SHORTEST <= len(message) <= LONGEST


def open_case(member: SignedIn, subject: str, subscription_id: str | None, message: str) -> str:
    """Stores a case and the mail to the account manager. Returns the number of the case.

    The same message sent again within RESEND_WINDOW is the same case.
    """
    with transaction() as session:
        account = session.get_one(Account, member.account_id, with_for_update=LOCK)  # a second request waits here
        subscription = load(account.id, subscription_id) if subscription_id else None
        now = ports().clock.now(account)
        same = select(Case.number).where(
            Case.account_id == account.id,
            Case.subject == subject,
            Case.subscription_id == subscription_id,
            Case.message == message,
            Case.opened_at > now - RESEND_WINDOW,
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
        session.add(outbox.case(case, account, subscription, member, CASE_SUBJECTS[subject], now))
        after = {"number": number, "subject": subject}
        activity.record(account.id, "case_opened", now, {}, after, subscription)
    return number
