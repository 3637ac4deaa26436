"""A purchase from quote to receipt. Each function is a use case; its transactions are the `with` blocks you see.

Shared rules: identifiers of another account raise LookupError, like those that never existed; a rule that says no
raises a Refusal; the gateway and the directory are asked only between transactions; amounts are cents.
"""

from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import ClassVar, NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy.orm.attributes import set_committed_value

from . import billing, notices
from .db import db, new_id, transaction
from .domain.money import Money
from .domain.periods import Period
from .domain.pricing import TierLine, breakdown, monthly_cost, parse_tiers, period_lines, prorated_line
from .domain.subscription import (
    ChangeKind,
    Plan,
    Refusal,
    Status,
    check_floor,
    may_renew,
    next_seats,
    projected_seats,
    renewal_target,
    status,
)
from .domain.tax import Treatment, tax_on, treatment
from .models import Account, Card, ChangeRow, Payment, PeriodRow, PriceList, Quote, Subscription
from .ports import ActionRequired, Cancelled, Captured, Declined, Outcome, OutcomeUnknown, ports

QUOTE_LIFETIME = timedelta(minutes=30)
SILENCE_MEANS_NO = timedelta(seconds=15)  # three time-outs: a charge that the gateway never heard of is given up


class CardMissing(Refusal):
    """There is nothing to charge."""

    status = 422


class CardExpired(Refusal):
    status = 422


class QuoteMoved(Refusal):
    """What was quoted is no longer so: nothing was charged, and `fresh` is a new quote for the same seats.

    `changes` maps what moved (seats' price, tax, period, time) to its old and new value; cents, dates or None.
    """

    status: ClassVar[int] = 409

    def __init__(self, fresh: str, changes: dict[str, tuple[object, object]]) -> None:
        self.fresh, self.changes = fresh, changes


def load(account_id: str, subscription_id: str, *, lock: bool = False) -> Subscription:
    """A subscription of this account with all that `facts()` reads."""
    query = (
        select(Subscription)
        .where(Subscription.id == subscription_id, Subscription.account_id == account_id)
        .options(
            joinedload(Subscription.account).joinedload(Account.issuer),
            joinedload(Subscription.price_list),
            selectinload(Subscription.periods),
            selectinload(Subscription.open_changes),
            selectinload(Subscription.pending_payments),
        )
    )
    if lock:
        query = query.with_for_update(of=Subscription).execution_options(populate_existing=True)
    subscription = db.session.scalars(query).one_or_none()
    if subscription is None:
        raise LookupError(subscription_id)
    return subscription


def load_all(account_id: str) -> list[Subscription]:
    ids = db.session.scalars(
        select(Subscription.id)
        .where(Subscription.account_id == account_id)
        .order_by(Subscription.plan, Subscription.id)
    )
    return [load(account_id, subscription_id) for subscription_id in ids.all()]


def load_quote(account_id: str, subscription_id: str, quote_id: str) -> Quote:
    """A quote with its card and attempts; its subscription is loaded as `load` does."""
    query = (
        select(Quote)
        .join(Quote.subscription)
        .where(Quote.id == quote_id, Subscription.id == subscription_id, Subscription.account_id == account_id)
        .options(joinedload(Quote.card), selectinload(Quote.payments))
        .execution_options(populate_existing=True)
    )
    quote = db.session.scalars(query).one_or_none()
    if quote is None:
        raise LookupError(quote_id)
    set_committed_value(quote, "subscription", load(account_id, subscription_id))
    return quote


def captured_payment(quote: Quote) -> Payment | None:
    return next((payment for payment in quote.payments if payment.state == "captured"), None)


def pending_payment(quote: Quote) -> Payment | None:
    return next((payment for payment in quote.payments if payment.state == "pending"), None)


class Summary(NamedTuple):
    """What a tile shows of a subscription today. `renews_on` and `next_total` (with tax): the next unpaid period."""

    subscription: Subscription
    status: Status
    period: Period
    seats: int
    next_seats: int | None
    renews_on: date
    next_total: Money
    renewed_until: date | None
    may_renew: bool
    pending: Payment | None


def summary(subscription: Subscription) -> Summary:
    facts = subscription.facts()
    today = ports().clock.now(subscription.account).date()
    current = facts.current(today)
    net = monthly_cost(subscription.price_list.tiers, projected_seats(facts)) * facts.months
    total = net + tax_on(net, _treatment(subscription.account)).amount
    return Summary(
        subscription=subscription,
        status=status(facts, today),
        period=current,
        seats=facts.seats[current.ordinal],
        next_seats=next_seats(facts, today),
        renews_on=facts.boundary(facts.last_paid + 1),
        next_total=Money(total, subscription.price_list.currency),
        renewed_until=facts.boundary(facts.last_paid + 1) if facts.last_paid > current.ordinal else None,
        may_renew=may_renew(facts, today),
        pending=next(iter(subscription.pending_payments), None),
    )


def _treatment(account: Account) -> Treatment:
    return treatment(account.country, account.vat_number)


class Cost(NamedTuple):
    """What the stepper shows for a number of seats: cents, before tax."""

    lines: tuple[TierLine, ...]
    monthly: int
    months: int
    currency: str
    active_users: int


