"""`GET /metrics`, for Prometheus: what the web processes counted, and what the database knows.

Web processes that were replaced keep their counts: their files stay until `serve` starts again. What belongs to a
process that lives, such as a service that it leaves alone, is forgotten with it.
"""

import hmac
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, current_app, request
from sqlalchemy import ColumnElement, func, literal_column, select
from sqlalchemy.exc import SQLAlchemyError

from .. import metrics
from ..db import Across, across, db
from ..models.mail import Message
from ..models.operation import JobRun
from ..models.purchases import Notification, Payment, Refund
from ..models.restores import RestoreHold
from ..ports import ports

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

PATH = "/metrics"
# Written out, not bound: so SQLite, too, uses the index of the rows that are waiting.
PENDING: ColumnElement[str] = literal_column("'pending'")
UNSENT: ColumnElement[str] = literal_column("'unsent'")


def prepare_files(port: int) -> None:
    """Before web processes start: an empty directory in which they count. One port has one server."""
    if not current_app.config["METRICS_TOKEN"]:
        return
    directory = Path(current_app.config["INSTANCE_DIR"]) / "metrics" / str(port)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    os.environ[metrics.DIRECTORY] = str(directory.resolve())


def answer() -> Response | None:
    """Before all other hooks, for any host name, as probes are. Without a token there is no such page."""
    token = current_app.config["METRICS_TOKEN"]
    if request.path != PATH or request.method not in ("GET", "HEAD") or not token:
        return None
    given = request.headers.get("Authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        response = Response("unauthorized\n", 401, content_type="text/plain; charset=utf-8")
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    from prometheus_client.exposition import CONTENT_TYPE_LATEST

    return Response(_exposition(), 200, content_type=CONTENT_TYPE_LATEST)


def _exposition() -> bytes:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    if directory := metrics.in_files():
        _forget_the_dead(Path(directory))
        counted = CollectorRegistry()
        MultiProcessCollector(counted, directory)
    else:
        counted = metrics.measures().registry
    known = CollectorRegistry()
    known.register(_Known())
    return generate_latest(counted) + generate_latest(known)


def _forget_the_dead(directory: Path) -> None:
    for path in directory.glob("gauge_live*_*.db"):
        try:
            os.kill(int(re.sub(r"\D", "", path.stem)), 0)
        except ProcessLookupError:
            path.unlink(missing_ok=True)
        except PermissionError:
            continue


class _Known:
    """What the database knows. If it does not answer, that is all that is said."""

    def collect(self) -> Iterable["Metric"]:
        try:
            found = [*_jobs(), *_payments(), *_mails(), *_events()]
        except SQLAlchemyError:
            found = []
        finally:
            db.session.rollback()
        return [_gauge("portal_database_up", "Whether the database answers.", bool(found)), *found]


def _gauge(name: str, text: str, value: float) -> "Metric":
    from prometheus_client.metrics_core import GaugeMetricFamily

    return GaugeMetricFamily(name, text, value=float(value))


def _age(moment: datetime | None) -> float:
    """In seconds; 0 where there is nothing."""
    return 0.0 if moment is None else max(0.0, (ports().clock.system_now() - moment).total_seconds())


def _jobs() -> Iterator["Metric"]:
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

    age = GaugeMetricFamily("portal_job_age_seconds", "Since the last run ended.", labels=["job"])
    took = GaugeMetricFamily("portal_job_seconds", "How long the last run took.", labels=["job"])
    every = GaugeMetricFamily("portal_job_interval_seconds", "The interval of a job that repeats.", labels=["job"])
    outcomes = CounterMetricFamily("portal_job_outcomes", "What the runs of a job came to.", labels=["job", "outcome"])
    for run in db.session.scalars(select(JobRun).order_by(JobRun.name)):
        age.add_metric([run.name], _age(run.finished_at))
        took.add_metric([run.name], (run.finished_at - run.started_at).total_seconds())
        if run.every is not None:
            every.add_metric([run.name], run.every)
        for outcome, count in sorted(run.totals.items()):
            outcomes.add_metric([run.name, outcome], count)
    yield from (age, took, every, outcomes)


def _counted(statement: Any, reason: Across) -> tuple[int, datetime | None]:
    count, oldest = db.session.execute(across(statement, reason)).one()
    return count, oldest


def _payments() -> Iterator["Metric"]:
    """`created_at` is by the account's clock: outside the sandbox the machine's."""
    for name, model in (("payments", Payment), ("refunds", Refund)):
        query = select(func.count(), func.min(model.created_at)).where(model.state == PENDING)
        count, oldest = _counted(query, Across.METRICS)
        yield _gauge(f"portal_{name}_pending", f"Pending {name}.", count)
        yield _gauge(f"portal_{name}_pending_age_seconds", f"Age of the oldest of the pending {name}.", _age(oldest))
    held = db.session.scalars(select(func.count()).select_from(RestoreHold)).one()
    yield _gauge("portal_payments_paused", "Whether payments are paused, because a copy was restored.", held)


def _mails() -> Iterator["Metric"]:
    """Mails that were given up are an outcome of the job that sends."""
    query = select(func.count(), func.min(Message.sent_at)).where(Message.delivery == UNSENT)
    count, oldest = _counted(query, Across.METRICS)
    yield _gauge("portal_mails_unsent", "Mails that wait to be sent.", count)
    yield _gauge("portal_mails_unsent_age_seconds", "Age of the oldest mail that waits to be sent.", _age(oldest))


def _events() -> Iterator["Metric"]:
    newest = db.session.scalars(select(func.max(Notification.heard_at))).one()
    if newest is not None:
        yield _gauge("portal_gateway_event_age_seconds", "Since the payment gateway last told an event.", _age(newest))


def init(app: Flask) -> None:
    metrics.init(app)
    app.before_request(answer)
