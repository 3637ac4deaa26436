"""Reads subscriptions with all that rules, pages and mails need: one statement by account, with or without a lock."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Row,
    ScalarSelect,
    and_,
    bindparam,
    delete,
    exists,
    func,
    select,
)

from ..db import NotFound, db, locks_rows
from ..domain.subscription import ChangeKind
from ..json_rows import inner, instant, row_as_json, rows_as_json
from ..models.accounts import Account, Member
from ..models.cards import Card, DefaultCard
from ..models.prices import LaterPrices, PriceList, Prices
from ..models.purchases import Payment, Quote
from ..models.restores import RestoreHold, UnbookedCapture
from ..models.subscriptions import (
    BilledPeriod,
    ChangeRow,
    Offer,
    OpenChange,
    PaymentRead,
    PeriodRow,
    Quiet,
    QuoteRead,
    Reader,
    Subscription,
    SubscriptionRow,
)
from ..models.team import Handover

_subscription, _account, _card = SubscriptionRow.__table__, Account.__table__, Card.__table__
_default, _period, _change = DefaultCard.__table__, PeriodRow.__table__, ChangeRow.__table__
_payment, _quote, _price_list = Payment.__table__, Quote.__table__, PriceList.__table__
_later, _handover = LaterPrices.__table__, Handover.__table__
_backup = _card.alias("backup")
_quiet, _unbooked, _hold, _member = Quiet.__table__, UnbookedCapture.__table__, RestoreHold.__table__, Member.__table__


def _own(table: FromClause) -> ColumnElement[bool]:
    """The rows of this table that belong to the subscription. Citus plans one task if each table names the account."""
    mine = table.c.account_id == bindparam("account_id")
    return and_(mine, table.c.subscription_id == _subscription.c.id)


def _periods() -> ScalarSelect[Any]:
    c = _period.c
    return select(rows_as_json(c.ordinal, c.seats, c.source, c.price_list_id)).where(_own(_period)).scalar_subquery()


def _price_lists() -> ScalarSelect[Any]:
    """Those of the paid periods, and those of the coming ones, of all subscriptions of the account.

    Citus refuses a subquery that is correlated where it reads a table that every machine has.
    """
    account_id: BindParameter[str] = bindparam("account_id")
    next_ones = _subscription.alias("next_ones")
    used = select(next_ones.c.price_list_id).where(next_ones.c.account_id == account_id)
    used_by_periods = select(_period.c.price_list_id).where(_period.c.account_id == account_id)
    told = select(_later.c.price_list_id).where(_later.c.account_id == account_id)
    c = _price_list.c
    wanted = c.id.in_(used) | c.id.in_(used_by_periods) | c.id.in_(told)
    return select(rows_as_json(c.id, c.currency, c.tiers)).where(wanted).correlate(None).scalar_subquery()


def _later_prices() -> ScalarSelect[Any]:
    return select(rows_as_json(_later.c.valid_from, _later.c.price_list_id)).where(_own(_later)).scalar_subquery()


def _open_changes() -> ScalarSelect[Any]:
    c = _change.c
    columns = rows_as_json(c.id, c.kind, c.seats, c.effective_ordinal, c.requested_at)
    return select(columns).where(_own(_change), c.closed_at.is_(None)).scalar_subquery()


def _backup_card() -> ScalarSelect[Any]:
    mine = _backup.c.account_id == bindparam("account_id"), _backup.c.id == _default.c.backup_id
    return select(row_as_json(*_backup.c)).where(*mine).correlate(_default).scalar_subquery()


def _readers() -> ScalarSelect[Any]:
    c = _member.c
    mine = c.account_id == bindparam("account_id")
    return select(rows_as_json(c.id, c.name, c.email, c.locale, c.role, c.unwanted_mails)).where(mine).scalar_subquery()


def _offer() -> ScalarSelect[Any]:
    """The owner's proposal to hand the account over, also one that has expired."""
    c = _handover.c
    mine = c.account_id == bindparam("account_id")
    return select(row_as_json(c.member_id, c.proposed_at)).where(mine).scalar_subquery()


