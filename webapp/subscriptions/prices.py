"""New prices of one subscription: they are told and written in one transaction, and so are their withdrawals."""

from datetime import datetime

from sqlalchemy import delete, select

from ..accounts import activity
from ..db import db, insert_rows, transaction
from ..domain.pricing import earliest_start
from ..domain.subscription import Plan
from ..mail import outbox
from ..models.prices import LaterPrices, Prices, Publication
from ..models.subscriptions import Subscription
from ..ports import ports
from .loading import load


def tell(account_id: str, subscription_id: str, published: Publication, prices: Prices) -> bool:
    """Tells the members of the prices, which apply from the published day on, and never sooner than the notice allows.

    Doing it twice has one effect: returns False if they were told before, or if the prices are not for this one.
    """
    with transaction():
        subscription = load(account_id, subscription_id, lock=True)
        now = ports().clock.now(subscription.account)
        valid_from = max(published.valid_from, earliest_start(now.date()))
        taken = any(prices.id == own.id or day == valid_from for day, own in subscription.later_prices)
        if taken or not concerns(published, subscription) or not _is_open(published):
            return False
        row = LaterPrices(
            account_id=account_id,
            subscription_id=subscription_id,
            valid_from=valid_from,
            price_list_id=prices.id,
            told_on=now.date(),
        )
        insert_rows(row)
        later = sorted([*subscription.later_prices, (valid_from, prices)], key=lambda one: one[0])
        insert_rows(*outbox.new_prices(subscription.with_later_prices(later), prices, now))
        _record("prices_told", subscription, valid_from.isoformat(), now)
        return True


def withdraw(account_id: str, subscription_id: str, price_list_id: str) -> bool:
    """Takes prices back that do not apply yet, and tells those who were told of them. Twice has one effect."""
    with transaction() as session:
        subscription = load(account_id, subscription_id, lock=True)
        now = ports().clock.now(subscription.account)
        this = LaterPrices.account_id == account_id, LaterPrices.subscription_id == subscription_id
        deletion = delete(LaterPrices).where(*this, LaterPrices.price_list_id == price_list_id)
        valid_from = session.scalars(deletion.returning(LaterPrices.valid_from)).one_or_none()
        if valid_from is None:
            return False
        insert_rows(*outbox.prices_withdrawn(subscription, price_list_id, valid_from, now))
        _record("prices_withdrawn", subscription, valid_from.isoformat(), now)
        return True


def concerns(published: Publication, subscription: Subscription) -> bool:
    """Those that were bought here, in the currency of the list. Of a deactivated account nobody would read it."""
    bought = subscription.plan == Plan.BUSINESS and subscription.reseller is None and subscription.ended_on is None
    if subscription.account.deactivated_at is not None:
        return False
    mine = published.only_account in ("", subscription.account_id)
    same = (subscription.product, subscription.currency) == (published.product, published.currency)
    return bought and mine and same


def _is_open(published: Publication) -> bool:
    """Whether it is not withdrawn, which waits until the open transaction ends."""
    this = Publication.price_list_id == published.price_list_id, Publication.withdrawn_at.is_(None)
    query = select(Publication.price_list_id).where(*this).with_for_update(read=True)
    return db.session.scalars(query).one_or_none() is not None


def _record(what: str, subscription: Subscription, day: str, now: datetime) -> None:
    activity.record(subscription.account_id, what, now, {}, {"day": day}, subscription)
