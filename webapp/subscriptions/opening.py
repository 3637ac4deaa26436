"""The rows of a new subscription: for accounts that the operator or the sandbox makes."""

from datetime import date, datetime
from typing import NamedTuple

from ..db import db, new_id
from ..domain.subscription import Plan
from ..models.prices import PriceList
from ..models.subscriptions import PeriodRow, SubscriptionRow

_SAME = ("product", "tenant", "reseller", "anchor", "term_months", "active_users")  # in Terms and in the table


class Terms(NamedTuple):
    """A subscription as it is made: `paid` periods from the anchor on are behind it, at `seats` seats."""

    plan: Plan
    product: str
    tenant: str
    reseller: str | None
    anchor: date
    term_months: int
    seats: int
    active_users: int
    paid: int


def add_subscription(account_id: str, terms: Terms, prices: PriceList, source: str, counted_at: datetime) -> str:
    """Adds a subscription with its price list to the open transaction. Returns its id.

    `source` is who billed its periods: "paid" here, "external" elsewhere.
    """
    row = SubscriptionRow(
        account_id=account_id,
        id=new_id(),
        plan=terms.plan.value,
        price_list_id=prices.id,
        active_users_as_of=counted_at,
        **{name: getattr(terms, name) for name in _SAME},
    )
    # One after the other, since the tables refer to one another.
    for rows in ([prices], [row], [_period(row, ordinal, terms.seats, source) for ordinal in range(terms.paid)]):
        db.session.add_all(rows)
        db.session.flush()
    return row.id


def _period(row: SubscriptionRow, ordinal: int, seats: int, source: str) -> PeriodRow:
    return PeriodRow(
        account_id=row.account_id,
        subscription_id=row.id,
        ordinal=ordinal,
        seats=seats,
        price_list_id=row.price_list_id,
        source=source,
    )
