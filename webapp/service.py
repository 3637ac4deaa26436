"""What an owner may ask of a subscription: to see, reduce and cancel it, and undo either. `purchase` does the paying.

Shared rules: identifiers of another account raise NotFound, like those that never existed; a rule that says no
raises a Refusal; the gateway and the directory are asked only between transactions; amounts are cents.
"""

import logging
from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Integer, Select, and_, bindparam, delete, func, select, update
from sqlalchemy.orm import joinedload, selectinload

from . import activity, billing, notices, outlook
from .db import NotFound, db, new_id, transaction
from .domain.checks import Check
from .domain.money import Money
from .domain.periods import Period
from .domain.pricing import Tier, TierLine, breakdown, marginal_cost, monthly_cost, parse_tiers
from .domain.subscription import (
    ActiveUsersUnknown,
    Change,
    ChangeClosed,
    ChangeKind,
    Facts,
    PaymentPending,
    Plan,
    Status,
    allows,
    check_addition,
    check_cancellation,
    check_fewer,
    check_plan,
    check_reduction,
    next_seats,
    projected_seats,
    renewal_target,
    status,
)
from .domain.tax import amounts
from .models import Account, Card, ChangeRow, Payment, PeriodRow, PriceList, Quiet, Subscription
from .ports import DirectoryUnavailable, Headcount, ports

log = logging.getLogger(__name__)

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


CHECKS = {"renew": renewal_target, "add": check_addition, "reduce": check_reduction, "cancel": check_cancellation}


class Summary(NamedTuple):
    """What a tile shows of a subscription today. `renews_on` and `next_total` (with tax): the next unpaid period."""

    subscription: Subscription
    status: Status
    period: Period
    seats: int
    next_seats: int | None
    renews_on: date
    next_total: Money
    projected_seats: int
    renewed_until: date | None
    self_service: bool
    may: frozenset[str]  # of "renew", "add", "reduce", "cancel"
    last_paid_seats: int
    changes: list[ChangeRow]
    ended_on: date | None
    pending: Payment | None
    card: Card | None
    checks: list[Check]  # « Will my renewal succeed? »

    @property
    def trouble(self) -> Check | None:
        """The first thing wrong with the next renewal that the tile does not tell otherwise."""
        return next((one for one in self.checks if one.remedy and one.point in outlook.TOLD_ON_TILES), None)


def summary(subscription: Subscription) -> Summary:
    facts = subscription.facts()
    today = ports().clock.now(subscription.account).date()
    current, card = facts.current(today), billing.default_card(subscription.account_id)
    return Summary(
        subscription=subscription,
        status=status(facts, today),
        period=current,
        seats=facts.seats[current.ordinal],
        next_seats=next_seats(facts, today),
        renews_on=facts.boundary(facts.last_paid + 1),
        next_total=renewal_total(subscription),
        projected_seats=projected_seats(facts),
        renewed_until=facts.boundary(facts.last_paid + 1) if facts.last_paid > current.ordinal else None,
        self_service=facts.self_service,
        may=frozenset(name for name, check in CHECKS.items() if allows(check, facts, today)),
        last_paid_seats=facts.seats[facts.last_paid],
        ended_on=facts.ended_on,
        changes=[row for row in subscription.open_changes if today < facts.boundary(row.effective_ordinal)],
        pending=next(iter(subscription.pending_payments), None),
        card=card,
        checks=outlook.checks_of(subscription, facts, today, card),
    )


def next_charge(facts: Facts) -> date | None:
    """The day from which the default card is charged by itself; None where it never is."""
    if not facts.self_service or facts.ended_on is not None or facts.change(ChangeKind.CANCELLATION):
        return None
    return facts.boundary(facts.last_paid + 1)


def renewal_total(subscription: Subscription) -> Money:
    """What the next unpaid period costs, with tax."""
    net = monthly_cost(subscription.price_list.tiers, projected_seats(subscription.facts())) * subscription.term_months
    return Money(amounts([net], subscription.account.tax_treatment).total, subscription.price_list.currency)


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
    Subscription.__table__.c, PriceList.__table__.c, PeriodRow.__table__.c, PriceList.__table__.alias("paid"),
)  # fmt: skip
_last_paid = select(func.max(_period.ordinal)).where(_period.subscription_id == bindparam("subscription_id"))
_compared = func.coalesce(bindparam("ordinal", type_=Integer), _last_paid.scalar_subquery())
_cost_inputs = (
    select(
        _p.tiers, _p.currency, _s.term_months, _s.active_users, _s.plan, _s.reseller,
        _period.seats, _paid.c.tiers.label("paid_tiers"),
    )
    .join_from(Subscription.__table__, PriceList.__table__, _s.price_list_id == _p.id)
    .outerjoin(PeriodRow.__table__, and_(_period.subscription_id == _s.id, _period.ordinal == _compared))
    .outerjoin(_paid, _paid.c.id == _period.price_list_id)
    .where(
        _s.id == bindparam("subscription_id"),
        _s.account_id == bindparam("account_id"),
    )
)  # fmt: skip


