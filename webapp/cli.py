"""The commands. A fault is one sentence, not a traceback."""

import logging
import os
import re
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from threading import Event

import click
from flask import Flask, current_app
from flask.cli import FlaskGroup, with_appcontext
from sqlalchemy import select

from . import billing, credit_notes, doctor, health, jobs, outbox, provision, rollover, serving
from .config import DEMO_EMAIL, DEMO_PASSWORD
from .db import db
from .models import Owner
from .ports import ports
from .supervision import orphaned

log = logging.getLogger(__name__)


def register(app: Flask) -> None:
    for command in (
        demo, roll_over, send_mail, credit_note, backup, serving.serve,
        doctor.doctor, provision.add_account_command, provision.add_owner_command,
    ):  # fmt: skip
        app.cli.add_command(command)


def main() -> None:
    """`my-qlik-portal`, the command of an installed portal: `flask --app webapp` from anywhere."""
    FlaskGroup(create_app=_created).main()


def _created() -> Flask:
    from . import create_app

    return create_app()


@click.command("demo")
@with_appcontext
def demo() -> None:
    """Make the demo account, once."""
    from .sandbox import scenarios

    health.check_database()
    if db.session.scalars(select(Owner.id).where(Owner.email == DEMO_EMAIL)).one_or_none() is None:
        db.session.rollback()
        scenarios.make("both", email=DEMO_EMAIL, password=DEMO_PASSWORD)


@click.command(jobs.SWEEP)
@click.option("--account", help="Only this account.")
@click.option("--every", type=click.IntRange(1), help="Again after so many seconds, for as long as the caller lives.")
@click.option("--threads", envvar="ROLL_OVER_THREADS", default=4, show_default=True, type=click.IntRange(1, 64))
@with_appcontext
def roll_over(account: str | None, every: int | None, threads: int) -> None:
    """Bring every subscription up to date: ends, renewals, retries, notices, payments of unknown outcome."""
    with _until_stopped() as stop:
        failed = _run(partial(_sweep, account, threads, stop, every), every, stop)
    if failed:
        raise click.ClickException(f"{failed} subscriptions were not rolled over: the log says why.")


@contextmanager
def _until_stopped() -> Iterator[Event]:
    """What is set when the process is told to end: the subscription in hand is finished, and no other begun."""
    stop = Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(once: Callable[[], int], every: int | None, stop: Event) -> int:
    """Once, or again for as long as the caller lives: a database that is away for a while is tried the next time."""
    if not every:
        health.check_database()
        return once()
    over, left = orphaned(), 0
    while not stop.is_set() and not over():
        try:
            left = once()
        except Exception:
            log.exception("this run broke off; the next one begins in %s s", every)
            db.session.remove()
        _wait(every, stop, over)
    return left


def _wait(seconds: float, stop: Event, over: Callable[[], bool]) -> None:
    """Until the time is over, the process is told to end or the caller died."""
    end = time.monotonic() + seconds
    while not stop.is_set() and not over() and (left := end - time.monotonic()) > 0:
        stop.wait(min(left, 1.0))


def _sweep(account: str | None, threads: int, stop: Event, every: int | None) -> int:
    """One sweep, with a line that moves where it is watched and a summary; how many failed."""
    quiet, began = bool(every), ports().clock.system_now()
    total, done, since = rollover.to_look_at(account), rollover.Done(), time.monotonic()

    def rate(_item: object) -> str:
        return f"{done['seen'] / max(time.monotonic() - since, 0.001):,.0f}/s"

    shown = {"label": "Rolling over", "file": sys.stderr, "hidden": quiet or not sys.stderr.isatty()}
    with click.progressbar(length=total, show_pos=True, item_show_func=rate, **shown) as bar:  # type: ignore[arg-type]
        for one in rollover.swept(account, threads):
            done.update(one)
            bar.update(one["seen"], done)
            if stop.is_set():
                break
    told = ", ".join(f"{done[name]:,} {name}" for name in rollover.OUTCOMES if done[name]) or "nothing was due"
    if not quiet or done.total() > done["seen"]:
        click.echo(f"{done['seen']:,} subscriptions in {time.monotonic() - since:,.1f} s: {told}.")
    else:
        jobs.say_idle(jobs.SWEEP)
    if account is None and not stop.is_set():
        jobs.finished(jobs.SWEEP, every, began, done)
    return done["failed"]


@click.command(jobs.SENDER)
@click.option("--every", type=click.IntRange(1), help="Again after so many seconds, for as long as the caller lives.")
@with_appcontext
def send_mail(every: int | None) -> None:
    """Send the mails of the outbox that are due. Safe on several machines at once."""
    if not current_app.config["SMTP_URL"]:
        raise click.ClickException("SMTP_URL is not set: mails stay in the sandbox's panel.")
    with _until_stopped() as stop:
        waiting = _run(partial(_send, stop, every), every, stop)
    if waiting:
        raise click.ClickException(f"{waiting} mails were not sent: the log says why.")


def _send(stop: Event, every: int | None) -> int:
    """One run, and a summary; how many mails were not sent."""
    began = ports().clock.system_now()
    done = outbox.send_due(stop)
    jobs.finished(jobs.SENDER, every, began, done)
    if every and not done:
        jobs.say_idle(jobs.SENDER)
    else:
        click.echo(", ".join(f"{done[name]:,} {name}" for name in outbox.OUTCOMES if done[name]) or "nothing was due")
    return done.total() - done["sent"]


@click.command("credit-note")
@click.argument("number")
@click.option("--account", required=True, help="The account that the invoice is of.")
@click.option("--net", help="Cents before tax; all that is left where this is not given.")
@click.option("--reason", default="", help="Printed on the credit note.")
@with_appcontext
def credit_note(number: str, account: str, net: str | None, reason: str) -> None:
    """Refund an invoice to the card that paid it, and issue the credit note."""
    health.check_database()
    if net is not None and not re.fullmatch(r"0*[1-9][0-9]{0,11}", net, re.ASCII):
        raise click.ClickException("--net is a whole number of cents, 1 or more.")
    try:
        refund = credit_notes.credit(account, number, None if net is None else int(net), reason)
    except credit_notes.NotCredited as refusal:
        raise click.ClickException(str(refusal)) from None
    if refund.state == "refused":
        raise click.ClickException(f"The gateway refused the refund {refund.key}: no credit note was issued.")
    if refund.state == "pending":
        raise click.ClickException(
            f"The gateway did not say what became of the refund {refund.key}. It is kept as pending: "
            f"the next roll-over asks again (flask --app webapp roll-over --account {account})."
        )
    note = billing.find_invoice(account, refund.credit_note_id or "")
    shown = credit_notes.printed(note.total, note.currency)
    click.echo(f"Credit note {note.number} of {shown} with tax for the invoice {number}.")


@click.command("backup")
@click.argument("file", type=click.Path(exists=False, dir_okay=False))
@with_appcontext
def backup(file: str) -> None:
    """Copy the SQLite database as it is at one moment into a new file, while the portal runs."""
    if db.engine.dialect.name != "sqlite":
        raise click.ClickException("This copies SQLite only. PostgreSQL: pg_dump --format=custom --file=FILE ADDRESS")
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except OSError as fault:
        raise click.ClickException(f"{file} cannot be made ({fault.strerror}): name a new file.") from None
    with closing(sqlite3.connect(db.engine.url.database or "")) as source:
        source.execute("VACUUM INTO ?", (file,))
    os.fsync(descriptor)
    os.close(descriptor)
    click.echo(f"{file}: {os.path.getsize(file):,} bytes.")
