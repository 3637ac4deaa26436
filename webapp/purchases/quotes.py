"""Quotes: the stored price of a renewal or an addition, until it is paid or expires."""

from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import and_, bindparam, select

from ..db import NotFound, db, new_id, transaction
from ..domain.pricing import Line, monthly_cost, period_lines, prorated_line
from ..domain.refusals import CardExpired, CardMissing, NotMoreSeats, Refusal
from ..domain.subscription import challenge_deadline, check_addition, check_floor, renewal_target
from ..domain.tax import amounts
from ..models.cards import Card
from ..models.purchases import Payment, Quote
from ..models.subscriptions import BilledPeriod, Subscription
from ..ports import ports
from ..subscriptions.active_users import current_count, store_count
from ..subscriptions.loading import load

QUOTE_LIFETIME = timedelta(minutes=30)


def load_quote(account_id: str, subscription_id: str, quote_id: str, *, lock: bool = False) -> Quote:
    """A quote with its card, its payments and its subscription. Raises NotFound.

    `lock` keeps others from changing the subscription.
    """
    subscription = load(account_id, subscription_id, lock=lock)
    rows = db.session.execute(_quote_with_payments, {"of_account": account_id, "of_quote": quote_id}).all()
    if not rows or rows[0].Quote.subscription_id != subscription_id:
        raise NotFound(quote_id)
    quote: Quote = rows[0].Quote
    quote.subscription, quote.card = subscription, rows[0].Card
    quote.payments = [row.Payment for row in rows if row.Payment is not None]
    for payment in quote.payments:
        payment.quote = quote
    return quote


# A row for each attempt to pay the quote, and one without a payment if there was none.
_quote_with_payments = (
    select(Quote, Card, Payment)
    .outerjoin(Card, and_(Card.account_id == Quote.account_id, Card.id == Quote.card_id))
    .outerjoin(Payment, and_(Payment.account_id == Quote.account_id, Payment.quote_id == Quote.id))
    .where(Quote.account_id == bindparam("of_account"), Quote.id == bindparam("of_quote"))
    .order_by(Payment.attempt)
    .execution_options(populate_existing=True)
)


def quote_renewal(account_id: str, subscription_id: str, seats: int) -> str:
    """Continue on the stepper (renew, step 4): stores the quote of a renewal with `seats`. Returns its id.

    Raises NotFound, ActiveUsersUnknown and the refusals of a renewal.
    """
    return _store_quote(account_id, subscription_id, "renewal", seats)


def quote_addition(account_id: str, subscription_id: str, seats: int) -> str:
    """Continue on the stepper (add): stores the quote for raising the seats to `seats` today. Returns its id.

    Raises NotFound and the refusals of an addition.
    """
    return _store_quote(account_id, subscription_id, "addition", seats)


def _store_quote(account_id: str, subscription_id: str, kind: str, seats: int) -> str:
    subscription = load(account_id, subscription_id)
    CHECKS[kind](subscription.facts, ports().clock.now(subscription.account).date())
    counted = current_count(subscription, needed=needs_count(kind))
    with transaction(commits_at=Refusal) as session:
        subscription = store_count(load(account_id, subscription_id, lock=True), counted)
        quote = draft(subscription, kind, seats, ports().clock.now(subscription.account))
        session.add(quote)
    return quote.id


def needs_count(kind: str) -> bool:
    """Whether the active users must be known. An addition has no floor."""
    return kind == "renewal"


def draft(subscription: Subscription, kind: str, seats: int, now: datetime, automatic: bool = False) -> Quote:
    """A quote by today's facts, not stored. Raises Refusal."""
    if kind == "addition":
        priced = _price_addition(subscription, seats, now)
    else:
        priced = _price_renewal(subscription, seats, now, automatic)
    totals = amounts((line["amount"] for line in priced.lines), subscription.account.tax_terms)
    quote = Quote(
        account_id=subscription.account_id,
        id=new_id(),
        subscription_id=subscription.id,
        kind=kind,
        ordinal=priced.ordinal,
        seats=seats,
        months=subscription.term_months,
        price_list_id=priced.price_list_id,
        lines=priced.lines,
        currency=subscription.currency,
        **totals._asdict(),
        buyer=subscription.account.buyer,
        automatic=automatic,
        created_at=now,
        expires_at=priced.expires_at,
    )
    quote.subscription, quote.card, quote.payments = subscription, None, []
    return quote


