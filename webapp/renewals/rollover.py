"""The sweep: brings what time has made due up to date. Safe to run at any moment, twice, on several machines at once,
and to stop anywhere: what is half done is a committed pending payment, and the next sweep asks what became of it.
"""

import logging
from collections import Counter
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy import func, insert, select

from .. import urls
from ..db import db, transaction
from ..domain.subscription import Due, Facts, due, projected_seats
from ..domain.subscription import notices as notice_days
from ..mail import outbox
from ..models.accounts import Account
from ..models.mail import Message
from ..models.purchases import Payment, Quote
from ..models.restores import UnbookedCapture
from ..models.subscriptions import PeriodRow, Quiet, Subscription
from ..ports import Headcount, OutcomeUnknown, ports
from ..purchases import hold, payments, quotes, wallet
from ..purchases.captures import AUTOMATIC
from ..subscriptions import active_users, loading, service, summary

log = logging.getLogger(__name__)
Key = tuple[str, str]  # account, subscription
Done = Counter[str]  # how often each of these happened, and how many subscriptions were "seen"

SETTLED = {"captured": "renewed", "declined": "refused", "cancelled": "given up"}
OUTCOMES = (*SETTLED.values(), "external", "ended", "waiting", "silent", "refunded", "not refunded", "failed")


def write_quiet(days: dict[str, date | None]) -> None:
    rows = [{"subscription_id": key, "until": until} for key, until in days.items() if until is not None]
    if rows:
        db.session.execute(insert(Quiet), rows)


def roll_over(key: Key, asks: bool = True, counts: bool = True) -> Done:
    """Period by period, in order, until nothing is due or something must be waited for.

    `asks`: the gateway; `counts`: the active users, at their tenant.
    """
    done = Done()
    while (outcome := _step(key, asks, counts, done)) is not None:
        done[outcome] += 1
        if outcome in ("waiting", "silent"):
            break
    return done


def _step(key: Key, asks: bool, counts: bool, done: Done) -> str | None:
    """Does the one thing that is due, or asks what became of it; None when nothing is."""
    claimed, quote_id, new_quote, tenant = None, None, "", ""
    with transaction() as session:
        subscription = loading.load(*key, lock=True)
        if subscription.held or hold.payments_held():
            return None
        now = ports().clock.now(subscription.account)
        what, day = due(subscription.facts(), now.date()) or (None, date.max)
        if now.date() < day:
            session.add_all(notices_to_write(subscription, now))
        if subscription.pending_payments:
            quote_id = subscription.pending_payments[0].quote_id
        elif now.date() < day:
            write_quiet({subscription.id: next_due_day(subscription.facts(), now.date())})
            return None
        elif what is Due.END:
            service.end(subscription, day, now)
            session.add_all(outbox.ended(subscription, day, now))
            return "ended"
        elif what is Due.EXTERNAL:
            session.add(_external_period(subscription))
            return "external"
        elif asks:
            (claimed, new_quote), tenant = _claim(subscription, now), subscription.tenant
        else:
            return None
    if quote_id is not None:
        return _reconciled(key, quote_id) if asks else None
    if claimed is None:
        return "refused"
    back = {"subscription_id": key[1], "quote_id": new_quote, "procedure": "renew"}
    return_url = urls.public_url("purchase.authenticated", **back)  # if the bank wants to know its customer
    counted = _counted(tenant) if counts else None
    done["uncounted"] += counts and counted is None
    return _outcome(payments.charge(claimed, return_url, counted))


def _counted(tenant: str) -> Headcount | None:
    """Who is active as the period begins, for the warning; a directory that does not answer holds nothing up.

    Then the warning goes by what it told last: the confirmed number of seats is renewed in any case.
    """
    try:
        return active_users.headcount(tenant)
    except Exception:
        log.exception("the active users of tenant %s were not counted", tenant)
        return None
    finally:
        db.session.rollback()


def _outcome(payment: Payment) -> str:
    if payment.state == "pending":
        return "waiting" if payment.action_url else "silent"
    return SETTLED[payment.state]


