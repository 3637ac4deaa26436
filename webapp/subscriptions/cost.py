"""What a number of seats costs: read by the stepper at every click."""

from typing import NamedTuple

from sqlalchemy import Integer, and_, bindparam, func, select

from ..db import NotFound, db
from ..domain.pricing import Tier, TierLine, breakdown, marginal_cost, monthly_cost, parse_tiers
from ..domain.subscription import Plan, check_plan
from ..models.subscriptions import PeriodRow, PriceList, Subscription


class Before(NamedTuple):
    """What a paid period has and costs: cents a month, before tax."""

    seats: int
    monthly: int


class Cost(NamedTuple):
    """What the stepper shows for a number of seats: cents, before tax. `more`: what one more adds a month, None at
    the largest number; `before`: the period that is compared with.
    """

    tiers: tuple[Tier, ...]
    lines: tuple[TierLine, ...]
    monthly: int
    months: int
    currency: str
    active_users: int
    more: int | None
    before: Before | None

    @property
    def total(self) -> int:
        return self.monthly * self.months


# Columns, not attributes: no ORM on the hottest path.
_s, _p, _period, _paid = (
    Subscription.__table__.c,
    PriceList.__table__.c,
    PeriodRow.__table__.c,
    PriceList.__table__.alias("paid"),
)
_last_paid = select(func.max(_period.ordinal)).where(_period.subscription_id == bindparam("subscription_id"))
_compared = func.coalesce(bindparam("ordinal", type_=Integer), _last_paid.scalar_subquery())
_cost_inputs = (
    select(
        _p.tiers,
        _p.currency,
        _s.term_months,
        _s.active_users,
        _s.plan,
        _s.reseller,
        _period.seats,
        _paid.c.tiers.label("paid_tiers"),
    )
    .join_from(Subscription.__table__, PriceList.__table__, _s.price_list_id == _p.id)
    .outerjoin(PeriodRow.__table__, and_(_period.subscription_id == _s.id, _period.ordinal == _compared))
    .outerjoin(_paid, _paid.c.id == _period.price_list_id)
    .where(
        _s.id == bindparam("subscription_id"),
        _s.account_id == bindparam("account_id"),
    )
)


def cost(
    account_id: str, subscription_id: str, seats: int, ordinal: int | None = None, *, pinned: bool = False
) -> Cost:
    """The stepper's fragment, asked at every click: one narrow query. `ordinal` is the period to compare with, the
    last paid one without it. `pinned`: at that period's own prices, as seats are added to it, and not at those of the
    next period. Raises what a renewal does of the plan."""
    found = db.session.execute(
        _cost_inputs, {"account_id": account_id, "subscription_id": subscription_id, "ordinal": ordinal}
    ).one_or_none()
    if found is None:
        raise NotFound(subscription_id)
    check_plan(Plan(found.plan), found.reseller)
    tiers = parse_tiers(found.paid_tiers if pinned and found.paid_tiers else found.tiers)
    lines = tuple(breakdown(tiers, seats))
    before = Before(found.seats, monthly_cost(parse_tiers(found.paid_tiers), found.seats)) if found.seats else None
    return Cost(
        tiers,
        lines,
        sum(line.amount for line in lines),
        found.term_months,
        found.currency,
        found.active_users,
        marginal_cost(tiers, seats),
        before,
    )
