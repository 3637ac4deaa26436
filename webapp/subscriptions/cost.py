"""What a number of seats costs. The stepper asks for it at every click."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Integer, and_, bindparam, func, select

from ..db import NotFound, db
from ..domain.money import divide_half_up
from ..domain.periods import boundary
from ..domain.pricing import Tier, TierLine, breakdown, in_force, marginal_cost, monthly_cost, parse_tiers
from ..domain.subscription import Plan, check_plan
from ..domain.tax import Amounts, amounts, tax_terms
from ..models.accounts import Account
from ..models.prices import LaterPrices, PriceList
from ..models.subscriptions import PeriodRow, Subscription, SubscriptionRow


class PaidPeriod(NamedTuple):
    """The seats of a paid period, and what they cost: cents a month, before tax."""

    seats: int
    monthly: int


class Ahead(NamedTuple):
    """A period that is paid ahead: its seats and the prices that it was bought at."""

    seats: int
    tiers: tuple[Tier, ...]


class Share(NamedTuple):
    """The part of a period that is charged: so many days of so many."""

    days_left: int
    days: int


WHOLE = Share(1, 1)
MOST_SKIPPED = 12  # periods that a lapse may leave unpaid: an address that names a later one is not the page's


class Cost(NamedTuple):
    """What the stepper shows for a number of seats. Amounts are in cents, before tax.

    `more`: what one more seat adds a month, None at the largest number. `before`: the period to compare with.
    `due`: what Pay will charge, with tax (the help page's Overview shows the same).
    """

    tiers: tuple[Tier, ...]
    lines: tuple[TierLine, ...]
    monthly: int
    months: int
    currency: str
    active_users: int
    more: int | None
    before: PaidPeriod | None
    due: Amounts

    @property
    def total(self) -> int:
        """For the whole period."""
        return self.monthly * self.months


# One query over plain columns: this page is asked for most, and loading ORM objects would take longer.
_subscription, _price_list, _period = SubscriptionRow.__table__, PriceList.__table__, PeriodRow.__table__
_account, _next_period = Account.__table__, PeriodRow.__table__.alias("next_period")
_paid_price_list, _price_list_ahead = PriceList.__table__.alias("paid"), PriceList.__table__.alias("ahead")
_later, _later_list = LaterPrices.__table__, PriceList.__table__.alias("later")
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
_following_period = and_(
    _next_period.c.account_id == _period.c.account_id,
    _next_period.c.subscription_id == _period.c.subscription_id,
    _next_period.c.ordinal == _period.c.ordinal + 1,
)
_prices_of_subscription = and_(
    _later.c.account_id == _subscription.c.account_id, _later.c.subscription_id == _subscription.c.id
)
_cost_inputs = (  # a row for each of the later prices, and one where there are none
    select(
        _price_list.c.tiers,
        _price_list.c.currency,
        _subscription.c.anchor,
        _subscription.c.term_months,
        _subscription.c.active_users,
        _subscription.c.plan,
        _subscription.c.reseller,
        _period.c.ordinal,
        _period.c.seats,
        _paid_price_list.c.tiers.label("paid_tiers"),
        _next_period.c.seats.label("seats_ahead"),
        _price_list_ahead.c.tiers.label("tiers_ahead"),
        _later.c.valid_from,
        _later_list.c.tiers.label("later_tiers"),
        _account.c.country,
        _account.c.vat_number,
    )
    .join_from(_subscription, _price_list, _subscription.c.price_list_id == _price_list.c.id)
    .outerjoin(_period, _compared_period)
    .outerjoin(_paid_price_list, _paid_price_list.c.id == _period.c.price_list_id)
    .outerjoin(_next_period, _following_period)
    .outerjoin(_price_list_ahead, _price_list_ahead.c.id == _next_period.c.price_list_id)
    .outerjoin(_later, _prices_of_subscription)
    .outerjoin(_later_list, _later_list.c.id == _later.c.price_list_id)
    .join(_account, _account.c.id == _subscription.c.account_id)
    .where(_subscription.c.account_id == _account_id, _subscription.c.id == _subscription_id)
    .order_by(_later.c.valid_from)
)


def cost(
    account_id: str,
    subscription_id: str,
    seats: int,
    ordinal: int | None = None,
    *,
    adding: bool = False,
    share: Share = WHOLE,
    paying: int | None = None,
) -> Cost:
    """What `seats` seats cost. `ordinal` is the period to compare with, by default the last paid one.
    `adding`: seats are added to that period, at its prices. Otherwise the period `paying` is paid, by default the next
    one, at the prices of its first day. `share`: of the period that is charged.

    Raises NotFound, and PlanForbids or ResellerManages as a renewal does.
    """
    parameters = {"account_id": account_id, "subscription_id": subscription_id, "ordinal": ordinal}
    rows = db.session.execute(_cost_inputs, parameters).all()
    if not rows:
        raise NotFound(subscription_id)
    row = rows[0]
    check_plan(Plan(row.plan), row.reseller)
    paid = parse_tiers(row.paid_tiers) if row.seats else None
    before = PaidPeriod(row.seats, monthly_cost(paid, row.seats)) if paid else None
    tiers = paid if adding and paid else parse_tiers(_tiers_of(rows, paying))
    ahead = Ahead(row.seats_ahead, parse_tiers(row.tiers_ahead)) if adding and row.seats_ahead else None
    nets = _nets_due(tiers, seats, row.term_months, share, before if adding else None, ahead)
    due = amounts(nets, tax_terms(row.country, row.vat_number))
    return _cost(tiers, seats, row.term_months, row.currency, row.active_users, before, due)


def _tiers_of(rows: Sequence[Any], paying: int | None) -> list[list[int | None]]:
    """The stored tiers of the period that is paid."""
    row = rows[0]
    following = (row.ordinal or 0) + 1
    skips = paying is not None and following < paying < following + MOST_SKIPPED
    ordinal = paying if paying is not None and skips else following
    later = [(one.valid_from, one.later_tiers) for one in rows if one.valid_from is not None]
    return in_force(row.tiers, later, boundary(row.anchor, row.term_months, ordinal)) if later else row.tiers


def cost_of(
    subscription: Subscription,
    seats: int,
    ordinal: int,
    *,
    adding: bool = False,
    share: Share = WHOLE,
    paying: int | None = None,
) -> Cost:
    """The same, of a subscription that is loaded already."""
    by_ordinal = {row.ordinal: row for row in subscription.periods}
    period, following = by_ordinal.get(ordinal), by_ordinal.get(ordinal + 1)
    before = PaidPeriod(period.seats, monthly_cost(period.price_list.tiers, period.seats)) if period else None
    first_day = subscription.facts.boundary(ordinal + 1 if paying is None else paying)
    prices = period.price_list if adding and period else subscription.prices_on(first_day)
    ahead = Ahead(following.seats, following.price_list.tiers) if adding and following else None
    months, active_users = subscription.term_months, subscription.active_users
    nets = _nets_due(prices.tiers, seats, months, share, before if adding else None, ahead)
    due = amounts(nets, subscription.account.tax_terms)
    return _cost(prices.tiers, seats, months, subscription.currency, active_users, before, due)


def _nets_due(
    tiers: tuple[Tier, ...], seats: int, months: int, share: Share, raised: PaidPeriod | None, ahead: Ahead | None
) -> list[int]:
    """The cents before tax of each line of the quote. `raised` and `ahead` are periods that get more seats."""
    monthly = monthly_cost(tiers, seats) - (raised.monthly if raised else 0)
    nets = [divide_half_up(monthly * months * share.days_left, share.days)] if monthly > 0 else []
    if ahead and ahead.seats < seats:
        nets.append((monthly_cost(ahead.tiers, seats) - monthly_cost(ahead.tiers, ahead.seats)) * months)
    return nets


def _cost(
    tiers: tuple[Tier, ...],
    seats: int,
    months: int,
    currency: str,
    active_users: int,
    before: PaidPeriod | None,
    due: Amounts,
) -> Cost:
    lines = tuple(breakdown(tiers, seats))
    monthly = sum(line.amount for line in lines)
    return Cost(tiers, lines, monthly, months, currency, active_users, marginal_cost(tiers, seats), before, due)
