"""The commands. An error is one sentence, not a traceback."""

import logging
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event

import click
from flask import current_app
from flask.cli import with_appcontext

from ..access import members
from ..config import COMMAND, DEMO_EMAIL, DEMO_PASSWORD
from ..db import db
from ..invoices import listing
from ..mail import delivery
from ..ports import ports
from ..purchases import hold, refunds
from ..renewals import rollover, sweep
from ..renewals.processes import run as sweep_all
from . import health, jobs, logs, prune, trail
from .supervision import orphaned

log = logging.getLogger(__name__)


@click.command("demo")
@with_appcontext
def demo() -> None:
    """Make the demo account, once."""
    from ..sandbox import scenarios

    if not current_app.config["SANDBOX"]:
        raise click.ClickException("The demo account has a published password: it exists in the sandbox only.")
    health.check_database()
    if members.find_member(DEMO_EMAIL) is None:
        db.session.rollback()
        scenarios.make("both", email=DEMO_EMAIL, password=DEMO_PASSWORD)


@click.command(jobs.SWEEP)
@click.option("--account", help="Only this account.")
@click.option("--every", type=click.IntRange(1), help="Again after so many seconds, for as long as the caller lives.")
@click.option("--threads", envvar="ROLL_OVER_THREADS", default=4, show_default=True, type=click.IntRange(1, 64))
@click.option("--processes", envvar="ROLL_OVER_PROCESSES", default=2, show_default=True, type=click.IntRange(1, 64))
@with_appcontext
def roll_over(account: str | None, every: int | None, threads: int, processes: int) -> None:
    """Bring every subscription up to date: ends, renewals, retries, notices, payments of unknown outcome."""
    current_app.config["ACTOR"] = "sweep"
    with stop_event() as stop:
        failed = repeat(partial(_sweep_with_progress, account, threads, stop, every, processes), every, stop)
    if failed:
        raise logs.Unsuccessful(f"{failed} subscriptions were not rolled over: the log says why.")


@contextmanager
def stop_event() -> Iterator[Event]:
    """An event that SIGTERM and SIGINT set. The current subscription is then finished, and no other is started."""
    stop = Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def repeat(once: Callable[[], int], every: int | None, stop: Event) -> int:
    """Calls `once`, or calls it every so many seconds until the parent process ends. Returns the last result.

    If a repeated call fails, such as when the database is away, the next one tries again.
    """
    if not every:
        health.check_database()
        return once()
    over, result = orphaned(), 0
    while not stop.is_set() and not over():
        try:
            result = once()
        except Exception:
            log.exception("this run broke off; the next one begins in %s s", every)
            db.session.remove()
        _wait(every, stop, over)
    return result


def _wait(seconds: float, stop: Event, over: Callable[[], bool]) -> None:
    """Waits until the time is over, the process is told to stop or its parent died."""
    end = time.monotonic() + seconds
    while not stop.is_set() and not over() and (left := end - time.monotonic()) > 0:
        stop.wait(min(left, 1.0))


def _sweep_with_progress(account: str | None, threads: int, stop: Event, every: int | None, processes: int = 1) -> int:
    """Runs one sweep, with a progress bar on a terminal and a summary. Returns how many subscriptions failed."""
    quiet, started_at = bool(every), ports().clock.system_now()
    total, done, began = sweep.count_to_check(account), rollover.Tally(), time.monotonic()

    def rate(_item: object) -> str:
        return f"{done['seen'] / max(time.monotonic() - began, 0.001):,.0f}/s"

    options = {"label": "Rolling over", "file": sys.stderr, "hidden": quiet or not sys.stderr.isatty()}
    with click.progressbar(length=total, show_pos=True, item_show_func=rate, **options) as bar:  # type: ignore[arg-type]
        make_app = partial(current_app.extensions["make_app"], {"ACTOR": "sweep"})
        for outcomes in sweep.run(account, threads) if account else sweep_all(make_app, threads, processes, total):
            done.update(outcomes)
            bar.update(outcomes["seen"], done)
            if stop.is_set():
                break
    summary = ", ".join(f"{done[name]:,} {name}" for name in rollover.OUTCOMES if done[name]) or "nothing was due"
    if hold.payments_held():
        summary = f"Payments are paused, because a copy was restored. Run: {COMMAND} restored"
    db.session.rollback()
    if not quiet or done.total() > done["seen"]:
        logs.say(f"{done['seen']:,} subscriptions in {time.monotonic() - began:,.1f} s: {summary}.", outcomes=done)
    else:
        jobs.say_idle(jobs.SWEEP)
    if every and account is None:
        trail.once_an_hour(stop)
        prune.once_a_day(stop)
    if account is None and not stop.is_set():
        jobs.finished(jobs.SWEEP, every, started_at, done)
    return done["failed"]


@click.command(jobs.SENDER)
@click.option("--every", type=click.IntRange(1), help="Again after so many seconds, for as long as the caller lives.")
@with_appcontext
def send_mail(every: int | None) -> None:
    """Send the mails of the outbox that are due. Safe on several machines at once."""
    if not current_app.config["SMTP_URL"]:
        raise click.ClickException("SMTP_URL is not set: mails stay in the sandbox's panel.")
    current_app.config["ACTOR"] = "sender"
    with stop_event() as stop:
        waiting = repeat(partial(_send_with_summary, stop, every), every, stop)
    if waiting:
        raise logs.Unsuccessful(f"{waiting} mails were not sent: the log says why.")


def _send_with_summary(stop: Event, every: int | None) -> int:
    """Sends the mails that are due, and prints a summary. Returns how many were not sent."""
    started_at = ports().clock.system_now()
    outcomes = delivery.send_due(stop)
    jobs.finished(jobs.SENDER, every, started_at, outcomes)
    if every and not outcomes:
        jobs.say_idle(jobs.SENDER)
    else:
        counts = (f"{outcomes[name]:,} {name}" for name in delivery.OUTCOMES if outcomes[name])
        logs.say(", ".join(counts) or "nothing was due", outcomes=outcomes)
    return outcomes.total() - outcomes["sent"]


@click.command("credit-note")
@click.argument("number")
@click.option("--account", required=True, help="The account that the invoice is of.")
@click.option("--net", help="Cents before tax; all that is left where this is not given.")
@click.option("--reason", default="", help="Printed on the credit note.")
@with_appcontext
def credit_note(number: str, account: str, net: str | None, reason: str) -> None:
    """Refund an invoice to the card that paid it, and issue the credit note."""
    credit_and_tell(account, number, net, reason)


def credit_and_tell(account: str, number: str, net: str | None, reason: str) -> None:
    health.check_database()
    if net is not None and not re.fullmatch(r"0*[1-9][0-9]{0,11}", net, re.ASCII):
        raise click.ClickException("--net is a whole number of cents, 1 or more.")
    try:
        refund = refunds.credit(account, number, None if net is None else int(net), reason)
    except refunds.NotCredited as refusal:
        raise click.ClickException(str(refusal)) from None
    if refund.state == "refused":
        raise click.ClickException(f"The gateway refused the refund {refund.key}: no credit note was issued.")
    if refund.state == "pending":
        raise click.ClickException(
            f"The gateway did not say what became of the refund {refund.key}. It is kept as pending: "
            f"the next roll-over asks again ({COMMAND} roll-over --account {account})."
        )
    note = listing.find_invoice(account, refund.credit_note_id or "")
    amount = refunds.format_amount(note.total, note.currency) + (" with tax" if note.tax else "")
    click.echo(f"Credit note {note.number} of {amount} for the invoice {number}.")
