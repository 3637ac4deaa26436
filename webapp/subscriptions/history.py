"""What happened to a subscription, for its page: one statement."""

from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ScalarSelect, Select, bindparam, or_, select

from ..db import db
from ..json_rows import inner, instant, rows_as_json
from ..models.activity import Activity
from ..models.invoices import Invoice
from ..models.mail import Message
from ..models.subscriptions import ActiveUsersOfDay

SHOWN_ELSEWHERE = ("renewal_paid", "addition_paid", "credit_note_issued", "case_opened")


class Document(NamedTuple):
    """An invoice or a credit note; `snapshot` is what it says."""

    issued_on: date
    number: str
    id: str
    kind: str
    total: int
    currency: str
    snapshot: dict[str, Any]


class Done(NamedTuple):
    """What a person or the portal did, with values before and after (see Activity)."""

    at: datetime
    what: str
    before: dict[str, Any]
    after: dict[str, Any]


class Noticed(NamedTuple):
    """A mail that announced a renewal; 0 days stands for the mail that the card will have expired by then."""

    at: datetime
    days: int


class History(NamedTuple):
    """The newest of each. `done` lacks what documents already show. A mail to several owners counts once.

    `active_users` are those of each counted day, in order.
    """

    documents: list[Document]
    done: list[Done]
    notices: list[Noticed]
    active_users: dict[date, int]


_days = ActiveUsersOfDay.__table__.c
_invoice, _activity, _message = Invoice.__table__.c, Activity.__table__.c, Message.__table__.c
_account_id: BindParameter[str] = bindparam("account_id")
_subscription_id: BindParameter[str] = bindparam("subscription_id")


def _newest(query: Select[Any], *order: Any) -> ScalarSelect[Any]:
    rows = query.order_by(*(column.desc() for column in order)).limit(bindparam("most")).subquery()
    return select(rows_as_json(*rows.c)).scalar_subquery()


def _documents() -> ScalarSelect[Any]:
    columns = select(*(_invoice[name] for name in Document._fields))
    mine = _invoice.account_id == _account_id, _invoice.subscription_id == _subscription_id
    return _newest(columns.where(*mine), _invoice.issued_on, _invoice.number)


def _done() -> ScalarSelect[Any]:
    columns = select(_activity.id, *(_activity[name] for name in Done._fields))
    mine = _activity.account_id == _account_id, _activity.subscription_id == _subscription_id
    return _newest(columns.where(*mine, _activity.what.not_in(SHOWN_ELSEWHERE)), _activity.id)


def _notices() -> ScalarSelect[Any]:
    about = or_(*(_message.about.startswith(bindparam(what)) for what in ("renewal", "card_expires")))
    columns = select(_message.sent_at, _message.about)
    return _newest(columns.where(_message.account_id == _account_id, about), _message.sent_at)


def _active_users() -> ScalarSelect[Any]:
    mine = _days.account_id == _account_id, _days.subscription_id == _subscription_id
    return select(rows_as_json(_days.day, _days.active)).where(*mine, _days.day >= bindparam("since")).scalar_subquery()


_history = select(
    _documents().label("documents"),
    _done().label("done"),
    _notices().label("notices"),
    _active_users().label("active_users"),
)


def history(account_id: str, subscription_id: str, most: int, since: date) -> History:
    """The newest `most` documents, deeds and announcements, and the active users from the day `since` on."""
    about = {what: f"{what}/{subscription_id}/" for what in ("renewal", "card_expires")}  # as mail/outbox.py writes it
    parameters = {"account_id": account_id, "subscription_id": subscription_id, "most": most, "since": since}
    documents, done, notices, active_users = db.session.execute(_history, parameters | about).one()
    announced: dict[tuple[str, str, str], Noticed] = {}
    for sent_at, text in sorted(notices, reverse=True):
        what, _subscription, ordinal, which, _owner = text.split("/")
        announced[what, ordinal, which] = Noticed(instant(sent_at), int(which) if what == "renewal" else 0)
    return History(
        [
            Document(date.fromisoformat(day), number, invoice_id, kind, total, currency, inner(snapshot))
            for day, number, invoice_id, kind, total, currency, snapshot in sorted(
                documents, key=lambda columns: columns[:2], reverse=True
            )
        ],
        [
            Done(instant(at), what, inner(before), inner(after))
            for _id, at, what, before, after in sorted(done, key=lambda columns: columns[0], reverse=True)
        ],
        list(announced.values()),
        {date.fromisoformat(day): active for day, active in sorted(active_users)},
    )
