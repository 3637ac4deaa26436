"""What an owner may ask of a subscription: to see, reduce and cancel it, and undo either. `purchase` does the paying.

Shared rules: identifiers of another account raise NotFound, like those that never existed; a rule that says no
raises a Refusal; the gateway and the directory are asked only between transactions; amounts are cents.
"""

from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import select

from ..accounts import activity
from ..db import NotFound, db, new_id, transaction
from ..domain.pricing import monthly_cost
from ..domain.refusals import ChangeClosed, PaymentPending, SubscriptionHeld
from ..domain.subscription import (
    Change,
    ChangeKind,
    Status,
    check_cancellation,
    check_fewer,
    check_reduction,
    projected_seats,
)
from ..mail import outbox
from ..models.subscriptions import ChangeRow, Subscription
from ..ports import ports
from .active_users import refresh_active_users
from .loading import load


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
                id=new_id(),
                subscription_id=subscription.id,
                kind=ChangeKind.REDUCTION,
                seats=seats,
                effective_ordinal=facts.last_paid + 1,
                requested_at=now,
            )
            session.add_all(outbox.change_requested(subscription, change, now))
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
            session.add_all(outbox.ended(subscription, now.date(), now))
        else:
            change = ChangeRow(
                id=new_id(),
                subscription_id=subscription.id,
                kind=ChangeKind.CANCELLATION,
                seats=None,
                effective_ordinal=facts.last_paid + 1,
                requested_at=now,
            )
            session.add_all([change, *outbox.change_requested(subscription, change, now)])
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
            session.add_all(outbox.change_undone(subscription, change, now))
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
    if facts.held:
        raise SubscriptionHeld
    if facts.payment_pending:
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