def _reconciled(key: Key, quote_id: str) -> str:
    """What became of a payment in flight, after asking the gateway."""
    try:
        payments.reconcile(*key, quote_id)
        silent = False
    except OutcomeUnknown:
        silent = True
    payment = quotes.load_quote(*key, quote_id).payments[-1]
    if payment.state != "pending":
        return _outcome(payment)
    waited = payments.waiting_for(payment, loading.load(*key).account)
    if waited >= payments.LONG_PENDING:
        log.error("payment %s has been pending for %s: look it up at the gateway", payment.key, waited)
    return "silent" if silent else "waiting"


def _external_period(subscription: Subscription) -> PeriodRow:
    facts = subscription.facts()
    return PeriodRow(
        subscription_id=subscription.id,
        ordinal=facts.last_paid + 1,
        seats=projected_seats(facts),
        price_list_id=subscription.price_list_id,
        source="external",
    )


def _claim(subscription: Subscription, now: datetime) -> tuple[str | None, str]:
    """A pending payment for the period that is due, with the default card: its key, None if it was refused without
    asking; and its quote."""
    facts = subscription.facts()
    quote = quotes.draft(subscription, "renewal", projected_seats(facts), now, automatic=True)
    quote.subscription, quote.payments = subscription, []
    quote.card = wallet.default_card(subscription.account_id)
    db.session.add(quote)
    payment = payments.claim(quote, now, _automatic_key(subscription, quote.ordinal))
    payment.quote = quote
    db.session.add(payment)
    db.session.flush()
    if quote.card is not None and not quote.card.expired(now.date()):
        return payment.key, quote.id
    code = "no_card" if quote.card is None else "expired_card"
    payments.refuse(subscription, payment, code, now)
    return None, quote.id


def _automatic_key(subscription: Subscription, ordinal: int) -> str:
    """Follows from what is paid and how often the sweep tried before, so that a restored database asks the gateway
    about the charge that was made already. A key whose capture a person had to settle is not used again."""
    attempts = (
        select(func.count())
        .select_from(Payment)
        .join(Quote, Quote.id == Payment.quote_id)
        .where(Payment.subscription_id == subscription.id, Payment.attempt == 1)
        .where(Quote.automatic, Quote.ordinal == ordinal)
    )
    stem = f"{AUTOMATIC}{subscription.account_id}-{subscription.id}-{ordinal}"
    of_it = UnbookedCapture.account_id == subscription.account_id, UnbookedCapture.subscription_id == subscription.id
    settled = set(db.session.scalars(select(UnbookedCapture.key).where(*of_it)))
    attempt = db.session.scalars(attempts).one() + 1
    while f"{stem}-{attempt}" in settled:
        attempt += 1
    return f"{stem}-{attempt}"


def notices_to_write(subscription: Subscription, now: datetime) -> list[Message]:
    """What is to be told before a renewal, once for each period and number of days ahead; late is better than never."""
    facts = subscription.facts()
    days = [ahead for day, ahead in notice_days(facts) if day <= now.date() < facts.boundary(facts.last_paid + 1)]
    if not days:
        return []
    return outbox.before_renewal(subscription, min(days), summary.renewal_total(subscription), now)


def next_event(account_id: str) -> datetime | None:
    """The next instant, in the account's zone, at which a sweep would do something; for clocks that are moved."""
    account = db.session.get_one(Account, account_id)
    now = ports().clock.now(account)
    days = [day for subscription in loading.load_all(account_id) for day in _days(subscription.facts(), now.date())]
    midnights = [datetime.combine(day, time(), ZoneInfo(account.zone)) for day in days if day > now.date()]
    waiting = db.session.scalars(
        select(Quote.expires_at)
        .join(Payment, Payment.quote_id == Quote.id)
        .join(Subscription, Subscription.id == Quote.subscription_id)
        .where(Subscription.account_id == account_id, Payment.state == "pending", Quote.expires_at > now)
    ).all()
    return min([*midnights, *waiting], default=None)


def next_due_day(facts: Facts, today: date) -> date | None:
    """The first day after today on which something is due or to be told."""
    return min((day for day in _days(facts, today) if day > today), default=None)


def _days(facts: Facts, today: date) -> list[date]:
    found = due(facts, today)
    return ([found[1]] if found else []) + [day for day, _ in notice_days(facts)]
