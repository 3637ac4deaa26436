"""Acts at the same time: in threads with their own connections, started together, or with one stopped and overtaken."""

import threading
from collections.abc import Callable, Sequence
from itertools import count
from typing import NamedTuple

from flask import Flask
from sqlalchemy import text

from tests.support import databases
from tests.support.moments import watched
from webapp.db import NotFound, db
from webapp.domain.refusals import QuoteMoved, Refusal

Act = Callable[[], object]
PATIENCE = 20.0  # seconds, after which a thread counts as stuck
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
WAITING_ELSEWHERE = "SELECT count(*) FROM citus_lock_waits"  # on all machines of a cluster


class Stop(NamedTuple):
    """Which act is stopped, and at which of its moments, counted from 1."""

    act: int
    moment: int


class Overtaken:
    """Stops one thread once, until the others have finished or wait for it."""

    def __init__(self, moment: int) -> None:
        self.moment, self.reached, self.go_on = moment, threading.Event(), threading.Event()
        self.thread: int | None = None
        self.moments = count(1)

    def __call__(self, moment: str) -> None:
        if threading.get_ident() == self.thread and _may_stop(moment) and next(self.moments) == self.moment:
            self.reached.set()
            self.go_on.wait(PATIENCE)


def _may_stop(moment: str) -> bool:
    """SQLite has one writer: nothing can overtake a thread that stops inside its transaction."""
    return db.engine.dialect.name == "postgresql" or moment not in ("statement", "before commit")


def answer(act: Act) -> object:
    """What the act returns, or the name of its refusal. Any other exception is a defect."""
    try:
        return act()
    except (Refusal, NotFound, QuoteMoved) as refusal:
        return type(refusal).__name__


def alone(app: Flask, act: Act) -> tuple[object, list[str]]:
    """What an act answers when alone, and its moments at which it may be overtaken."""
    seen: list[str] = []
    with watched(app, seen.append, all_of_them=True):
        answered = answer(act)
    db.session.remove()
    return answered, list(filter(_may_stop, seen))


def together(app: Flask, acts: Sequence[Act], stop: Stop | None = None) -> list[object]:
    """Starts all acts at once, and returns their answers; with `stop`, the others start when that act has stopped.

    Raises any exception of an act that is not a refusal.
    """
    db.session.remove()
    answers: list[object] = [None] * len(acts)
    overtaken = Overtaken(stop.moment if stop else 0)
    start = threading.Barrier(len(acts) - bool(stop))

    def run(number: int) -> None:
        try:
            if stop and stop.act == number:
                overtaken.thread = threading.get_ident()
            else:
                if stop:
                    overtaken.reached.wait(PATIENCE)
                start.wait(PATIENCE)
            with app.app_context():
                answers[number] = answer(acts[number])
        except BaseException as fault:
            answers[number] = fault
        if stop and stop.act == number:
            overtaken.reached.set()  # in case it has fewer moments

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(acts))]
    with watched(app, overtaken, all_of_them=True):
        for thread in threads:
            thread.start()
        _let_go_on(overtaken, [thread for number, thread in enumerate(threads) if not stop or stop.act != number])
        for thread in threads:
            thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads), "a thread is stuck"
    for answered in answers:
        if isinstance(answered, BaseException):
            raise answered
    return [again(app, act, answered) for act, answered in zip(acts, answers, strict=True)]


def _let_go_on(overtaken: Overtaken, others: Sequence[threading.Thread]) -> None:
    """Releases the stopped thread once the others have finished, or wait for its locks."""
    while any(thread.is_alive() for thread in others):
        for thread in others:
            thread.join(0.01)
        if overtaken.reached.is_set() and _somebody_waits():
            break
    overtaken.go_on.set()


def _somebody_waits() -> bool:
    """Whether a connection waits for a lock; never on SQLite, where a stopped thread holds none."""
    if db.engine.dialect.name != "postgresql":
        return False
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        queries = (WAITING, WAITING_ELSEWHERE) if databases.CITUS else (WAITING,)
        return any(connection.scalar(text(query)) for query in queries)


def again(app: Flask, act: Act, answered: object) -> object:
    """Repeats an act that was refused because a payment was pending, as the page tells its reader to do."""
    with app.app_context():
        return answer(act) if answered in ("PaymentPending", "CardInUse") else answered
