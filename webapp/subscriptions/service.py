"""Commands of an owner that cost nothing: reduce, cancel, and undo either. Paying is in `purchases/payments.py`.

Every noun package keeps the same rules. An id of another account raises NotFound, like one that does not exist. A rule
that forbids a command raises a Refusal. The gateway and the tenant are asked only between transactions. Amounts are
cents.
"""

from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import select, update

from ..accounts import activity
from ..db import NotFound, db, new_id, transaction
from ..domain.pricing import monthly_cost
from ..domain.refusals import ChangeClosed, PaymentPending, Refusal, SubscriptionHeld
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
from ..models.subscriptions import ChangeRow, Subscription, SubscriptionRow
from ..ports import ports
from .active_users import current_count, store_count
from .challenges import close_challenge
from .loading import load


def check_reduce(account_id: str, subscription_id: str, seats: int) -> Change:
    """Continue on the stepper (reduce, step 5): the change that Confirm would write. Raises Refusal."""
    subscription = load(account_id, subscription_id)
    check_reduction(subscription.facts, ports().clock.now(subscription.account).date())
    counted = current_count(subscription)
    with transaction():
        facts = store_count(subscription, counted).facts
    check_fewer(facts, seats)
    return Change(ChangeKind.REDUCTION, seats, facts.next_unpaid)


class ReductionPreview(NamedTuple):
    """The effect of a reduction, for its confirmation: `before` seats until `effective_on`.

    `cost` and `saved` are cents before tax, for the whole next period.
    """

    before: int
    effective_on: date
    cost: int
    saved: int
    currency: str


def preview_reduction(subscription: Subscription, seats: int) -> ReductionPreview:
    """Compares with renewing the last paid seats. Raises the refusals of a reduction."""
    facts, tiers = subscription.facts, subscription.price_list.tiers
    check_reduction(facts, ports().clock.now(subscription.account).date())
    check_fewer(facts, seats)
    before, cost = facts.last_paid_seats, monthly_cost(tiers, seats) * facts.months
    saved = monthly_cost(tiers, before) * facts.months - cost
    return ReductionPreview(before, facts.paid_until, cost, saved, subscription.currency)


def reduce(account_id: str, subscription_id: str, seats: int) -> None:
    """Confirm (reduce, step 6): fewer seats from the next unpaid period on. Raises Refusal.

    An open reduction is superseded. Sending the same request twice has one effect. After a refusal, too, the new count
    of active users stays.
    """
    subscription = load(account_id, subscription_id)
    check_reduction(subscription.facts, ports().clock.now(subscription.account).date())
    counted = current_count(subscription)
    with transaction(commits_at=Refusal):
        subscription = store_count(load(account_id, subscription_id, lock=True), counted)
        _request_reduction(subscription, seats, ports().clock.now(subscription.account))


def _request_reduction(subscription: Subscription, seats: int, now: datetime) -> None:
    """Writes the change, its mails and its activity in the open transaction, unless this reduction is open already."""
    facts = subscription.facts
    check_reduction(facts, now.date())
    check_fewer(facts, seats)
    if projected_seats(facts) == seats:
        return
    change = _new_change(subscription, ChangeKind.REDUCTION, seats, now)
    db.session.add_all(outbox.change_requested(subscription, change, now))
    close_change(subscription, ChangeKind.REDUCTION, "superseded", now)
    db.session.add(change)
    before, after = {"seats": projected_seats(facts)}, {"seats": seats, "day": facts.paid_until.isoformat()}
    activity.record(subscription.account_id, "reduction_requested", now, before, after, subscription)


def _new_change(subscription: Subscription, kind: ChangeKind, seats: int | None, now: datetime) -> ChangeRow:
    return ChangeRow(
        account_id=subscription.account_id,
        id=new_id(),
        subscription_id=subscription.id,
        kind=kind,
        seats=seats,
        effective_ordinal=subscription.facts.next_unpaid,
        requested_at=now,
    )


