"""The rows of a new subscription: for accounts that the operator or the sandbox makes."""

from datetime import date, datetime
from typing import NamedTuple

from ..db import new_id
from ..domain.subscription import Plan
from ..models.accounts import Account
from ..models.subscriptions import PeriodRow, PriceList, Subscription


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


def new_subscription(
    account: Account, terms: Terms, prices: PriceList, source: str, counted_at: datetime
) -> Subscription:
    """The rows of a new subscription; `source` is who billed its periods: "paid" here, "external" elsewhere."""
    rows = [
        PeriodRow(ordinal=ordinal, seats=terms.seats, price_list_id=prices.id, source=source)
        for ordinal in range(terms.paid)
    ]
    told = terms._asdict() | {"plan": terms.plan.value}
    del told["seats"], told["paid"]
    return Subscription(
        id=new_id(),
        account=account,
        price_list=prices,
        active_users_as_of=counted_at,
        periods=rows,
        open_changes=[],
        pending_payments=[],
        refusals=[],
        **told,
    )
