"""The sweep: finds the subscriptions for which something is due and rolls each of them over."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta

from flask import current_app
from sqlalchemy import Select, delete, func, select

from ..db import db, new_id, transaction
from ..domain.subscription import due
from ..models.purchases import Payment
from ..models.subscriptions import Quiet, Subscription
from ..ports import ports
from ..purchases import hold, refunds
from ..subscriptions import loading
from .rollover import SETTLED, Done, Key, next_due_day, notices_to_write, roll_over, write_quiet

log = logging.getLogger(__name__)
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
    if hold.payments_held():
        log.warning("Payments are paused, because a copy was restored. Run: my-qlik-portal restored")
        return
    db.session.rollback()
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
    for key in refunds.pending(account_id, PAGE):
        try:
            state = refunds.settled(key)
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
    query = select(Subscription).where(Subscription.id.in_(ids)).order_by(Subscription.id).options(*loading.LOADED)
    with transaction() as session:
        for found in session.scalars(query.with_for_update(of=Subscription, key_share=True)).all():
            is_due, until = _look(found)
            keys.append(((found.account_id, found.id), is_due))
            days[found.id] = until
        session.expunge_all()
        session.execute(delete(Quiet).where(Quiet.subscription_id.in_(days)))
        write_quiet(days)
    return keys


def _look(subscription: Subscription) -> tuple[bool, date | None]:
    """Whether there is anything to do, and else until when not; who waits for the gateway is not asked for here."""
    try:
        facts, now = subscription.facts(), ports().clock.now(subscription.account)
        if facts.payment_pending:
            return False, None
        found = due(facts, now.date())
        if (found is not None and found[1] <= now.date()) or notices_to_write(subscription, now):
            return True, None
        return False, next_due_day(facts, now.date())
    except Exception:
        return True, None  # it fails again, by itself, and is reported
