"""What a number of seats costs. The stepper asks for it at every click."""

from typing import NamedTuple

from sqlalchemy import BindParameter, Integer, and_, bindparam, func, select

from ..db import NotFound, db
from ..domain.pricing import Tier, TierLine, breakdown, marginal_cost, monthly_cost, parse_tiers
from ..domain.subscription import Plan, check_plan
from ..models.subscriptions import PeriodRow, PriceList, Subscription, SubscriptionRow


class PaidPeriod(NamedTuple):
    """The seats of a paid period, and what they cost: cents a month, before tax."""

    seats: int
    monthly: int


class Cost(NamedTuple):
    """What the stepper shows for a number of seats. Amounts are in cents, before tax.

    `more`: what one more seat adds a month, None at the largest number. `before`: the period to compare with.
    """

    tiers: tuple[Tier, ...]
    lines: tuple[TierLine, ...]
    monthly: int
    months: int
    currency: str
    active_users: int
    more: int | None
    before: PaidPeriod | None

    @property
    def total(self) -> int:
        """For the whole period."""
        return self.monthly * self.months


# One query over plain columns: this page is asked for most, and loading ORM objects would take longer.
_subscription, _price_list, _period = SubscriptionRow.__table__, PriceList.__table__, PeriodRow.__table__
_paid_price_list = PriceList.__table__.alias("paid")
_account_id: BindParameter[str] = bindparam("account_id")
_subscription_id: BindParameter[str] = bindparam("subscription_id")
_last_paid = select(func.max(_period.c.ordinal)).where(
    _period.c.account_id == _account_id, _period.c.subscription_id == _subscription_id
)
_compared_ordinal = func.coalesce(bindparam("ordinal", type_=Integer), _last_paid.scalar_subquery())
_compared_period = and_(
    _period.c.account_id == _subscription.c.account_id,
    _period.c.subscription_id == _subscription.c.id,
    _period.c.ordinal == _compared_ordinal,
)
_cost_inputs = (
    select(
        _price_list.c.tiers,
        _price_list.c.currency,
        _subscription.c.term_months,
        _subscription.c.active_users,
        _subscription.c.plan,
        _subscription.c.reseller,
        _period.c.seats,
        _paid_price_list.c.tiers.label("paid_tiers"),
    )
    .join_from(_subscription, _price_list, _subscription.c.price_list_id == _price_list.c.id)
    .outerjoin(_period, _compared_period)
    .outerjoin(_paid_price_list, _paid_price_list.c.id == _period.c.price_list_id)
    .where(_subscription.c.account_id == _account_id, _subscription.c.id == _subscription_id)
)


def cost(
    account_id: str, subscription_id: str, seats: int, ordinal: int | None = None, *, pinned: bool = False
) -> Cost:
    """What `seats` seats cost. `ordinal` is the period to compare with, by default the last paid one.
    `pinned`: at the prices of that period, at which seats are added to it, and not at those of the next period.

    Raises NotFound, and PlanForbids or ResellerManages as a renewal does.
    """
    parameters = {"account_id": account_id, "subscription_id": subscription_id, "ordinal": ordinal}
    row = db.session.execute(_cost_inputs, parameters).one_or_none()
    if row is None:
        raise NotFound(subscription_id)
    check_plan(Plan(row.plan), row.reseller)
    paid = parse_tiers(row.paid_tiers) if row.seats else None
    before = PaidPeriod(row.seats, monthly_cost(paid, row.seats)) if paid else None
    tiers = paid if pinned and paid else parse_tiers(row.tiers)
    return _cost(tiers, seats, row.term_months, row.currency, row.active_users, before)


def cost_of(subscription: Subscription, seats: int, ordinal: int, *, pinned: bool = False) -> Cost:
    """The same, of a subscription that is loaded already."""
    period = next((row for row in subscription.periods if row.ordinal == ordinal), None)
    before = PaidPeriod(period.seats, monthly_cost(period.price_list.tiers, period.seats)) if period else None
    prices = period.price_list if pinned and period else subscription.price_list
    months, active_users = subscription.term_months, subscription.active_users
    return _cost(prices.tiers, seats, months, subscription.price_list.currency, active_users, before)


def _cost(
    tiers: tuple[Tier, ...], seats: int, months: int, currency: str, active_users: int, before: PaidPeriod | None
) -> Cost:
    lines = tuple(breakdown(tiers, seats))
    monthly = sum(line.amount for line in lines)
    return Cost(tiers, lines, monthly, months, currency, active_users, marginal_cost(tiers, seats), before)