_s, _p = Subscription.__table__.c, PriceList.__table__.c  # columns, not attributes: no ORM on the hottest path
_cost_inputs = (
    select(_p.tiers, _p.currency, _s.term_months, _s.active_users)
    .join_from(Subscription.__table__, PriceList.__table__)
    .where(
        _s.id == bindparam("subscription_id"),
        _s.account_id == bindparam("account_id"),
        _s.plan == Plan.BUSINESS.value,
        _s.reseller.is_(None),
    )
)


def cost(account_id: str, subscription_id: str, seats: int) -> Cost:
    """The stepper's fragment, asked at every click: one narrow query, for directly bought Business subscriptions."""
    found = db.session.execute(
        _cost_inputs, {"account_id": account_id, "subscription_id": subscription_id}
    ).one_or_none()  # fmt: skip
    if found is None:
        raise LookupError(subscription_id)
    lines = tuple(breakdown(parse_tiers(found.tiers), seats))
    return Cost(lines, sum(line.amount for line in lines), found.term_months, found.currency, found.active_users)


def refresh_active_users(account_id: str, subscription_id: str) -> None:
    """Asks the tenant who is active, before the transaction that compares the answer."""
    tenant = load(account_id, subscription_id).tenant
    db.session.rollback()
    headcount = ports().directory.active_users(tenant)
    with transaction() as session:
        session.execute(
            update(Subscription)
            .where(Subscription.id == subscription_id)
            .values(active_users=headcount.active, active_users_as_of=headcount.as_of)
        )


def quote_renewal(account_id: str, subscription_id: str, seats: int) -> str:
    """Continue on the stepper (renew, step 4): stores what a renewal with `seats` costs; the quote's id."""
    subscription = load(account_id, subscription_id)
    renewal_target(subscription.facts(), ports().clock.now(subscription.account).date())
    refresh_active_users(account_id, subscription_id)
    with transaction() as session:
        subscription = load(account_id, subscription_id, lock=True)
        quote = _renewal_quote(subscription, seats, ports().clock.now(subscription.account))
        session.add(quote)
    return quote.id


def _renewal_quote(subscription: Subscription, seats: int, now: datetime) -> Quote:
    facts, tiers = subscription.facts(), subscription.price_list.tiers
    target = renewal_target(facts, now.date())
    check_floor(facts, seats)
    lines = period_lines(tiers, seats, facts.months)
    if target.days_left is not None:
        monthly = sum(line["monthly"] for line in lines)
        lines = [prorated_line(monthly, seats, facts.months, target.period, target.days_left)]
    net = sum(line["amount"] for line in lines)
    tax = tax_on(net, _treatment(subscription.account))
    return Quote(
        id=new_id(), subscription_id=subscription.id, kind="renewal", ordinal=target.period.ordinal, seats=seats,
        months=facts.months, price_list_id=subscription.price_list_id, lines=lines,
        currency=subscription.price_list.currency, net=net, tax=tax.amount, total=net + tax.amount,
        tax_treatment=tax.treatment, tax_rate=tax.rate, created_at=now, expires_at=now + QUOTE_LIFETIME,
    )  # fmt: skip


def choose_card(account_id: str, subscription_id: str, quote_id: str, card_id: str | None) -> None:
    """Continue on the payment page (renew, step 6). Raises CardMissing, CardExpired."""
    with transaction() as session:
        quote = load_quote(account_id, subscription_id, quote_id)
        card = session.scalars(
            select(Card).where(Card.id == card_id, Card.account_id == account_id)
        ).one_or_none()  # fmt: skip
        _check_card(card, ports().clock.now(quote.subscription.account))
        if not pending_payment(quote) and not captured_payment(quote):
            quote.card = card


def _check_card(card: Card | None, now: datetime) -> Card:
    if card is None:
        raise CardMissing
    if card.expired(now.date()):
        raise CardExpired
    return card


def pay(account_id: str, subscription_id: str, quote_id: str, attempt: int, return_url: str) -> Payment:
    """Pay (renew, step 8): charges exactly the quote, once, and says what became of it.

    `attempt` is the number that the overview offered: sent again, it answers as it did the first time, and a quote
    that was paid answers with that payment for ever. Raises QuoteMoved, CardMissing, CardExpired and the refusals of
    a renewal. An unknown outcome is a payment that is still pending.
    """
    if len(load_quote(account_id, subscription_id, quote_id).payments) < attempt:
        refresh_active_users(account_id, subscription_id)
    with transaction() as session:
        load(account_id, subscription_id, lock=True)
        quote = load_quote(account_id, subscription_id, quote_id)
        payment = _answered(quote, attempt)
        fresh, changes = (None, {}) if payment else _compare(quote)
        if fresh is not None:
            session.add(fresh)
        elif payment is None:
            payment = _claim(quote)
            session.add(payment)
    if fresh is not None:
        raise QuoteMoved(fresh.id, changes)
    assert payment is not None  # noqa: S101  one of the three was made above
    if payment.state == "pending":
        key, token, money = payment.key, payment.card_token, quote.money
        db.session.rollback()
        with suppress(OutcomeUnknown):  # it stays pending: the page says so, and the sweep finds out
            settle(key, ports().gateway.charge(key, token, money, return_url))
    return find_payment(payment.key)


