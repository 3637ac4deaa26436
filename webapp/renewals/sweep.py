"""The sweep: finds the subscriptions for which something is due and rolls each of them over."""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

from flask import current_app
from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from ..config import COMMAND
from ..db import Across, across, db, new_id
from ..models.purchases import Payment
from ..models.subscriptions import Quiet, SubscriptionRow
from ..ports import ports
from ..purchases import detachments, hold, refunds
from .rollover import PAYMENT_OUTCOMES, SubscriptionKey, Tally, roll_over

log = logging.getLogger(__name__)
Key = TypeVar("Key")
PAGE = 200  # subscriptions that are looked up at once
ASK_AGAIN = timedelta(seconds=20)  # how often a long sweep asks for the outcomes of pending payments
SILENCES = 3  # unanswered requests in a row, after which the gateway or the tenants are taken to be down


def sweep(account_id: str | None = None) -> int:
    """Rolls over every subscription, or those of one account. Returns how many failed; a failure stops no other."""
    return sum(tally["failed"] for tally in run(account_id))


def count_to_check(account_id: str | None = None) -> int:
    """How many subscriptions a sweep will check."""
    query = _unquiet(account_id, func.count())
    mine = SubscriptionRow.account_id == account_id
    count = db.session.scalars(across(query, Across.SWEEP) if account_id is None else query.where(mine)).one()
    db.session.rollback()
    return count


class Part(NamedTuple):
    """Of a sweep that several processes share: after which account it begins. One of them `leads`."""

    begins: str
    leads: bool


def parts(count: int) -> list[Part]:
    """They begin equally far from each other, at random: so machines that sweep at the same time mostly do not meet."""
    start = new_id()
    size = 16 ** len(start)
    begins = [(int(start, 16) + number * size // count) % size for number in range(count)]
    return [Part(f"{begin:0{len(start)}x}", not number) for number, begin in enumerate(begins)]


def run(account_id: str | None = None, threads: int = 1, part: Part | None = None) -> Iterator[Tally]:
    """Sweeps, and yields a tally after each step. It holds one page of subscriptions in memory.

    Pending payments come first, and again in a long sweep, so they are settled within a minute of the gateway's
    recovery. `threads` subscriptions are rolled over at a time, since most of the time is spent waiting.
    """
    if hold.payments_held():
        log.warning("Payments are paused, because a copy was restored. Run: %s restored", COMMAND)
        return
    db.session.rollback()
    patience = Patience()
    part = part or parts(1)[0]
    if part.leads:
        yield from _until_silent(_check_refund, refunds.pending_keys(account_id, PAGE), "refund")
    with _parallel_map(threads) as parallel_map:
        for tally in parallel_map(Patience().roll_over, _keys_of_pending(account_id) if part.leads else []):
            yield tally + Tally(seen=1)
        if part.leads:  # after the pending payments, since a card that is being charged is kept at the gateway
            yield from _until_silent(detachments.detach, detachments.open_keys(account_id, PAGE), "detachment")
        asked_at = ports().clock.system_now()
        for page in _pages(account_id, part.begins):
            for tally in parallel_map(patience.roll_over, page):
                yield tally + Tally(seen=1)
            if part.leads and (now := ports().clock.system_now()) - asked_at >= ASK_AGAIN:
                yield from parallel_map(Patience().roll_over, _keys_of_pending(account_id))
                asked_at = now


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


def _check_refund(pending: refunds.PendingRefund) -> str:
    return REFUND_OUTCOMES[refunds.check(*pending)]


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
    query = select(Payment.account_id, Payment.subscription_id).where(Payment.state == "pending")
    return _keys(account_id, Payment.account_id, query.order_by(func.random()))


def _keys(account_id: str | None, column: InstrumentedAttribute[str], query: Any) -> list[SubscriptionKey]:
    """What is found is claimed later, by key: nothing is locked here."""
    query = across(query, Across.SWEEP) if account_id is None else query.where(column == account_id)
    keys = [SubscriptionKey(*row) for row in db.session.execute(query)]
    db.session.rollback()
    return keys


def _unquiet(account_id: str | None, *columns: Any) -> Select[Any]:
    """The subscriptions that need a check today (see Quiet)."""
    quiet = select(Quiet).where(
        Quiet.account_id == SubscriptionRow.account_id,
        Quiet.subscription_id == SubscriptionRow.id,
        Quiet.until > ports().clock.latest_day(account_id),
    )
    return select(*columns).select_from(SubscriptionRow).where(SubscriptionRow.ended_on.is_(None), ~quiet.exists())


def _pages(account_id: str | None, begins: str) -> Iterator[list[SubscriptionKey]]:
    """The subscriptions that need a check, each once, page by page. Those with a pending payment are asked for apart.

    It begins after the account `begins` and wraps around.
    """
    column, key = SubscriptionRow.account_id, tuple_(SubscriptionRow.account_id, SubscriptionRow.id)
    mine = Payment.account_id == column, Payment.subscription_id == SubscriptionRow.id
    pending = select(Payment).where(*mine, Payment.state == "pending")
    start = (begins, "")
    for bounds, last in ((key > start, start), (key <= start, ("", ""))):
        query = _unquiet(account_id, column, SubscriptionRow.id).where(bounds, ~pending.exists())
        query = query.order_by(column, SubscriptionRow.id)
        while page := _keys(account_id, column, query.where(key > last).limit(PAGE)):
            yield page
            last = (page[-1].account_id, page[-1].subscription_id)
