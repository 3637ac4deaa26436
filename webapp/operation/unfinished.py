"""Checks of `doctor`: what a command of support began and did not end."""

from sqlalchemy import select

from ..config import COMMAND
from ..db import Across, across, db
from ..domain.subscription import ChangeKind, Plan
from ..models.accounts import Account
from ..models.prices import Publication
from ..models.subscriptions import ChangeRow, SubscriptionRow
from . import health


def prices() -> str | None:
    """A published price list that not everybody has been told of."""
    if health.database_fault():
        return None
    query = select(Publication).where(Publication.told_at.is_(None), Publication.withdrawn_at.is_(None))
    published = db.session.scalars(query.order_by(Publication.published_at).limit(1)).one_or_none()
    db.session.rollback()
    if published is None:
        return None
    return (
        f"Not everybody was told of the prices of {published.product} from {published.valid_from}: run the same "
        f"{COMMAND} support publish-prices again."
    )


def deactivated() -> str | None:
    """A deactivated account with a subscription that neither renews nor ends."""
    if health.database_fault():
        return None
    c = SubscriptionRow
    mine = ChangeRow.account_id == c.account_id, ChangeRow.subscription_id == c.id, ChangeRow.closed_at.is_(None)
    cancelled = select(ChangeRow).where(*mine, ChangeRow.kind == ChangeKind.CANCELLATION)
    live = c.ended_on.is_(None), c.plan == Plan.BUSINESS, c.reseller.is_(None), ~cancelled.exists()
    query = select(Account.id).join(c, c.account_id == Account.id).where(Account.deactivated_at.is_not(None), *live)
    found = db.session.scalars(across(query.order_by(Account.id).limit(1), Across.DOCTOR)).one_or_none()
    db.session.rollback()
    if found is None:
        return None
    return (
        f"The account {found} is deactivated, but a subscription of it neither renews nor ends: run {COMMAND} support "
        "end-subscription, or reactivate it."
    )
