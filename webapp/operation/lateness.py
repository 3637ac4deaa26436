"""Checks of `doctor`: whether the jobs run, and run often enough."""

from datetime import timedelta

from flask import current_app
from sqlalchemy import select

from ..config import COMMAND
from ..db import Across, across, db
from ..models.subscriptions import SubscriptionRow
from ..ports import ports
from . import health, jobs

HOUR, COUNTED_LATE = timedelta(hours=1), timedelta(hours=48)


def _late(job: str) -> str | None:
    ago = None if health.database_fault() else jobs.late(job)
    if ago is None:
        return None
    minutes = int(ago.total_seconds() // 60)
    return f"The job {job} last ended {minutes:,} minutes ago: read its lines in the log, and start it again."


def _never(job: str) -> bool:
    """Whether a job never ran where there is something to do for it: a real customer's subscription."""
    return not current_app.config["SANDBOX"] and jobs.ago(job) is None and _has_subscriptions()


def _has_subscriptions() -> bool:
    query = select(SubscriptionRow.id).limit(1)
    found = db.session.scalars(across(query, Across.DOCTOR)).first() is not None
    db.session.rollback()
    return found


def sweep() -> str | None:
    if not health.database_fault() and _never(jobs.SWEEP):
        return f"No sweep ever ended, so nothing is renewed: run {COMMAND} serve, or {jobs.SWEEP} --every 30."
    return _late(jobs.SWEEP)


def sender() -> str | None:
    if ports().mailer is None:
        return None
    if not health.database_fault() and _never(jobs.SENDER):
        return f"No mail was ever sent: run {COMMAND} serve, or {jobs.SENDER} --every 30."
    return _late(jobs.SENDER)


def counts_of_users() -> str | None:
    if health.database_fault() or current_app.config["SANDBOX"]:
        return None
    ago, how = jobs.ago(jobs.COUNT), f"Run it once a day, from cron: {COMMAND} {jobs.COUNT}"
    if ago is None:
        return f"{jobs.COUNT} never ran. {how}" if _has_subscriptions() else None
    return f"{jobs.COUNT} last ended {ago // HOUR} hours ago. {how}" if ago > COUNTED_LATE else None