def cost(account_id: str, subscription_id: str, seats: int, ordinal: int | None = None) -> Cost:
    """The stepper's fragment, asked at every click: one narrow query. `ordinal` is the period to compare with, the
    last paid one without it. Raises what a renewal does of the plan."""
    found = db.session.execute(
        _cost_inputs, {"account_id": account_id, "subscription_id": subscription_id, "ordinal": ordinal}
    ).one_or_none()  # fmt: skip
    if found is None:
        raise NotFound(subscription_id)
    check_plan(Plan(found.plan), found.reseller)
    tiers = parse_tiers(found.tiers)
    lines = tuple(breakdown(tiers, seats))
    before = Before(found.seats, monthly_cost(parse_tiers(found.paid_tiers), found.seats)) if found.seats else None
    return Cost(
        tiers, lines, sum(line.amount for line in lines), found.term_months, found.currency, found.active_users,
        marginal_cost(tiers, seats), before,
    )  # fmt: skip


def count_active_users(account_id: str, subscription_id: str) -> Headcount | None:
    """What the tenant tells now; nothing is stored. None if it does not answer."""
    tenant = load(account_id, subscription_id).tenant
    db.session.rollback()
    return headcount(tenant)


def headcount(tenant: str) -> Headcount | None:
    """What the tenant tells, asked while no transaction is open; None if it does not answer."""
    try:
        return ports().directory.active_users(tenant)
    except DirectoryUnavailable as fault:
        log.warning("the active users were not counted: %s", fault)
        return None


def refresh_active_users(account_id: str, subscription_id: str, *, needed: bool = True) -> None:
    """Asks the tenant who is active, before the transaction that compares the answer.

    Raises ActiveUsersUnknown if it does not answer and that is `needed`; what it told last stays as it is.
    """
    told = count_active_users(account_id, subscription_id)
    if told is None:
        if not needed:
            return
        known = load(account_id, subscription_id)
        raise ActiveUsersUnknown(known.active_users, known.active_users_as_of)
    with transaction() as session:
        session.execute(
            update(Subscription)
            .where(Subscription.id == subscription_id)
            .values(active_users=told.active, active_users_as_of=told.as_of)
        )


def check_reduce(account_id: str, subscription_id: str, seats: int) -> Change:
    """Continue on the stepper (reduce, step 5): the change that Confirm would write, or the refusal."""
    subscription = load(account_id, subscription_id)
    check_reduction(subscription.facts(), ports().clock.now(subscription.account).date())
    refresh_active_users(account_id, subscription_id)
    facts = load(account_id, subscription_id).facts()
    check_fewer(facts, seats)
    return Change(ChangeKind.REDUCTION, seats, facts.last_paid + 1)


class Foreseen(NamedTuple):
    """What a reduction would bring, for the confirmation: cents for the whole next period, before tax."""

    before: int
    effective_on: date
    cost: int
    saved: int
    currency: str


def foreseen_reduction(subscription: Subscription, seats: int) -> Foreseen:
    """Against what the next unpaid period is billed without it. Raises the refusals of a reduction."""
    facts, tiers = subscription.facts(), subscription.price_list.tiers
    check_reduction(facts, ports().clock.now(subscription.account).date())
    check_fewer(facts, seats)
    before, cost = facts.seats[facts.last_paid], monthly_cost(tiers, seats) * facts.months
    saved = monthly_cost(tiers, before) * facts.months - cost
    return Foreseen(before, facts.boundary(facts.last_paid + 1), cost, saved, subscription.price_list.currency)


