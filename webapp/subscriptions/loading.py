"""Loads subscriptions with everything that `facts()` reads, with or without a lock."""

from collections.abc import Sequence

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import joinedload, selectinload

from ..db import NotFound, db
from ..models.accounts import Account
from ..models.purchases import Payment
from ..models.subscriptions import PeriodRow, Quiet, Subscription


def lock_all(account_id: str) -> None:
    """Keeps others from changing any subscription of the account. Always before a lock on the account itself."""
    query = select(Subscription.id).where(Subscription.account_id == account_id).order_by(Subscription.id)
    locked = db.session.scalars(query.with_for_update(key_share=True)).all()
    db.session.execute(delete(Quiet).where(Quiet.subscription_id.in_(locked)))


LOADED = (  # what `facts()` reads; collections by statements of their own, which see what was so when the lock was had
    joinedload(Subscription.account).joinedload(Account.issuer),
    joinedload(Subscription.price_list),
    selectinload(Subscription.periods).joinedload(PeriodRow.price_list),
    selectinload(Subscription.refusals).joinedload(Payment.quote),
    selectinload(Subscription.open_changes),
    selectinload(Subscription.pending_payments).joinedload(Payment.quote),
)


def load(account_id: str, subscription_id: str, *, lock: bool = False) -> Subscription:
    """A subscription of this account with all that `facts()` reads; `lock` keeps others from changing it."""
    query = select(Subscription).where(Subscription.id == subscription_id, Subscription.account_id == account_id)
    return _locked(query) if lock else _found(query)


def lock_paid(key: str) -> Subscription:
    """The subscription that the payment with this key is for, as `load` locks it."""
    query = select(Subscription).join(Payment, Payment.subscription_id == Subscription.id).where(Payment.key == key)
    return _locked(query)


def _locked(query: Select[Subscription]) -> Subscription:
    fresh = query.with_for_update(of=Subscription, key_share=True).execution_options(populate_existing=True)
    subscription = _found(fresh)
    db.session.execute(delete(Quiet).where(Quiet.subscription_id == subscription.id))
    return subscription


def _found(query: Select[Subscription]) -> Subscription:
    subscription = db.session.scalars(query.options(*LOADED)).one_or_none()
    if subscription is None:
        raise NotFound
    return subscription


def load_all(account_id: str) -> Sequence[Subscription]:
    query = select(Subscription).where(Subscription.account_id == account_id).options(*LOADED)
    return db.session.scalars(query.order_by(Subscription.plan, Subscription.id)).all()