def _answered(quote: Quote, attempt: int) -> Payment | None:
    """The attempt that already answers this request, if any."""
    settled = captured_payment(quote) or pending_payment(quote)
    return settled or (quote.payments[attempt - 1] if attempt <= len(quote.payments) else None)


def _compare(quote: Quote) -> tuple[Quote | None, dict[str, tuple[object, object]]]:
    """A fresh quote and what changed, where the stored one is no longer what Pay should charge."""
    subscription = quote.subscription
    now = ports().clock.now(subscription.account)
    fresh = _renewal_quote(subscription, quote.seats, now)
    fresh.card_id = _check_card(quote.card, now).id
    changes: dict[str, tuple[object, object]] = {
        name: (before, after)
        for name in ("ordinal", "net", "tax", "total")
        if (before := getattr(quote, name)) != (after := getattr(fresh, name))
    }
    if quote.expires_at <= now:
        changes["expires_at"] = (quote.expires_at, fresh.expires_at)
    if quote.lines != fresh.lines or quote.tax_treatment != fresh.tax_treatment:
        changes.setdefault("lines", (None, None))
    return (fresh if changes else None), changes


def _claim(quote: Quote) -> Payment:
    """The row that stands before the gateway is asked; two unique indexes let no second one in."""
    attempt = len(quote.payments) + 1
    card = quote.card
    assert card is not None  # noqa: S101  _compare checked it in this transaction
    return Payment(
        key=f"{quote.id}.{attempt}", quote_id=quote.id, subscription_id=quote.subscription_id, attempt=attempt,
        state="pending", amount=quote.total, currency=quote.currency, card_token=card.token, card_brand=card.brand,
        card_last4=card.last4, created_at=ports().clock.now(quote.subscription.account),
    )  # fmt: skip


def find_payment(key: str) -> Payment:
    return db.session.scalars(
        select(Payment)
        .where(Payment.key == key)
        .options(joinedload(Payment.quote))
        .execution_options(populate_existing=True)
    ).one()


def settle(key: str, outcome: Outcome) -> None:
    """Writes what the gateway said of a payment; a captured one brings its period, invoice and receipt with it."""
    with transaction() as session:
        payment = find_payment(key)
        account_id = session.scalars(
            select(Subscription.account_id).where(Subscription.id == payment.subscription_id)
        ).one()
        subscription = load(account_id, payment.subscription_id, lock=True)
        payment = find_payment(key)
        if payment.state != "pending":
            return
        if isinstance(outcome, ActionRequired):
            payment.action_url = outcome.url
            return
        now = ports().clock.now(subscription.account)
        payment.settled_at = now
        match outcome:
            case Declined(code):
                payment.state, payment.decline_code = "declined", code
            case Cancelled():
                payment.state = "cancelled"
            case Captured():
                payment.state = "captured"
                _renewed(subscription, payment, now)


def _renewed(subscription: Subscription, payment: Payment, now: datetime) -> None:
    quote = payment.quote
    db.session.add(
        PeriodRow(
            subscription_id=subscription.id, ordinal=quote.ordinal, seats=quote.seats,
            price_list_id=quote.price_list_id, source="paid",
        )
    )  # fmt: skip
    db.session.execute(
        update(ChangeRow)
        .where(
            ChangeRow.subscription_id == subscription.id,
            ChangeRow.kind == ChangeKind.REDUCTION,
            ChangeRow.closed_at.is_(None),
        )
        .values(closed_at=now, closed_as="superseded")
    )
    invoice = billing.issue_invoice(subscription, quote, payment, now)
    db.session.add_all(notices.receipts(subscription, invoice, now))


def reconcile(account_id: str, subscription_id: str, quote_id: str) -> None:
    """Asks the gateway what became of a quote's pending payment, and settles it.

    A charge that the gateway never heard of is cancelled there before it is given up, so that it can never be made
    late; so is a 3-D Secure challenge that outlived its quote. Raises OutcomeUnknown while the gateway is silent.
    """
    quote = load_quote(account_id, subscription_id, quote_id)
    payment = pending_payment(quote)
    if payment is None:
        return
    now = ports().clock.now(quote.subscription.account)
    key, expired, silent = payment.key, now >= quote.expires_at, now >= payment.created_at + SILENCE_MEANS_NO
    db.session.rollback()
    outcome = ports().gateway.find(key)
    if (outcome is None and silent) or (isinstance(outcome, ActionRequired) and expired):
        outcome = ports().gateway.cancel(key)
    if outcome is not None:
        settle(key, outcome)


def abandon(account_id: str, subscription_id: str, quote_id: str) -> None:
    """The owner gives up a 3-D Secure challenge: cancelled at the gateway first, then here."""
    payment = pending_payment(load_quote(account_id, subscription_id, quote_id))
    if payment is not None and payment.action_url is not None:
        key = payment.key
        db.session.rollback()
        settle(key, ports().gateway.cancel(key))