def reduce(account_id: str, subscription_id: str, seats: int) -> Subscription:
    """Confirm (reduce, step 6): from the first unpaid period on; a reduction that was open is superseded."""
    check_reduce(account_id, subscription_id, seats)
    with transaction() as session:
        subscription = load(account_id, subscription_id, lock=True)
        facts, now = subscription.facts(), ports().clock.now(subscription.account)
        check_reduction(facts, now.date())
        check_fewer(facts, seats)
        before = projected_seats(facts)
        if before != seats:  # else it is open already: sent twice, it is one request
            change = ChangeRow(
                id=new_id(), subscription_id=subscription.id, kind=ChangeKind.REDUCTION, seats=seats,
                effective_ordinal=facts.last_paid + 1, requested_at=now,
            )  # fmt: skip
            session.add_all(notices.change_requested(subscription, change, now))
            close_change(subscription, ChangeKind.REDUCTION, "superseded", now)
            session.add(change)
            effective_on = facts.boundary(facts.last_paid + 1).isoformat()
            activity.record(
                account_id,
                "reduction_requested",
                now,
                {"seats": before},
                {"seats": seats, "day": effective_on},
                subscription,
            )
    return load(account_id, subscription_id)


def cancel(account_id: str, subscription_id: str) -> Subscription:
    """Confirm (cancel, step 4): at the end of what is paid; a past due subscription ends at once."""
    with transaction() as session:
        subscription = load(account_id, subscription_id, lock=True)
        facts, now = subscription.facts(), ports().clock.now(subscription.account)
        if check_cancellation(facts, now.date()) is Status.PAST_DUE:
            end(subscription, now.date(), now)
            session.add_all(notices.ended(subscription, now.date(), now))
        else:
            change = ChangeRow(
                id=new_id(), subscription_id=subscription.id, kind=ChangeKind.CANCELLATION, seats=None,
                effective_ordinal=facts.last_paid + 1, requested_at=now,
            )  # fmt: skip
            session.add_all([change, *notices.change_requested(subscription, change, now)])
            ends_on = facts.boundary(facts.last_paid + 1).isoformat()
            activity.record(account_id, "cancellation_requested", now, {}, {"end": ends_on}, subscription)
    return load(account_id, subscription_id)


def load_change(account_id: str, subscription_id: str, change_id: str) -> ChangeRow:
    load(account_id, subscription_id)
    change = db.session.scalars(
        select(ChangeRow).where(ChangeRow.id == change_id, ChangeRow.subscription_id == subscription_id)
    ).one_or_none()
    if change is None:
        raise NotFound(change_id)
    return change


def withdraw(account_id: str, subscription_id: str, change_id: str) -> Subscription:
    """« Annuler la demande », at any time before its day; done twice it is done once. Raises ChangeClosed."""
    with transaction() as session:
        subscription = load(account_id, subscription_id, lock=True)
        change = load_change(account_id, subscription_id, change_id)
        facts, now = subscription.facts(), ports().clock.now(subscription.account)
        check_withdrawal(subscription, change, now.date())
        if change.closed_at is None:
            session.add_all(notices.change_undone(subscription, change, now))
            change.closed_at, change.closed_as = now, "withdrawn"
            activity.record(
                account_id,
                f"{change.kind}_undone",
                now,
                {"seats": change.seats},
                {"seats": facts.seats[facts.last_paid]},
                subscription,
            )
    return load(account_id, subscription_id)


def check_withdrawal(subscription: Subscription, change: ChangeRow, today: date) -> None:
    """Undone already is no error, unless another of the kind is open: then the page was out of date."""
    facts = subscription.facts()
    if subscription.pending_payments:
        raise PaymentPending
    if change.closed_as is not None and (change.closed_as != "withdrawn" or facts.change(ChangeKind(change.kind))):
        raise ChangeClosed(change.closed_as)
    if change.closed_as is None and today >= facts.boundary(change.effective_ordinal):
        raise ChangeClosed(None)


def close_change(subscription: Subscription, kind: ChangeKind, closed_as: str, now: datetime) -> None:
    """Closes the open change of a kind, if there is one, in the open transaction."""
    for row in subscription.open_changes:
        if row.kind == kind:
            row.closed_at, row.closed_as = now, closed_as
    db.session.flush()


def end(subscription: Subscription, day: date, now: datetime) -> None:
    """Ends a subscription for good, in the open transaction; no request outlives it."""
    subscription.ended_on = day
    close_change(subscription, ChangeKind.CANCELLATION, "applied", now)
    close_change(subscription, ChangeKind.REDUCTION, "superseded", now)
    activity.record(subscription.account_id, "ended", now, {}, {"end": day.isoformat()}, subscription)
