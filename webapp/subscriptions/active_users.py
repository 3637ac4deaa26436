"""The active users of a tenant. The tenant is asked outside transactions; the rules compare the stored answer."""

import logging
from dataclasses import replace
from functools import cache

from sqlalchemy import Executable, bindparam, update
from sqlalchemy.dialects import postgresql, sqlite

from ..db import db, locks_rows, table_of
from ..domain.refusals import ActiveUsersUnknown
from ..models.subscriptions import ActiveUsersOfDay, Subscription, SubscriptionRow
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


def current_count(subscription: Subscription, *, needed: bool = True) -> ActiveUsers | None:
    """Asks the tenant of a subscription, before the transaction that compares and stores the answer.

    If it does not answer, raises ActiveUsersUnknown where an answer is `needed`, else returns None.
    """
    db.session.rollback()
    counted = ask_tenant(subscription.tenant)
    if counted is None and needed:
        raise ActiveUsersUnknown(subscription.active_users, subscription.active_users_as_of)
    return counted


def store_count(subscription: Subscription, counted: ActiveUsers | None) -> Subscription:
    """Stores a tenant's answer, if there is one, also for its day, in the open transaction.

    Returns the subscription as it is then.
    """
    if counted is None:
        return subscription
    of_whom = {"of_account": subscription.account_id, "of_subscription": subscription.id}
    db.session.execute(_count, {"active_users": counted.active, "active_users_as_of": counted.as_of, **of_whom})
    of_day = {
        "account_id": subscription.account_id,
        "subscription_id": subscription.id,
        "day": subscription.account.local(counted.as_of).date(),
        "active": counted.active,
    }
    db.session.execute(_highest_of_day(locks_rows()), of_day)
    return replace(subscription, active_users=counted.active, active_users_as_of=counted.as_of)


@cache
def _highest_of_day(on_postgresql: bool) -> Executable:
    """The highest count of a day stays: whoever was active and removed later has used a seat on that day."""
    new = (postgresql if on_postgresql else sqlite).insert(table_of(ActiveUsersOfDay))
    days, active = new.table.c, new.excluded.active
    return new.on_conflict_do_update(
        index_elements=[days.account_id, days.subscription_id, days.day],
        set_={"active": active},
        where=active > days.active,
    )