class Priced(NamedTuple):
    """The parts of a quote that depend on its kind."""

    ordinal: int
    price_list_id: str
    lines: list[Line]
    expires_at: datetime


def _price_renewal(subscription: Subscription, seats: int, now: datetime, automatic: bool) -> Priced:
    """The whole period, or the rest of it after a lapse, at the prices of its first day.

    An automatic renewal keeps the confirmed seats, even if more users are active. Its quote expires when the owner can
    no longer confirm the payment.
    """
    facts = subscription.facts
    target = renewal_target(facts, now.date())
    if not automatic:
        check_floor(facts, seats)
    prices = subscription.prices_on(target.period.start)
    lines = period_lines(prices.tiers, seats, facts.months)
    if target.days_left is not None:
        monthly = monthly_cost(prices.tiers, seats)
        lines = [prorated_line(monthly, seats, facts.months, target.period, target.days_left)]
    expires_at = _midnight(subscription, challenge_deadline(now.date())) if automatic else now + QUOTE_LIFETIME
    return Priced(target.period.ordinal, prices.id, lines, expires_at)


def _price_addition(subscription: Subscription, seats: int, now: datetime) -> Priced:
    """The price difference for the days left of the current period, today included.

    If the next period is paid already, it is raised too, for all its days. A period that has `seats` or more stays as
    it is. Each period is priced at its own price list. The quote expires at midnight, since the days left change then.
    """
    facts, today = subscription.facts, now.date()
    check_addition(facts, today)
    current = facts.current(today)
    if seats <= facts.seats[current.ordinal]:
        raise NotMoreSeats(facts.seats[current.ordinal])
    rows = periods_to_raise(subscription, current.ordinal, seats)
    lines = addition_lines(subscription, rows, seats, today)
    midnight = _midnight(subscription, today + timedelta(days=1))
    return Priced(current.ordinal, rows[0].price_list.id, lines, min(now + QUOTE_LIFETIME, midnight))


def addition_lines(subscription: Subscription, rows: list[BilledPeriod], seats: int, today: date) -> list[Line]:
    """The price of raising these periods to `seats` on that day, one line for each."""
    facts, lines = subscription.facts, []
    for row in rows:
        tiers, period = row.price_list.tiers, facts.period(row.ordinal)
        monthly = monthly_cost(tiers, seats) - monthly_cost(tiers, row.seats)
        days_left = (period.end - max(today, period.start)).days
        lines.append(prorated_line(monthly, seats - row.seats, facts.months, period, days_left))
    return lines


def _midnight(subscription: Subscription, day: date) -> datetime:
    """The moment at which the day begins in the account's zone."""
    return datetime.combine(day, time(), ZoneInfo(subscription.account.zone))


def periods_to_raise(subscription: Subscription, since: int, seats: int) -> list[BilledPeriod]:
    """The paid periods, from ordinal `since` on, that have fewer than `seats`."""
    return [row for row in subscription.periods if row.ordinal >= since and row.seats < seats]


CHECKS = {"renewal": renewal_target, "addition": check_addition}


def choose_card(account_id: str, subscription_id: str, quote_id: str, card_id: str | None) -> None:
    """Continue on the payment page (renew, step 6). Raises NotFound, CardMissing and CardExpired."""
    with transaction() as session:
        quote = load_quote(account_id, subscription_id, quote_id, lock=True)
        card = session.scalars(select(Card).where(Card.account_id == account_id, Card.id == card_id)).one_or_none()
        if card_id and card is None:
            raise NotFound(card_id)
        card = check_card(card, ports().clock.now(quote.subscription.account))
        if quote.unrefused is None:
            quote.card_id = card.id


def check_card(card: Card | None, now: datetime) -> Card:
    """The card, if it can be charged today. Raises CardMissing or CardExpired."""
    if card is None:
        raise CardMissing
    if card.expired(now.date()):
        raise CardExpired
    return card
