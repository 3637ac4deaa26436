"""When the jobs beside the server last ran: the sweep and the sender of mails."""

import logging
from collections import Counter
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from ..db import db, transaction
from ..models.operation import JobRun
from ..ports import ports

log = logging.getLogger(__name__)
SWEEP, SENDER, COUNT = "roll-over", "send-mail", "count-users"
IDLE_LINE_EVERY = timedelta(minutes=10)  # between two lines of the log that say that there was nothing to do
LATE = timedelta(minutes=10)  # after its last run a job that repeats is late,
LATE_INTERVALS = 10  # or after so many of its intervals, where they are longer
_idle_line_at: dict[str, datetime] = {}


def finished(name: str, every: int | None, started_at: datetime, outcome: Counter[str]) -> None:
    """Writes that a run is over; a run by hand leaves the interval as it is."""
    now = ports().clock.system_now()
    dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    first = dialect.insert(JobRun).values(name=name, every=every, started_at=started_at, finished_at=now, outcome={})
    with transaction() as session:
        session.execute(first.on_conflict_do_nothing())
        run = session.scalars(select(JobRun).where(JobRun.name == name).with_for_update()).one()
        run.every, run.started_at, run.finished_at = every or run.every, started_at, now
        run.outcome, run.totals = dict(outcome), dict(Counter(run.totals) + outcome)


def say_idle(name: str) -> None:
    """A line in the log for a run that had nothing to do, unless there was one lately."""
    now, last = ports().clock.system_now(), _idle_line_at.get(name)
    if last is None or now - last >= IDLE_LINE_EVERY:
        _idle_line_at[name] = now
        log.info("%s: nothing was due", name)


def ago(name: str) -> timedelta | None:
    """How long ago a job last ended; None where it never ran."""
    run = db.session.get(JobRun, name)
    db.session.rollback()
    return None if run is None else ports().clock.system_now() - run.finished_at


def late(name: str) -> timedelta | None:
    """How long ago a job that repeats last ran, where that is too long; None where it never ran."""
    run = db.session.get(JobRun, name)
    db.session.rollback()
    if run is None or run.every is None:
        return None
    ago = ports().clock.system_now() - run.finished_at
    return ago if ago > max(LATE, LATE_INTERVALS * timedelta(seconds=run.every)) else None
