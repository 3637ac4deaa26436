"""`restored`, which an operator runs after a restore, and `release`, for what it could not book."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import click
from flask.cli import with_appcontext
from sqlalchemy import select

from ..config import COMMAND
from ..db import db, transaction
from ..invoices import issuing
from ..models.accounts import Issuer
from ..models.invoices import Invoice
from ..models.restores import UnbookedCapture
from ..ports import Capture, OutcomeUnknown, ports
from ..purchases import restores
from ..purchases.refunds import format_amount
from . import health

NUMBER = re.compile(r"(?:(?P<issuer>\w+):)?(?P<prefix>.+)-(?P<year>[0-9]{4})-(?P<number>[0-9]{6,9})", re.ASCII)
REASON = "given after the copy was made that was restored"
PAUSED = "Payments stay paused."


class Instant(click.ParamType):
    name = "instant"

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> datetime:
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            self.fail("give a date and time such as 2027-01-31T09:00:00+01:00 (without a zone it is UTC).")
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


@click.command("restored")
@click.option(
    "--last-invoice",
    "last_invoices",
    multiple=True,
    metavar="NUMBER",
    help="The last number that was sent to a customer before the restore; ISSUER:NUMBER where issuers share a prefix.",
)
@click.option("--since", type=Instant(), metavar="INSTANT", help="When the copy was made. A copy of `backup` knows it.")
@click.option("--hold", is_flag=True, help="Only pause payments, until `restored` is run without this.")
@with_appcontext
def restored(last_invoices: tuple[str, ...], since: datetime | None, hold: bool) -> None:
    """Bring a restored database up to date with the gateway, and let payments go on. Can be run again at any time."""
    health.check_database()
    restores.hold_payments()
    if hold:
        click.echo("Payments are paused. Run this command without --hold to let them go on.")
        return
    restores.end_access()
    click.echo("Every session and password link has ended. Owners set a new password by mail (Forgotten password?).")
    named = {_spend(*_parsed(number)) for number in last_invoices}
    try:
        found = restores.outstanding(since)
        _check_numbers(found, named)
        silent = restores.settle_pending()
    except OutcomeUnknown:
        raise click.ClickException(f"The payment gateway does not answer. {PAUSED} Run this again.") from None
    for capture in found:
        restores.book(capture)
        _tell_booked(capture)
    for unbooked in restores.unreleased():
        click.echo(f"HELD  {described(unbooked)}")
    db.session.rollback()
    if silent:
        raise click.ClickException(f"The gateway is silent about {', '.join(silent)}. {PAUSED} Run this again.")
    restores.resume()
    click.echo("Payments go on.")


def _parsed(text: str) -> tuple[Issuer, int, int]:
    """The issuer, the year and the number in it, of a number as it is printed on an invoice."""
    found = NUMBER.fullmatch(text)
    if found is None:
        raise click.ClickException(f"{text} is not an invoice number such as MQ-2027-000014. {PAUSED}")
    query = select(Issuer).where(Issuer.invoice_prefix == found["prefix"])
    if found["issuer"]:
        query = query.where(Issuer.id == found["issuer"])
    issuers = db.session.scalars(query).all()
    if len(issuers) > 1:
        raise click.ClickException(f"Several issuers have this prefix: write ISSUER:{text}. {PAUSED}")
    if not issuers:
        raise click.ClickException(f"No issuer numbers its invoices like {text}. {PAUSED}")
    return issuers[0], int(found["year"]), int(found["number"])


def _spend(issuer: Issuer, year: int, last: int) -> str:
    """Records the numbers up to that one as spent; the issuer's id."""
    issuer_id = issuer.id
    with transaction():
        numbers = issuing.spend_numbers(issuer, year, last, REASON, ports().clock.system_now())
    if numbers:
        click.echo(f"Spent, {REASON}: {numbers[0]} to {numbers[-1]}.")
    return issuer_id


def _check_numbers(found: Sequence[Capture], named: set[str]) -> None:
    """Invoices of these captures may have been sent with numbers that would be given again. Raises ClickException."""
    missing = [issuer for issuer in restores.issuers_of(found) if issuer.id not in named]
    options = " ".join(f"--last-invoice {issuer.id}:{issuing.last_number(issuer)}" for issuer in missing)
    db.session.rollback()
    if missing:
        raise click.ClickException(
            f"{len(found)} captures are not in this database, so invoices may have been sent after the copy was made. "
            f"Say which number was the last; if none was sent, the last one that is known here: {options}\n{PAUSED}"
        )


def _tell_booked(capture: Capture) -> None:
    this = Invoice.account_id == capture.metadata.get("account", ""), Invoice.payment_key == capture.key
    number = db.session.scalars(select(Invoice.number).where(*this)).one_or_none()
    if number is not None:
        amount = format_amount(capture.money.amount, capture.money.currency)
        click.echo(f"Booked: payment {capture.key} of {amount}, invoice {number}.")


def described(unbooked: UnbookedCapture) -> str:
    """A capture that is not booked, and how to let its subscription go on."""
    held = f"subscription {unbooked.subscription_id} of account {unbooked.account_id}"
    if not unbooked.subscription_id:
        held = "no subscription that is known"
    return (
        f"{held}: payment {unbooked.key} of {format_amount(unbooked.amount, unbooked.currency)} is not booked. "
        f"{unbooked.reason} When you have settled it: {COMMAND} release {unbooked.subscription_id or unbooked.key}"
    )


@click.command("release")
@click.argument("name", metavar="SUBSCRIPTION")
@with_appcontext
def release(name: str) -> None:
    """Let a held subscription go on, whose captures you have settled by hand."""
    health.check_database()
    rows = restores.release(name)
    if not rows:
        raise click.ClickException(f"{name} is not held.")
    keys = ", ".join(sorted({row.key for row in rows}))
    click.echo(f"{name} goes on. Settled by hand, and never booked: {keys}.")
