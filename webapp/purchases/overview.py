"""What « Paiement et facturation » shows: billing information, cards and the newest invoices."""

from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, bindparam, select

from ..db import db
from ..domain import subscription as rules
from ..invoices.listing_query import Listed, listed, newest_as_json
from ..json_rows import instant, rows_as_json
from ..models.accounts import Account
from ..models.cards import Card, DefaultCard
from ..ports import ports
from ..subscriptions import loading

NEWEST = 3  # invoices


class CardRow(NamedTuple):
    """A card as the page lists it. `charged_on`: the next day on which it is charged, if it is the default.
    `is_backup`: the owner chose it for when the default is refused. `expires_before` is the day of the next renewal, if
    the card expires before it."""

    card: Card
    is_default: bool
    is_backup: bool
    expired: bool
    charged_on: date | None
    expires_before: date | None


class Overview(NamedTuple):
    """The default card comes first, then the backup card."""

    account: Account
    cards: list[CardRow]
    invoices: list[Listed]


_account, _card, _default = Account.__table__, Card.__table__, DefaultCard.__table__
_account_id: BindParameter[str] = bindparam("account_id")
_cards = (
    select(rows_as_json(_default.c.card_id == _card.c.id, _default.c.backup_id == _card.c.id, *_card.c))
    .select_from(_card.outerjoin(_default, _default.c.account_id == _card.c.account_id))
    .where(_card.c.account_id == _account_id)
)
_overview = select(*_account.c, _cards.scalar_subquery().label("cards"), newest_as_json().label("invoices")).where(
    _account.c.id == _account_id
)


def overview(account_id: str) -> Overview:
    *columns, cards, invoices = db.session.execute(_overview, {"account_id": account_id, "count": NEWEST}).one()
    account = Account(**dict(zip(_account.c.keys(), columns, strict=True)))
    today = ports().clock.now(account).date()
    days = (rules.next_charge(subscription.facts) for subscription in loading.load_all(account_id))
    renewal = min((day for day in days if day is not None), default=None)
    rows = [_card_row(bool(first), bool(second), columns, today, renewal) for first, second, *columns in cards]
    rows.sort(key=lambda row: (not row.is_default, not row.is_backup, row.card.added_at, row.card.id))
    return Overview(account, rows, listed(invoices))


def _card_row(is_default: bool, is_backup: bool, columns: list[Any], today: date, renewal: date | None) -> CardRow:
    values = dict(zip(_card.c.keys(), columns, strict=True))
    card = Card(**values | {"added_at": instant(values["added_at"])})
    late = renewal is not None and card.expired(renewal)
    charged_on = renewal if is_default and not late and renewal and renewal > today else None
    return CardRow(card, is_default, is_backup, card.expired(today), charged_on, renewal if late else None)
