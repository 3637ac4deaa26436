"""The sweep: brings what time has made due up to date. Safe to run at any moment, and again."""

import logging

from sqlalchemy import select

from . import service
from .db import db
from .models import Payment, Subscription
from .ports import OutcomeUnknown

log = logging.getLogger(__name__)


def sweep(account_id: str | None = None) -> int:
    """Settles the payments whose outcome was unknown, or whose challenge expired; how many are still pending."""
    waiting = (
        select(Subscription.account_id, Payment.subscription_id, Payment.quote_id)
        .join(Subscription, Subscription.id == Payment.subscription_id)
        .where(Payment.state == "pending")
    )
    if account_id is not None:
        waiting = waiting.where(Subscription.account_id == account_id)
    for account, subscription, quote in db.session.execute(waiting).all():
        try:
            service.reconcile(account, subscription, quote)
        except OutcomeUnknown:
            log.warning("the gateway is silent about quote %s: its payment stays pending", quote)
    return len(db.session.execute(waiting).all())
