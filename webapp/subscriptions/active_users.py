"""The active users of a tenant. The tenant is asked outside transactions; the rules compare the stored answer."""

import logging
from dataclasses import replace

from sqlalchemy import bindparam, update

from ..db import db, table_of, transaction
from ..domain.refusals import ActiveUsersUnknown
from ..models.subscriptions import Subscription, SubscriptionRow
from ..ports import ActiveUsers, DirectoryUnavailable, ports
from .loading import load

log = logging.getLogger(__name__)
_subscription = table_of(SubscriptionRow)
_count = (
    update(_subscription)
    .where(_subscription.c.account_id == bindparam("of_account"), _subscription.c.id == bindparam("of_subscription"))
    .values(active_users=bindparam("active_users"), active_users_as_of=bindparam("active_users_as_of"))
)


def count_active_users(account_id: str, subscription_id: str) -> ActiveUsers | None:
    """Asks the tenant of a subscription, without storing the answer. None if it does not answer."""
    tenant = load(account_id, subscription_id).tenant
    db.session.rollback()
    return ask_tenant(tenant)


def ask_tenant(tenant: str) -> ActiveUsers | None:
    """Asks a tenant. None if it does not answer. Never call it while a transaction is open."""
    try:
        return ports().directory.active_users(tenant)
    except DirectoryUnavailable as fault:
        log.warning("the active users were not counted: %s", fault)
        return None


def refresh_active_users(account_id: str, subscription_id: str, *, needed: bool = True) -> None:
    """Asks the tenant and stores the answer, before the transaction that compares it.

    If the tenant does not answer, its last answer is kept, and ActiveUsersUnknown is raised if an answer is `needed`.
    """
    counted = count_active_users(account_id, subscription_id)
    if counted is None:
        if not needed:
            return
        known = load(account_id, subscription_id)
        raise ActiveUsersUnknown(known.active_users, known.active_users_as_of)
    with transaction():
        _store(account_id, subscription_id, counted)


def store_count(subscription: Subscription, counted: ActiveUsers) -> Subscription:
    """Stores the answer of a tenant in the open transaction. Returns the subscription as it is then."""
    _store(subscription.account_id, subscription.id, counted)
    return replace(subscription, active_users=counted.active, active_users_as_of=counted.as_of)


def _store(account_id: str, subscription_id: str, counted: ActiveUsers) -> None:
    of_whom = {"of_account": account_id, "of_subscription": subscription_id}
    db.session.execute(_count, {"active_users": counted.active, "active_users_as_of": counted.as_of, **of_whom})
