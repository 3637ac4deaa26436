"""The sweep: brings what time has made due up to date. Safe to run at any moment, twice, on several machines at once,
and to stop anywhere: what is half done is a committed pending payment, and the next sweep asks what became of it.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import Select, delete, func, insert, select

from . import billing, credit_notes, mails, notices, purchase, service
from .db import db, new_id, transaction
from .domain.subscription import Due, Facts, due, projected_seats
from .domain.subscription import notices as notice_days
from .models import Account, Payment, PeriodRow, Quiet, Quote, Subscription
from .ports import Headcount, OutcomeUnknown, ports
from .records import Message

log = logging.getLogger(__name__)
Key = tuple[str, str]  # account, subscription
Done = Counter[str]  # how often each of these happened, and how many subscriptions were "seen"

SETTLED = {"captured": "renewed", "declined": "refused", "cancelled": "given up"}
OUTCOMES = (*SETTLED.values(), "external", "ended", "waiting", "silent", "refunded", "not refunded", "failed")
PAGE = 200  # subscriptions that are looked at together
LOOK_AGAIN = timedelta(seconds=20)  # in a long sweep, how often payments of unknown outcome are asked for
SILENCES = 3  # in a row, after which a sweep begins no more payments: the gateway is down


def sweep(account_id: str | None = None) -> int:
    """Rolls over every subscription, or one account's; how many failed. One that fails does not stop the others."""
    return sum(done["failed"] for done in swept(account_id))


def to_look_at(account_id: str | None = None) -> int:
    """How many subscriptions a sweep will look at."""
    count = db.session.scalars(select(func.count()).select_from(_unquiet(account_id).subquery())).one()
    db.session.rollback()
    return count


def swept(account_id: str | None = None, threads: int = 1) -> Iterator[Done]:
    """Sweeps, and tells what was done, subscription by subscription. Memory is that of one page.

    Payments of unknown outcome come first, and again in a long sweep: they are settled within a minute of the
    gateway's recovery. `threads` is how many subscriptions are rolled over at a time, as most of it is waiting.
    """
    looked = None
    gateway = Patience()
    yield from _refunds(account_id)
    with _spread(threads) as spread:
        for keys in _pages(account_id):
            now = ports().clock.system_now()
            if looked is None or now - looked >= LOOK_AGAIN:
                yield from spread(Patience().roll_over, _pending(account_id))
                looked = now
            yield Done(seen=sum(not is_due for _, is_due in keys))
            for done in spread(gateway.roll_over, [key for key, is_due in keys if is_due]):
                yield done + Done(seen=1)


@contextmanager
def _spread(threads: int) -> Iterator[Callable[[Callable[[Key], Done], list[Key]], Iterable[Done]]]:
    """`map`, over so many threads, each call with a database session of its own."""
    if threads == 1:
        yield map
        return
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    with ThreadPoolExecutor(threads) as pool:

        def spread(call: Callable[[Key], Done], keys: list[Key]) -> Iterable[Done]:
            def called(key: Key) -> Done:
                with app.app_context():
                    return call(key)

            return pool.map(called, keys)

        yield spread


class Patience:
    """Rolls over; after a few silences in a row it begins no more payments, and asks for no more outcomes. Nor does
    it ask tenants who is active, when as many in a row did not answer."""

    def __init__(self) -> None:
        self.silences = self.uncounted = 0

    def roll_over(self, key: Key) -> Done:
        try:
            done = roll_over(key, asks=self.silences < SILENCES, counts=self.uncounted < SILENCES)
        except Exception:
            log.exception("subscription %s was not rolled over", key[1])
            db.session.rollback()
            return Done(failed=1)
        if done["uncounted"]:
            self.uncounted += 1
        elif done["renewed"] and self.uncounted < SILENCES:
            self.uncounted = 0
        if done["silent"]:
            self.silences += 1
        elif any(done[answer] for answer in SETTLED.values()):
            self.silences = 0
        return done


