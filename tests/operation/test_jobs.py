"""When the sweep and the sender of mails last ran: a row, a line now and then, and what doctor makes of it."""

import logging
from collections import Counter
from datetime import datetime, timedelta
from threading import Event

import pytest
from flask import Flask

from tests.servers.mailserver import Post, running
from tests.support.outgoing import mails_to
from webapp.db import db
from webapp.models.operation import JobRun
from webapp.operation import cli, doctor, jobs
from webapp.operation.jobs import LATE, LATE_INTERVALS
from webapp.ports import ports
from webapp.renewals import sweep

pytestmark = pytest.mark.service


def last_run(name: str) -> JobRun:
    db.session.rollback()
    return db.session.get_one(JobRun, name, populate_existing=True)


def said(name: str) -> str:
    return dict(doctor.CHECKS)[name]() or ""


@pytest.fixture(autouse=True)
def _no_line_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_idle_line_at", {})


def test_a_sweep_that_found_nothing_leaves_a_row_and_a_line_now_and_then(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    before = ports().clock.system_now()
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            cli._sweep_with_progress(None, 1, Event(), every=30)
    run = last_run(jobs.SWEEP)
    assert before <= run.started_at <= run.finished_at <= ports().clock.system_now()
    assert (run.every, run.outcome) == (30, {})
    assert [record.message for record in caplog.records if record.name == "webapp.operation.jobs"] == [
        "roll-over: nothing was due"
    ]


def test_a_sweep_by_hand_leaves_the_interval_and_one_of_an_account_leaves_nothing(app: Flask) -> None:
    cli._sweep_with_progress("nobody", 1, Event(), every=None)
    assert db.session.get(JobRun, jobs.SWEEP) is None
    cli._sweep_with_progress(None, 1, Event(), every=30)
    first = last_run(jobs.SWEEP).finished_at
    assert app.test_cli_runner().invoke(args=["roll-over"]).exit_code == 0
    run = last_run(jobs.SWEEP)
    assert run.every == 30
    assert run.finished_at > first


def test_a_sweep_that_breaks_off_does_not_count(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> int:
        raise RuntimeError

    monkeypatch.setattr(sweep, "count_to_check", breaks)
    with pytest.raises(RuntimeError):
        cli._sweep_with_progress(None, 1, Event(), every=30)
    assert db.session.get(JobRun, jobs.SWEEP) is None


def ran(name: str, ago: timedelta, every: int | None = 30) -> None:
    """Writes a run that ended so long ago."""
    now = ports().clock.system_now()
    jobs.finished(name, every, now, Counter())
    row = last_run(name)
    row.finished_at = now - ago
    db.session.commit()


SECOND = timedelta(seconds=5)


@pytest.mark.parametrize(
    ("ago", "every", "late"),
    [
        (LATE - SECOND, 30, False),
        (LATE + SECOND, 30, True),
        (LATE + SECOND, 600, False),
        (LATE_INTERVALS * timedelta(seconds=600) + SECOND, 600, True),
        (timedelta(days=3), None, False),
    ],
)
def test_doctor_tells_of_a_sweep_that_is_late(app: Flask, ago: timedelta, every: int | None, late: bool) -> None:
    assert said("sweep") == "", "it never ran"
    ran(jobs.SWEEP, ago, every)
    minutes = int(ago.total_seconds() // 60)
    assert said("sweep") == (
        f"The job roll-over last ended {minutes} minutes ago: read its lines in the log, and start it again."
        if late
        else ""
    )


def test_doctor_tells_of_a_sender_that_is_late_where_mails_are_sent(app: Flask) -> None:
    ran(jobs.SENDER, LATE + SECOND)
    assert said("sender of mails") == ""
    with running(Post()) as port:
        mails_to(app, f"smtp://localhost:{port}")
        assert said("sender of mails").startswith("The job send-mail last ended 10 minutes ago")
        cli._send_with_summary(Event(), every=30)
        assert said("sender of mails") == ""


def test_a_run_is_a_row_of_machine_time(app: Flask) -> None:
    cli._sweep_with_progress(None, 1, Event(), every=None)
    assert isinstance(last_run(jobs.SWEEP).finished_at, datetime)
