"""The tenant's active users: asked outside transactions, stored for the rules to compare."""

import logging

from sqlalchemy import update

from ..db import db, transaction
from ..domain.refusals import ActiveUsersUnknown
from ..models.subscriptions import Subscription
from ..ports import DirectoryUnavailable, Headcount, ports
from .loading import load

log = logging.getLogger(__name__)


def count_active_users(account_id: str, subscription_id: str) -> Headcount | None:
    """What the tenant tells now; nothing is stored. None if it does not answer."""
    tenant = load(account_id, subscription_id).tenant
    db.session.rollback()
    return headcount(tenant)


def headcount(tenant: str) -> Headcount | None:
    """What the tenant tells, asked while no transaction is open; None if it does not answer."""
    try:
        return ports().directory.active_users(tenant)
    except DirectoryUnavailable as fault:
        log.warning("the active users were not counted: %s", fault)
        return None


def refresh_active_users(account_id: str, subscription_id: str, *, needed: bool = True) -> None:
    """Asks the tenant who is active, before the transaction that compares the answer.

    Raises ActiveUsersUnknown if it does not answer and that is `needed`; what it told last stays as it is.
    """
    told = count_active_users(account_id, subscription_id)
    if told is None:
        if not needed:
            return
        known = load(account_id, subscription_id)
        raise ActiveUsersUnknown(known.active_users, known.active_users_as_of)
    with transaction() as session:
        session.execute(
            update(Subscription)
            .where(Subscription.id == subscription_id)
            .values(active_users=told.active, active_users_as_of=told.as_of)
        )