def _unbooked_captures() -> ScalarSelect[Any]:
    c = _unbooked.c
    return select(rows_as_json(c.key, c.released_at)).where(_own(_unbooked)).scalar_subquery()


def _unpaid() -> ScalarSelect[Any]:
    """The payments that were not captured, each with its quote."""
    p, q = _payment.c, _quote.c
    columns = (
        *(q.id, q.kind, q.ordinal, q.automatic, q.tax_rate, q.expires_at),
        *(p.key, p.attempt, p.state, p.amount, p.currency, p.card_token, p.action_url, p.created_at, p.settled_at),
        *(p.backup_due, p.backup_of),
    )
    with_quote = _payment.join(_quote, and_(q.account_id == p.account_id, q.id == p.quote_id))
    mine = _own(_payment), p.state != "captured"
    return select(rows_as_json(*columns)).select_from(with_quote).where(*mine).scalar_subquery()


_chosen_card = and_(_default.c.account_id == _card.c.account_id, _default.c.card_id == _card.c.id)
_subscriptions = (
    select(
        _subscription,
        *(column.label(f"of_account_{column.name}") for column in _account.c),
        *(column.label(f"of_card_{column.name}") for column in _card.c),
        select(exists(select(_hold.c.id))).correlate(None).scalar_subquery().label("paused"),
        exists().where(_own(_quiet)).label("quiet"),
        _backup_card().label("backup_card"),
        _readers().label("members"),
        _offer().label("offer"),
        _unbooked_captures().label("unbooked_captures"),
        _periods().label("periods"),
        _price_lists().label("price_lists"),
        _later_prices().label("later_prices"),
        _open_changes().label("open_changes"),
        _unpaid().label("unpaid"),
    )
    .select_from(_subscription)
    .join(_account, _account.c.id == _subscription.c.account_id)
    .outerjoin(_default, _default.c.account_id == _subscription.c.account_id)
    .outerjoin(_card, _chosen_card)
    .where(_subscription.c.account_id == bindparam("account_id"))
)
_one = _subscriptions.where(_subscription.c.id == bindparam("subscription_id"))
_lock = (
    select(_subscription.c.id)
    .where(_subscription.c.account_id == bindparam("account_id"), _subscription.c.id == bindparam("subscription_id"))
    .with_for_update(key_share=True)
)
_all = _subscriptions.order_by(_subscription.c.plan, _subscription.c.id)
_ACCOUNT = [(column.name, f"of_account_{column.name}") for column in _account.c]
_CARD = [(column.name, f"of_card_{column.name}") for column in _card.c]
_PLAIN = ("id", "plan", "product", "tenant", "reseller", "anchor", "term_months", "ended_on", "active_users")


def load(account_id: str, subscription_id: str, *, lock: bool = False) -> Subscription:
    """A subscription of this account. `lock` keeps others from changing it. Raises NotFound."""
    if lock:
        return _load_locked(account_id, subscription_id)
    row = db.session.execute(_one, {"account_id": account_id, "subscription_id": subscription_id}).one_or_none()
    if row is None:
        raise NotFound(subscription_id)
    return _subscription_of(row)


def _load_locked(account_id: str, subscription_id: str) -> Subscription:
    """It is read by a statement of its own, after the lock was granted: so it is as fresh as the lock."""
    if locks_rows():
        db.session.execute(_lock, {"account_id": account_id, "subscription_id": subscription_id})
    subscription = load(account_id, subscription_id)
    if subscription.quiet:
        db.session.execute(
            delete(Quiet).where(Quiet.account_id == account_id, Quiet.subscription_id == subscription_id)
        )
    return subscription


def load_all(account_id: str) -> Sequence[Subscription]:
    """All subscriptions of this account, without a lock."""
    return [_subscription_of(row) for row in db.session.execute(_all, {"account_id": account_id})]


