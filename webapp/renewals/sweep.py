"""The sweep: finds the subscriptions for which something is due and rolls each of them over."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from typing import NamedTuple, TypeVar

from flask import current_app
from sqlalchemy import Select, delete, func, select

from ..db import db, new_id, transaction
from ..domain.subscription import due
from ..models.purchases import Payment
from ..models.subscriptions import Quiet, Subscription
from ..ports import ports
from ..purchases import detachments, hold, refunds
from ..subscriptions import loading
from .rollover import (
    PAYMENT_OUTCOMES,
    SubscriptionKey,
    Tally,
    next_due_day,
    notices_to_write,
    roll_over,
    write_quiet,
)

log = logging.getLogger(__name__)
Key = TypeVar("Key")
PAGE = 200  # subscriptions that are checked in one transaction
ASK_AGAIN = timedelta(seconds=20)  # how often a long sweep asks for the outcomes of pending payments
SILENCES = 3  # unanswered requests in a row, after which the gateway or the tenants are taken to be down


def sweep(account_id: str | None = None) -> int:
    """Rolls over every subscription, or those of one account. Returns how many failed; a failure stops no other."""
    return sum(tally["failed"] for tally in run(account_id))


def count_to_check(account_id: str | None = None) -> int:
    """How many subscriptions a sweep will check."""
    count = db.session.scalars(select(func.count()).select_from(_unquiet(account_id).subquery())).one()
    db.session.rollback()
    return count


def run(account_id: str | None = None, threads: int = 1) -> Iterator[Tally]:
    """Sweeps, and yields a tally after each step. It holds one page of subscriptions in memory.

    Pending payments come first, and again in a long sweep, so they are settled within a minute of the gateway's
    recovery. `threads` subscriptions are rolled over at a time, since most of the time is spent waiting.
    """
    if hold.payments_held():
        log.warning("Payments are paused, because a copy was restored. Run: my-qlik-portal restored")
        return
    db.session.rollback()
    asked_at = None
    patience = Patience()
    yield from _until_silent(_check_refund, refunds.pending_keys(account_id, PAGE), "refund")
    yield from _until_silent(detachments.detach, detachments.open_keys(account_id, PAGE), "detachment")
    with _parallel_map(threads) as parallel_map:
        for page in _pages(account_id):
            now = ports().clock.system_now()
            if asked_at is None or now - asked_at >= ASK_AGAIN:
                yield from parallel_map(Patience().roll_over, _keys_of_pending(account_id))
                asked_at = now
            yield Tally(seen=sum(not checked.is_due for checked in page))
            for tally in parallel_map(patience.roll_over, [checked.key for checked in page if checked.is_due]):
                yield tally + Tally(seen=1)


@contextmanager
def _parallel_map(
    threads: int,
) -> Iterator[Callable[[Callable[[SubscriptionKey], Tally], list[SubscriptionKey]], Iterable[Tally]]]:
    """`map` over `threads` threads. Each call has its own database session."""
    if threads == 1:
        yield map
        return
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    with ThreadPoolExecutor(threads) as pool:

        def parallel_map(call: Callable[[SubscriptionKey], Tally], keys: list[SubscriptionKey]) -> Iterable[Tally]:
            def call_in_context(key: SubscriptionKey) -> Tally:
                with app.app_context():
                    return call(key)

            return pool.map(call_in_context, keys)

        yield parallel_map


class Patience:
    """Rolls subscriptions over, and stops asking a service that is down.

    After SILENCES in a row it begins no more payments and asks for no more outcomes. After as many tenants in a row
    that do not answer, it asks no more tenants.
    """

    def __init__(self) -> None:
        self.silences = self.uncounted = 0

    def roll_over(self, key: SubscriptionKey) -> Tally:
        try:
            tally = roll_over(
                key,
                ask_gateway=self.silences < SILENCES,
                ask_tenant=self.uncounted < SILENCES,
            )
        except Exception:
            log.exception("subscription %s was not rolled over", key.subscription_id)
            db.session.rollback()
            return Tally(failed=1)
        if tally["uncounted"]:
            self.uncounted += 1
        elif tally["renewed"] and self.uncounted < SILENCES:
            self.uncounted = 0
        if tally["silent"]:
            self.silences += 1
        elif any(tally[outcome] for outcome in PAYMENT_OUTCOMES.values()):
            self.silences = 0
        return tally


REFUND_OUTCOMES = {"made": "refunded", "refused": "not refunded", "pending": "silent"}  # by the refund's state


def _check_refund(key: str) -> str:
    return REFUND_OUTCOMES[refunds.check(key)]


def _until_silent(ask: Callable[[Key], str | None], keys: list[Key], what: str) -> Iterator[Tally]:
    """Calls `ask` with each key and yields the outcomes, until the gateway is silent SILENCES times in a row."""
    silences = 0
    for key in keys:
        try:
            outcome = ask(key)
        except Exception:
            log.exception("%s %s was not settled", what, key)
            db.session.rollback()
            yield Tally(failed=1)
            continue
        if outcome is None:
            continue
        silences = silences + 1 if outcome == "silent" else 0
        yield Tally({outcome: 1})
        if silences == SILENCES:
            return


def _keys_of_pending(account_id: str | None) -> list[SubscriptionKey]:
    """Subscriptions with a pending payment, in random order, so that a stuck one cannot block the others for ever."""
    query = _live(account_id).join(Payment).where(Payment.state == "pending").order_by(func.random())
    rows = db.session.execute(query.with_only_columns(Subscription.account_id, Subscription.id)).all()
    db.session.rollback()
    return [SubscriptionKey(*row) for row in rows]


def _live(account_id: str | None) -> Select[Subscription]:
    query = select(Subscription).where(Subscription.ended_on.is_(None))
    return query if account_id is None else query.where(Subscription.account_id == account_id)


def _unquiet(account_id: str | None) -> Select[Subscription]:
    """The subscriptions that need a check today (see Quiet)."""
    day = ports().clock.latest_day(account_id)
    quiet = select(Quiet).where(Quiet.subscription_id == Subscription.id, Quiet.until > day)
    return _live(account_id).where(~quiet.exists())


class Checked(NamedTuple):
    key: SubscriptionKey
    is_due: bool


def _pages(account_id: str | None) -> Iterator[list[Checked]]:
    """Checks each subscription that needs it, once, page by page.

    It begins at a random id and wraps around, so machines that sweep at the same time mostly work on different pages.
    """
    start = new_id()
    for bounds, last in ((Subscription.id > start, start), (Subscription.id <= start, "")):
        query = _unquiet(account_id).where(bounds).order_by(Subscription.id).limit(PAGE)
        while ids := db.session.scalars(query.where(Subscription.id > last).with_only_columns(Subscription.id)).all():
            yield _check_page(ids)
            last = ids[-1]
        db.session.rollback()


def _check_page(ids: Sequence[str]) -> list[Checked]:
    """Whether each of these is due; writes until when the others are quiet. No row stays loaded."""
    page, days = [], {}
    query = select(Subscription).where(Subscription.id.in_(ids)).order_by(Subscription.id).options(*loading.LOADED)
    with transaction() as session:
        for subscription in session.scalars(query.with_for_update(of=Subscription, key_share=True)).all():
            is_due, quiet_until = _check(subscription)
            page.append(Checked(SubscriptionKey(subscription.account_id, subscription.id), is_due))
            days[subscription.id] = quiet_until
        session.expunge_all()
        session.execute(delete(Quiet).where(Quiet.subscription_id.in_(days)))
        write_quiet(days)
    return page


def _check(subscription: Subscription) -> tuple[bool, date | None]:
    """Whether something is due, and if not, until which day it is quiet.

    With a pending payment nothing is due: `run` asks for its outcome separately.
    """
    try:
        facts, now = subscription.facts(), ports().clock.now(subscription.account)
        if facts.payment_pending:
            return False, None
        next_due = due(facts, now.date())
        if (next_due is not None and next_due.day <= now.date()) or notices_to_write(subscription, now):
            return True, None
        return False, next_due_day(facts, now.date())
    except Exception:
        return True, None  # rolling it over fails the same way, and reports it