def cancel(account_id: str, subscription_id: str, given_up: str | None = None) -> None:
    """Confirm (cancel, step 4): the subscription ends when what is paid ends. Raises Refusal.

    A past due subscription ends at once. `given_up` is the key of the challenge that was cancelled at the gateway for
    this, if there was one.
    """
    with transaction() as session:
        subscription = load(account_id, subscription_id, lock=True)
        facts, now = subscription.facts, ports().clock.now(subscription.account)
        before = check_cancellation(facts, now.date())
        close_challenge(subscription, given_up, now)
        if before is Status.PAST_DUE:
            end_subscription(subscription, now.date(), now)
            session.add_all(outbox.ended(subscription, now.date(), now))
        else:
            write_cancellation(subscription, now)


def write_cancellation(subscription: Subscription, now: datetime) -> None:
    """Requests the end of what is paid, in the open transaction. The caller has checked that it can be requested."""
    change = _new_change(subscription, ChangeKind.CANCELLATION, None, now)
    db.session.add_all([change, *outbox.change_requested(subscription, change, now)])
    after = {"end": subscription.facts.paid_until.isoformat()}
    activity.record(subscription.account_id, "cancellation_requested", now, {}, after, subscription)


def load_change(account_id: str, subscription_id: str, change_id: str) -> ChangeRow:
    """A change of this subscription, open or closed. Raises NotFound."""
    this = ChangeRow.account_id == account_id, ChangeRow.subscription_id == subscription_id, ChangeRow.id == change_id
    change = db.session.scalars(select(ChangeRow).where(*this)).one_or_none()
    if change is None:
        raise NotFound(change_id)
    return change


def withdraw(account_id: str, subscription_id: str, change_id: str) -> str:
    """Undo request: withdraws an open change before its effective day. Doing it twice has one effect.

    Returns the kind of the change. Raises ChangeClosed and PaymentPending.
    """
    with transaction() as session:
        subscription = load(account_id, subscription_id, lock=True)
        change = load_change(account_id, subscription_id, change_id)
        facts, now = subscription.facts, ports().clock.now(subscription.account)
        check_withdrawal(subscription, change, now.date())
        if change.closed_at is None:
            session.add_all(outbox.change_undone(subscription, change, now))
            change.closed_at, change.closed_as = now, "withdrawn"
            before, after = {"seats": change.seats}, {"seats": facts.last_paid_seats}
            activity.record(account_id, f"{change.kind}_undone", now, before, after, subscription)
        return change.kind


def check_withdrawal(subscription: Subscription, change: ChangeRow, today: date) -> None:
    """Raises PaymentPending, or ChangeClosed if the change can no longer be withdrawn.

    A withdrawn change is accepted again, unless another change of its kind is open: then the page was out of date.
    """
    facts = subscription.facts
    if facts.held:
        raise SubscriptionHeld
    if facts.payment_pending:
        raise PaymentPending
    if change.closed_as is not None and (change.closed_as != "withdrawn" or facts.change(ChangeKind(change.kind))):
        raise ChangeClosed(change.closed_as)
    if change.closed_as is None and today >= facts.boundary(change.effective_ordinal):
        raise ChangeClosed(None)


def close_change(subscription: Subscription, kind: ChangeKind, closed_as: str, now: datetime) -> None:
    """Closes the open change of a kind, if there is one. The caller holds the transaction."""
    if subscription.facts.change(kind):
        mine = ChangeRow.account_id == subscription.account_id, ChangeRow.subscription_id == subscription.id
        this = update(ChangeRow).where(*mine, ChangeRow.kind == kind, ChangeRow.closed_at.is_(None))
        db.session.execute(this.values(closed_at=now, closed_as=closed_as))


def end_subscription(subscription: Subscription, day: date, now: datetime) -> None:
    """Ends a subscription for good and closes its open changes. The caller holds the transaction.

    `day` is the first day without the subscription.
    """
    this = SubscriptionRow.account_id == subscription.account_id, SubscriptionRow.id == subscription.id
    db.session.execute(update(SubscriptionRow).where(*this).values(ended_on=day))
    close_change(subscription, ChangeKind.CANCELLATION, "applied", now)
    close_change(subscription, ChangeKind.REDUCTION, "superseded", now)
    activity.record(subscription.account_id, "ended", now, {}, {"end": day.isoformat()}, subscription)