def lock_all(account_id: str) -> None:
    """Locks all subscriptions of the account. To avoid deadlocks, call it before locking the account itself."""
    if locks_rows():
        query = select(SubscriptionRow.id).where(SubscriptionRow.account_id == account_id).order_by(SubscriptionRow.id)
        db.session.execute(query.with_for_update(key_share=True))
    db.session.execute(delete(Quiet).where(Quiet.account_id == account_id))


def _subscription_of(row: Row[Any]) -> Subscription:
    values = row._mapping
    price_lists = {id_: Prices(id_, currency, inner(tiers)) for id_, currency, tiers in values["price_lists"]}
    periods = [
        BilledPeriod(ordinal, seats, source, price_lists[price_list])
        for ordinal, seats, source, price_list in sorted(values["periods"])
    ]
    return Subscription(
        **{name: values[name] for name in _PLAIN},
        account=Account(**{name: values[label] for name, label in _ACCOUNT}),
        default_card=Card(**{name: values[label] for name, label in _CARD}) if values["of_card_id"] else None,
        backup_card=_card_of(values["backup_card"]) if values["backup_card"] else None,
        first_prices=price_lists[values["price_list_id"]],
        later_prices=[
            (date.fromisoformat(day), price_lists[price_list]) for day, price_list in sorted(values["later_prices"])
        ],
        active_users_as_of=values["active_users_as_of"],
        suggestion_hidden=values["suggestion_hidden"],
        paused=bool(values["paused"]),
        held=any(released_at is None for _key, released_at in values["unbooked_captures"]),
        unbooked_keys=frozenset(key for key, _released_at in values["unbooked_captures"]),
        quiet=bool(values["quiet"]),
        offer=_offer_of(values["offer"]) if values["offer"] else None,
        members=[
            Reader(member_id, name, email, locale, role, inner(unwanted))
            for member_id, name, email, locale, role, unwanted in sorted(values["members"])
        ],
        periods=periods,
        open_changes=sorted(
            (
                OpenChange(change, values["id"], ChangeKind(kind), seats, ordinal, instant(requested_at))
                for change, kind, seats, ordinal, requested_at in values["open_changes"]
            ),
            key=lambda change: change.requested_at,
        ),
        unpaid=[_payment_of(values["id"], columns) for columns in values["unpaid"]],
    )


def _offer_of(columns: list[Any]) -> Offer:
    member_id, proposed_at = columns
    return Offer(member_id, instant(proposed_at))


def _card_of(columns: list[Any]) -> Card:
    values = dict(zip(_card.c.keys(), columns, strict=True))
    return Card(**values | {"added_at": instant(values["added_at"])})


def _payment_of(subscription_id: str, columns: list[Any]) -> PaymentRead:
    quote_id, kind, ordinal, automatic, tax_rate, expires_at = columns[:6]
    key, attempt, state, amount, currency, card_token, action_url, created_at, settled_at = columns[6:15]
    backup_due, backup_of = columns[15:]
    quote = QuoteRead(quote_id, subscription_id, kind, ordinal, bool(automatic), tax_rate, instant(expires_at))
    instants = instant(created_at), instant(settled_at) if settled_at else None
    card = card_token, action_url
    return PaymentRead(key, quote, attempt, state, amount, currency, *card, *instants, bool(backup_due), backup_of)


def last_accepted(subscription: Subscription, cards: Collection[str]) -> dict[str, datetime]:
    """When each of these cards, by token, last paid for the subscription."""
    c = _payment.c
    mine = c.account_id == subscription.account_id, c.subscription_id == subscription.id, c.state == "captured"
    query = (
        select(c.card_token, func.max(c.settled_at).label("last"))
        .where(*mine, c.card_token.in_(cards))
        .group_by(c.card_token)
    )
    return {row.card_token: row.last for row in db.session.execute(query)}