def _refunds(account_id: str | None) -> Iterator[Done]:
    """Asks what became of refunds whose outcome is unknown, up to a page of them, and until the gateway is silent."""
    silences = 0
    for key in credit_notes.pending(account_id, PAGE):
        try:
            state = credit_notes.settled(key)
        except Exception:
            log.exception("refund %s was not settled", key)
            db.session.rollback()
            yield Done(failed=1)
            continue
        silences = silences + 1 if state == "pending" else 0
        yield Done({{"made": "refunded", "refused": "not refunded", "pending": "silent"}[state]: 1})
        if silences == SILENCES:
            return


def _pending(account_id: str | None) -> list[Key]:
    """Whose payment's outcome is unknown, in no order, so that none keeps the others waiting for ever."""
    query = _live(account_id).join(Payment).where(Payment.state == "pending").order_by(func.random())
    keys = db.session.execute(query.with_only_columns(Subscription.account_id, Subscription.id)).all()
    db.session.rollback()
    return [(account, subscription) for account, subscription in keys]


def _live(account_id: str | None) -> Select[Subscription]:
    query = select(Subscription).where(Subscription.ended_on.is_(None))
    return query if account_id is None else query.where(Subscription.account_id == account_id)


def _unquiet(account_id: str | None) -> Select[Subscription]:
    day = ports().clock.latest_day(account_id)
    quiet = select(Quiet).where(Quiet.subscription_id == Subscription.id, Quiet.until > day)
    return _live(account_id).where(~quiet.exists())


def _pages(account_id: str | None) -> Iterator[list[tuple[Key, bool]]]:
    """Every subscription that is not quiet once, and whether something is due: from anywhere on and around, so that
    machines that sweep at once mostly work apart.
    """
    start = new_id()
    for bounds, last in ((Subscription.id > start, start), (Subscription.id <= start, "")):
        query = _unquiet(account_id).where(bounds).order_by(Subscription.id).limit(PAGE)
        while ids := db.session.scalars(query.where(Subscription.id > last).with_only_columns(Subscription.id)).all():
            yield _looked_at(ids)
            last = ids[-1]
        db.session.rollback()


def _looked_at(ids: Sequence[str]) -> list[tuple[Key, bool]]:
    """What is quiet is written down. No transaction and no row outlives the look."""
    keys, days = [], {}
    query = select(Subscription).where(Subscription.id.in_(ids)).order_by(Subscription.id).options(*service.LOADED)
    with transaction() as session:
        for found in session.scalars(query.with_for_update(of=Subscription, key_share=True)).all():
            is_due, until = _look(found)
            keys.append(((found.account_id, found.id), is_due))
            days[found.id] = until
        session.expunge_all()
        session.execute(delete(Quiet).where(Quiet.subscription_id.in_(days)))
        _write_quiet(days)
    return keys


def _write_quiet(days: dict[str, date | None]) -> None:
    rows = [{"subscription_id": key, "until": until} for key, until in days.items() if until is not None]
    if rows:
        db.session.execute(insert(Quiet), rows)


def _look(subscription: Subscription) -> tuple[bool, date | None]:
    """Whether there is anything to do, and else until when not; who waits for the gateway is not asked for here."""
    try:
        facts, now = subscription.facts(), ports().clock.now(subscription.account)
        if facts.payment_pending:
            return False, None
        found = due(facts, now.date())
        if (found is not None and found[1] <= now.date()) or _untold(subscription, now):
            return True, None
        return False, _next_day(facts, now.date())
    except Exception:
        return True, None  # it fails again, by itself, and is reported


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
    claimed, quote_id, tenant = None, None, ""
    with transaction() as session:
        subscription = service.load(*key, lock=True)
        now = ports().clock.now(subscription.account)
        what, day = due(subscription.facts(), now.date()) or (None, date.max)
        if now.date() < day:
            session.add_all(_untold(subscription, now))
        if subscription.pending_payments:
            quote_id = subscription.pending_payments[0].quote_id
        elif now.date() < day:
            _write_quiet({subscription.id: _next_day(subscription.facts(), now.date())})
            return None
        elif what is Due.END:
            service.end(subscription, day, now)
            session.add_all(notices.ended(subscription, day, now))
            return "ended"
        elif what is Due.EXTERNAL:
            session.add(_external_period(subscription))
            return "external"
        elif asks:
            claimed, tenant = _claim(subscription, now), subscription.tenant
        else:
            return None
    if quote_id is not None:
        return _reconciled(key, quote_id) if asks else None
    if claimed is None:
        return "refused"
    back = {"subscription_id": key[1], "quote_id": claimed.rpartition(".")[0], "procedure": "renew"}
    return_url = mails.public_url("purchase.authenticated", **back)  # if the bank wants to know its customer
    counted = _counted(tenant) if counts else None
    done["uncounted"] += counts and counted is None
    return _outcome(purchase.charge(claimed, return_url, counted))


