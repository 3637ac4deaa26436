"""Loads subscriptions with everything that `Subscription.facts()` reads, with or without a lock."""

from collections.abc import Sequence

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import joinedload, selectinload

from ..db import NotFound, db
from ..models.accounts import Account
from ..models.purchases import Payment
from ..models.subscriptions import PeriodRow, Quiet, Subscription


def lock_all(account_id: str) -> None:
    """Locks all subscriptions of the account. To avoid deadlocks, call it before locking the account itself."""
    query = select(Subscription.id).where(Subscription.account_id == account_id).order_by(Subscription.id)
    locked = db.session.scalars(query.with_for_update(key_share=True)).all()
    db.session.execute(delete(Quiet).where(Quiet.subscription_id.in_(locked)))


# What `facts()` reads. Collections are loaded after the lock, so they are as fresh as the lock.
LOADED = (
    joinedload(Subscription.account).joinedload(Account.issuer),
    joinedload(Subscription.price_list),
    selectinload(Subscription.periods).joinedload(PeriodRow.price_list),
    selectinload(Subscription.refusals).joinedload(Payment.quote),
    selectinload(Subscription.open_changes),
    selectinload(Subscription.pending_payments).joinedload(Payment.quote),
)


def load(account_id: str, subscription_id: str, *, lock: bool = False) -> Subscription:
    """A subscription of this account. `lock` keeps others from changing it. Raises NotFound."""
    query = select(Subscription).where(Subscription.id == subscription_id, Subscription.account_id == account_id)
    return _load_locked(query) if lock else _load_one(query)


def lock_for_payment(key: str) -> Subscription:
    """Locks and loads the subscription of the payment with this key. Raises NotFound."""
    query = select(Subscription).join(Payment, Payment.subscription_id == Subscription.id).where(Payment.key == key)
    return _load_locked(query)


def _load_locked(query: Select[Subscription]) -> Subscription:
    query = query.with_for_update(of=Subscription, key_share=True).execution_options(populate_existing=True)
    subscription = _load_one(query)
    db.session.execute(delete(Quiet).where(Quiet.subscription_id == subscription.id))
    return subscription


def _load_one(query: Select[Subscription]) -> Subscription:
    subscription = db.session.scalars(query.options(*LOADED)).one_or_none()
    if subscription is None:
        raise NotFound
    return subscription


def load_all(account_id: str) -> Sequence[Subscription]:
    """All subscriptions of this account, without a lock."""
    query = select(Subscription).where(Subscription.account_id == account_id).options(*LOADED)
    return db.session.scalars(query.order_by(Subscription.plan, Subscription.id)).all()
