"""What a tile shows of a subscription today."""

from datetime import date
from typing import NamedTuple

from ..domain.checks import Check
from ..domain.money import Money
from ..domain.periods import Period
from ..domain.pricing import monthly_cost
from ..domain.subscription import (
    Status,
    allows,
    check_addition,
    check_cancellation,
    check_reduction,
    lapse_end,
    next_seats,
    projected_seats,
    renewal_target,
    status,
)
from ..domain.tax import amounts
from ..models.cards import Card
from ..models.subscriptions import OpenChange, PaymentRead, Subscription
from ..ports import ports
from . import outlook

COMMANDS = {"renew": renewal_target, "add": check_addition, "reduce": check_reduction, "cancel": check_cancellation}


class Summary(NamedTuple):
    """What a tile shows of a subscription today. `ended_on` and `renewed_until` are exclusive.

    `renews_on` and `next_total` (with tax) are of the next unpaid period; `renewed_until` is set if one is paid ahead.
    `lapse_end` is the day on which a lapsed subscription ends unless it is renewed before.
    """

    subscription: Subscription
    today: date
    status: Status
    period: Period
    seats: int
    next_seats: int | None
    renews_on: date
    next_total: Money
    projected_seats: int
    renewed_until: date | None
    self_service: bool
    may: frozenset[str]  # the names in COMMANDS that are allowed today
    last_paid_seats: int
    changes: list[OpenChange]
    lapse_end: date | None
    ended_on: date | None
    pending: PaymentRead | None
    card: Card | None
    checks: list[Check]  # « Will my renewal succeed? »

    @property
    def trouble(self) -> Check | None:
        """The first problem or warning about the next renewal that the tile does not show otherwise."""
        return next((check for check in self.checks if check.remedy and check.point in outlook.SHOWN_ON_TILES), None)


def summary(subscription: Subscription) -> Summary:
    """The summary as of today, by the account's clock."""
    facts = subscription.facts
    today = ports().clock.now(subscription.account).date()
    current, card = facts.current(today), subscription.default_card
    return Summary(
        subscription=subscription,
        today=today,
        status=status(facts, today),
        period=current,
        seats=facts.seats[current.ordinal],
        next_seats=next_seats(facts, today),
        renews_on=facts.paid_until,
        next_total=renewal_total(subscription),
        projected_seats=projected_seats(facts),
        renewed_until=facts.paid_until if facts.last_paid > current.ordinal else None,
        self_service=facts.self_service,
        may=frozenset(name for name, check in COMMANDS.items() if allows(check, facts, today)),
        last_paid_seats=facts.last_paid_seats,
        lapse_end=lapse_end(facts),
        ended_on=facts.ended_on,
        changes=[row for row in subscription.open_changes if today < facts.boundary(row.effective_ordinal)],
        pending=next(iter(subscription.pending_payments), None),
        card=card,
        checks=outlook.checks_of(subscription, facts, today, card),
    )


def renewal_total(subscription: Subscription, first_day: date | None = None) -> Money:
    """What the unpaid period that starts on `first_day` will cost, with tax; by default the next one."""
    prices = subscription.price_list if first_day is None else subscription.prices_on(first_day)
    net = monthly_cost(prices.tiers, projected_seats(subscription.facts)) * subscription.term_months
    return Money(amounts([net], subscription.account.tax_terms).total, subscription.currency)
