"""`prune`: deletes what is kept no longer, in short transactions. Invoices, credit notes and payments stay for good.

Business rows grow old by their account's clock, the others by the machine's. Run twice, it does nothing the second
time; stopped anywhere, the next run goes on.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from threading import Event
from typing import Any, NamedTuple

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import ColumnElement, Delete, Update, and_, delete, func, or_, select, tuple_, update
from sqlalchemy.orm import InstrumentedAttribute

from ..access import limits
from ..db import Across, across, db, transaction
from ..domain.access import (
    ALARM_LIFETIME,
    DRAFT_LIFETIME,
    EMAIL_CHANGE_LIFETIME,
    HELD_LIFETIME,
    RESET_LIFETIME,
    SESSION_LIFETIME,
)
from ..domain.team import INVITATIONS_KEPT
from ..mail import delivery
from ..models.access import MemberSession, PasswordReset, RateLimit
from ..models.accounts import Account
from ..models.activity import Activity, Case
from ..models.alarms import AlarmLink, EmailChange, KnownBrowser
from ..models.cards import CardSetup
from ..models.drafts import Draft
from ..models.mail import Message
from ..models.purchases import Notification, Payment, Quote
from ..models.second_factor import HeldForm
from ..models.subscriptions import ActiveUsersOfDay
from ..models.team import Invitation
from ..models.trail import SecurityEvent
from ..ports import ports
from ..purchases.gateway_events import KEPT_FOR
from . import health, logs, trail

log = logging.getLogger(__name__)
BATCH = 500  # rows of one transaction
CARD_PAGES = timedelta(days=7)  # a gateway's card page is open for a day
COUNTS = timedelta(days=400)  # the active users of a day: a year and a month
DAILY = "1 per day"


class Kind(NamedTuple):
    """Rows that grow old: which, by the last column of their primary key. Before it stands `account_id`, if any.

    Rows of one account with the same `key` grow old together.
    """

    name: str
    table: type[Any]
    key: InstrumentedAttribute[Any]
    old: ColumnElement[bool]


def prune(stop: Event | None = None) -> Counter[str]:
    """How many rows of each kind were pruned."""
    trail.seal(stop)  # whole sealed ranges are pruned, so that `verify-trail` can check the rest
    done = Counter[str]()
    for kind in _by_the_machines_clock(ports().clock.system_now()):
        done[kind.name] += _in_batches(_delete, kind, stop)
    for kind in _mails():
        done[kind.name] += _in_batches(_empty, kind, stop)
    for account_id, now in _clocks():
        for kind in _by_the_accounts_clock(account_id, now):
            if not _may_change(kind):
                continue
            empties = kind.table is Message
            done[kind.name] += _in_batches(_empty if empties else _delete, kind, stop)
    return done


def _may_change(kind: Kind) -> bool:
    """The running role may not delete the trail (see `grant`): the role that owns the tables prunes it."""
    if kind.table not in (Activity, SecurityEvent) or db.engine.dialect.name != "postgresql":
        return True
    allowed = db.session.scalars(select(func.has_table_privilege(kind.table.__tablename__, "DELETE"))).one()
    db.session.rollback()
    return bool(allowed)


def once_a_day(stop: Event) -> None:
    """Beside the sweep, in one of the processes that sweep."""
    if limits.is_first(DAILY, "prune"):
        done = prune(stop)
        log.info("pruned: %s", _told(done))


def _by_the_machines_clock(now: datetime) -> Iterator[Kind]:
    over = MemberSession.created_at <= now - SESSION_LIFETIME
    yield Kind("sessions", MemberSession, MemberSession.token_hash, over)
    over = PasswordReset.created_at <= now - RESET_LIFETIME
    yield Kind("reset links", PasswordReset, PasswordReset.token_hash, over)
    yield Kind("drafts", Draft, Draft.id, Draft.kept_at <= now - DRAFT_LIFETIME)
    yield Kind("held forms", HeldForm, HeldForm.id, HeldForm.held_at <= now - HELD_LIFETIME)
    unused = KnownBrowser.seen_at <= now - timedelta(seconds=limits.DEVICE_AGE)
    yield Kind("known browsers", KnownBrowser, KnownBrowser.browser_hash, unused)
    yield Kind("limits", RateLimit, RateLimit.key, RateLimit.ends_at <= now)
    yield Kind("gateway events", Notification, Notification.id, Notification.heard_at <= now - KEPT_FOR)
    happened = trail.is_sealed_before(SecurityEvent, _years_before(now, current_app.config["KEEP_SECURITY_YEARS"]))
    yield Kind("security events", SecurityEvent, SecurityEvent.id, happened)
    yield Kind("card pages", CardSetup, CardSetup.reference, CardSetup.begun_at <= now - CARD_PAGES)


def _mails() -> Iterator[Kind]:
    """A link that acts is kept no longer than it takes to send it."""
    secret = or_(*(Message.about.startswith(family) for family in delivery.SECRET))
    over = secret, Message.delivery.in_(("sent", "given_up"))
    yield Kind("bodies of reset mails", Message, Message.id, and_(*over, _has_body()))


def _by_the_accounts_clock(account_id: str | None, now: datetime) -> Iterator[Kind]:
    """Of one account, or of all where they have one clock."""
    keep = current_app.config

    def of(column: InstrumentedAttribute[str]) -> ColumnElement[bool]:
        return column == account_id if account_id else column.is_not(None)

    payment = Payment.account_id == Quote.account_id, Payment.quote_id == Quote.id
    card_page = CardSetup.account_id == Quote.account_id, CardSetup.quote_id == Quote.id
    unused = ~select(Payment.key).where(*payment).exists(), ~select(CardSetup.reference).where(*card_page).exists()
    expired = Quote.expires_at <= now - timedelta(days=keep["KEEP_QUOTES_DAYS"])
    yield Kind("quotes", Quote, Quote.id, and_(of(Quote.account_id), expired, *unused))
    sent = Message.sent_at <= now - timedelta(days=keep["KEEP_MAIL_DAYS"])
    settled = Message.delivery != "unsent"
    yield Kind("bodies of mails", Message, Message.id, and_(of(Message.account_id), sent, settled, _has_body()))
    invited = Invitation.sent_at <= now - INVITATIONS_KEPT
    yield Kind("invitations", Invitation, Invitation.id, and_(of(Invitation.account_id), invited))
    links = AlarmLink.created_at <= now - ALARM_LIFETIME
    yield Kind("links to disown", AlarmLink, AlarmLink.token_hash, and_(of(AlarmLink.account_id), links))
    unconfirmed = EmailChange.asked_at <= now - EMAIL_CHANGE_LIFETIME
    yield Kind("new e-mails", EmailChange, EmailChange.member_id, and_(of(EmailChange.account_id), unconfirmed))
    opened = Case.opened_at <= _years_before(now, keep["KEEP_CASES_YEARS"])
    yield Kind("cases", Case, Case.number, and_(of(Case.account_id), opened))
    happened = trail.is_sealed_before(Activity, _years_before(now, keep["KEEP_ACTIVITY_YEARS"]))
    yield Kind("activity", Activity, Activity.id, and_(of(Activity.account_id), happened))
    long_ago = ActiveUsersOfDay.day < (now - COUNTS).date()
    days = and_(of(ActiveUsersOfDay.account_id), long_ago)
    yield Kind("days of active users", ActiveUsersOfDay, ActiveUsersOfDay.day, days)


def _has_body() -> ColumnElement[bool]:
    return or_(Message.body != "", Message.html != "")


_years_before = trail.years_before


def _clocks() -> Iterator[tuple[str | None, datetime]]:
    """In the sandbox each account has a clock of its own; elsewhere there is one for all."""
    if not current_app.config["SANDBOX"]:
        yield None, ports().clock.system_now()
        return
    for account_id in db.session.scalars(across(select(Account.id).order_by(Account.id), Across.PRUNE)).all():
        yield account_id, ports().clock.now(db.session.get_one(Account, account_id))
        db.session.rollback()


def _in_batches(act: Callable[[Kind], Update | Delete], kind: Kind, stop: Event | None) -> int:
    """Finds rows without a lock; then acts on those that are still old, account by account."""
    done, last = 0, None
    key = tuple_(*_key(kind))
    while not (stop and stop.is_set()):
        found = across(select(*_key(kind)).where(kind.old).order_by(*_key(kind)).limit(BATCH), Across.PRUNE)
        rows = db.session.execute(found if last is None else found.where(key > last)).all()
        db.session.rollback()
        if not rows:
            break
        for account, group in groupby(rows, key=lambda row: row[:-1]):
            ids = [row[-1] for row in group]
            mine = [column == value for column, value in zip(_key(kind), account, strict=False)]
            with transaction() as session:
                acted = act(kind).where(*mine, kind.key.in_(ids), kind.old).returning(kind.key)
                done += len(session.scalars(acted).all())
        last = tuple(rows[-1])
    return done


def _key(kind: Kind) -> list[InstrumentedAttribute[Any]]:
    account: InstrumentedAttribute[Any] | None = getattr(kind.table, "account_id", None)
    return [kind.key] if account is None else [account, kind.key]


def _delete(kind: Kind) -> Delete:
    return delete(kind.table)


def _empty(kind: Kind) -> Update:
    """The row stays: it says that something was told, so that it is told once."""
    return update(kind.table).values(body="", html="")


def _told(done: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in done.items() if count) or "nothing was old enough"


@click.command("prune")
@with_appcontext
def prune_command() -> None:
    """Delete what is kept no longer; docs/operate.md lists the periods."""
    if (fault := health.database_fault()) is not None:
        raise click.ClickException(fault)
    logs.say(_told(prune()))