def _counted(tenant: str) -> Headcount | None:
    """Who is active as the period begins, for the warning; a directory that does not answer holds nothing up.

    Then the warning goes by what it told last: the confirmed number of seats is renewed in any case.
    """
    try:
        return service.headcount(tenant)
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
        purchase.reconcile(*key, quote_id)
        silent = False
    except OutcomeUnknown:
        silent = True
    payment = purchase.load_quote(*key, quote_id).payments[-1]
    if payment.state != "pending":
        return _outcome(payment)
    waited = purchase.waiting_for(payment, service.load(*key).account)
    if waited >= purchase.LONG_PENDING:
        log.error("payment %s has been pending for %s: look it up at the gateway", payment.key, waited)
    return "silent" if silent else "waiting"


def _external_period(subscription: Subscription) -> PeriodRow:
    facts = subscription.facts()
    return PeriodRow(
        subscription_id=subscription.id, ordinal=facts.last_paid + 1, seats=projected_seats(facts),
        price_list_id=subscription.price_list_id, source="external",
    )  # fmt: skip


def _claim(subscription: Subscription, now: datetime) -> str | None:
    """A pending payment for the period that is due, with the default card; None if that was refused without asking."""
    facts = subscription.facts()
    quote = purchase.draft(subscription, "renewal", projected_seats(facts), now, automatic=True)
    quote.subscription, quote.payments = subscription, []
    quote.card = billing.default_card(subscription.account_id)
    db.session.add(quote)
    payment = purchase.claim(quote, now)
    payment.quote = quote
    db.session.add(payment)
    db.session.flush()
    if quote.card is not None and not quote.card.expired(now.date()):
        return payment.key
    code = "no_card" if quote.card is None else "expired_card"
    purchase.refuse(subscription, payment, code, now)
    return None


def _untold(subscription: Subscription, now: datetime) -> list[Message]:
    """What is to be told before a renewal, once for each period and number of days ahead; late is better than never."""
    facts = subscription.facts()
    days = [ahead for day, ahead in notice_days(facts) if day <= now.date() < facts.boundary(facts.last_paid + 1)]
    if not days:
        return []
    return notices.before_renewal(subscription, min(days), service.renewal_total(subscription), now)


def next_event(account_id: str) -> datetime | None:
    """The next instant, in the account's zone, at which a sweep would do something; for clocks that are moved."""
    account = db.session.get_one(Account, account_id)
    now = ports().clock.now(account)
    days = [day for subscription in service.load_all(account_id) for day in _days(subscription.facts(), now.date())]
    midnights = [datetime.combine(day, time(), ZoneInfo(account.zone)) for day in days if day > now.date()]
    waiting = db.session.scalars(
        select(Quote.expires_at)
        .join(Payment, Payment.quote_id == Quote.id)
        .join(Subscription, Subscription.id == Quote.subscription_id)
        .where(Subscription.account_id == account_id, Payment.state == "pending", Quote.expires_at > now)
    ).all()
    return min([*midnights, *waiting], default=None)


def _next_day(facts: Facts, today: date) -> date | None:
    """The first day after today on which something is due or to be told."""
    return min((day for day in _days(facts, today) if day > today), default=None)


def _days(facts: Facts, today: date) -> list[date]:
    found = due(facts, today)
    return ([found[1]] if found else []) + [day for day, _ in notice_days(facts)]
