"""Events that the gateway sends. An event only says what to ask the gateway about.

So an event that is old, out of order or sent twice does no harm. If none arrives, the sweep asks the same questions.
"""

from contextlib import suppress
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from ..db import db, transaction
from ..models.cards import CardSetup
from ..models.purchases import Notification, Payment, Refund
from ..ports import GatewayEvent, ports
from . import cards, payments, refunds

KEPT_FOR = timedelta(days=30)  # far longer than a gateway repeats an event


def handle(event: GatewayEvent) -> None:
    """Asks the gateway for the outcome, once for each event.

    Raises OutcomeUnknown. The event is not recorded then, so the gateway's next copy of it is handled.
    """
    if db.session.get(Notification, event.id) is not None:
        return
    HANDLERS[event.subject](event.account_id, event.key)
    now = ports().clock.system_now()
    # A transaction of its own: if it is lost, or the event arrives twice at once, the gateway is just asked again.
    with suppress(IntegrityError), transaction() as session:
        session.merge(Notification(id=event.id, heard_at=now))
        session.execute(delete(Notification).where(Notification.heard_at < now - KEPT_FOR))


def _ask_for_payment(account_id: str, key: str) -> None:
    payment = db.session.get(Payment, (account_id, key))
    if payment is not None:
        payments.reconcile(account_id, payment.subscription_id, payment.quote_id)


def _ask_for_refund(account_id: str, key: str) -> None:
    if db.session.get(Refund, (account_id, key)) is not None:
        refunds.check(account_id, key)


def _ask_for_card(account_id: str, reference: str) -> None:
    setup = db.session.get(CardSetup, (account_id, reference))
    if setup is not None and setup.completed_at is None:
        cards.complete_card_setup(account_id, reference)


HANDLERS = {"payment": _ask_for_payment, "refund": _ask_for_refund, "card": _ask_for_card}
