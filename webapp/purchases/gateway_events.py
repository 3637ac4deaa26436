"""What the gateway tells of its own accord. Nothing is taken from it but what to ask the gateway about, so one that is
old, sent twice or out of order changes nothing; the sweep asks the same where none ever comes.
"""

from contextlib import suppress
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from ..db import db, transaction
from ..models.purchases import CardSetup, Notification, Payment, Refund
from ..models.subscriptions import Subscription
from ..ports import Heard, ports
from . import cards, payments, refunds

REMEMBERED = timedelta(days=30)  # far longer than any gateway repeats itself


def act_on(heard: Heard) -> None:
    """Asks what became of it, once. Raises OutcomeUnknown: it is not remembered, and the gateway will repeat itself."""
    if db.session.get(Notification, heard.id) is not None:
        return
    ASK[heard.subject](heard.key)
    now = ports().clock.system_now()
    # Apart from what it brought about: lost between the two, or heard twice at once, it is only asked again.
    with suppress(IntegrityError), transaction() as session:
        session.merge(Notification(id=heard.id, heard_at=now))
        session.execute(delete(Notification).where(Notification.heard_at < now - REMEMBERED))


def _ask_for_payment(key: str) -> None:
    query = select(Subscription.account_id, Subscription.id, Payment.quote_id)
    found = db.session.execute(
        query.join(Payment, Payment.subscription_id == Subscription.id).where(Payment.key == key)
    )
    if (row := found.one_or_none()) is not None:
        payments.reconcile(*row)


def _ask_for_refund(key: str) -> None:
    if db.session.get(Refund, key) is not None:
        refunds.settled(key)


def _ask_for_card(reference: str) -> None:
    setup = db.session.get(CardSetup, reference)
    if setup is not None and setup.completed_at is None:
        cards.complete_card_setup(setup.account_id, reference)


ASK = {"payment": _ask_for_payment, "refund": _ask_for_refund, "card": _ask_for_card}
