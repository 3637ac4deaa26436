"""The list of an account's invoices and credit notes: filters, search and pages."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from ..db import NotFound, db
from ..models.accounts import Account, Issuer
from ..models.invoices import Invoice, Status, searched
from ..models.subscriptions import Subscription


def invoices_of(account_id: str) -> Sequence[Invoice]:
    """Newest first."""
    return db.session.scalars(
        select(Invoice)
        .where(Invoice.account_id == account_id)
        .order_by(Invoice.issued_on.desc(), Invoice.number.desc())
    ).all()


def find_invoice(account_id: str, invoice_id: str) -> Invoice:
    invoice = db.session.scalars(
        select(Invoice).where(Invoice.id == invoice_id, Invoice.account_id == account_id)
    ).one_or_none()
    if invoice is None:
        raise NotFound(invoice_id)
    return invoice


def credit_notes_of(invoice: Invoice) -> Sequence[Invoice]:
    """Those that refer to an invoice, in their order."""
    query = select(Invoice).where(Invoice.credits_id == invoice.id, Invoice.account_id == invoice.account_id)
    return db.session.scalars(query.order_by(Invoice.issued_on, Invoice.number)).all()


def invoice_of_payment(key: str) -> Invoice:
    return db.session.scalars(select(Invoice).where(Invoice.payment_key == key)).one()


PAGE = 50
FOUND = 100  # documents that a search looks at, of those that begin with what was typed
Columns = Select[*tuple[Any, ...]]
Key = tuple[date, str]  # day and number, where a page ended
LAST = "\U0010ffff"  # no text that begins with `x` comes after `x` and this


class Listed(NamedTuple):
    """A page and what it was chosen by. `before`, `next`: the keys where the last page and this one end, in the list's
    order, None where there is no such page; `too_many`: more documents begin with what was typed than were looked at.
    """

    invoices: Sequence[Invoice]
    years: Sequence[int]
    subscriptions: Sequence[tuple[str, str, str]]  # id, product, tenant
    year: int | None
    subscription: str | None
    status: str | None
    search: str
    oldest_first: bool
    before: str | None
    next: str | None
    too_many: bool

    @property
    def narrowed(self) -> bool:
        return bool(self.year or self.subscription or self.status or self.search)

    @property
    def chosen(self) -> dict[str, str | int | None]:
        """What the links of the list keep, as it stands in the address."""
        return {
            "year": self.year,
            "subscription": self.subscription,
            "status": self.status,
            "search": self.search or None,
            "order": "oldest" if self.oldest_first else None,
        }


def listed(account_id: str, asked: Mapping[str, str]) -> Listed:
    """`asked` is as typed in the address: `year`, `subscription`, `status`, `search`, `order`, `before`. What names
    nothing of ours is ignored."""
    owned = select(Subscription.id, Subscription.product, Subscription.tenant)
    subscriptions = db.session.execute(
        owned.where(Subscription.account_id == account_id).order_by(Subscription.product, Subscription.tenant)
    ).all()
    years = list(_years(account_id))
    year = next((year for year in years if str(year) == asked.get("year")), None)
    subscription = next((row.id for row in subscriptions if row.id == asked.get("subscription")), None)
    status = next((one.value for one in Status if one == asked.get("status")), None)
    search = " ".join(asked.get("search", "").replace("\0", " ").split())[:100]
    oldest_first, key = asked.get("order") == "oldest", _parse_key(asked.get("before", ""))

    if search:
        found, too_many = _found(account_id, searched(search), years, oldest_first)
        rows = _picked(found, year, subscription, status, oldest_first, key)
    else:
        rows, too_many = _read(account_id, year, subscription, status, oldest_first, key), False
    page = rows[:PAGE]
    return Listed(
        invoices=page,
        years=years,
        subscriptions=[(row.id, row.product, row.tenant) for row in subscriptions],
        year=year,
        subscription=subscription,
        status=status,
        search=search,
        oldest_first=oldest_first,
        before=asked.get("before") if key else None,
        next=f"{page[-1].issued_on.isoformat()}.{page[-1].number}" if len(rows) > PAGE else None,
        too_many=too_many,
    )


def newest(account_id: str, count: int) -> Sequence[Invoice]:
    query = select(Invoice).where(Invoice.account_id == account_id)
    return db.session.scalars(query.order_by(Invoice.issued_on.desc(), Invoice.number.desc()).limit(count)).all()


def of_subscription(subscription_id: str, count: int) -> Sequence[Invoice]:
    """The newest of one subscription; it is one of the account's own."""
    query = select(Invoice).where(Invoice.subscription_id == subscription_id)
    return db.session.scalars(query.order_by(Invoice.issued_on.desc(), Invoice.number.desc()).limit(count)).all()


def _years(account_id: str) -> Iterator[int]:
    """Those with a document, the newest first: one look into the index for each."""
    days = select(Invoice.issued_on).where(Invoice.account_id == account_id).order_by(Invoice.issued_on.desc()).limit(1)
    day = db.session.scalars(days).first()
    while day is not None:
        yield day.year
        day = db.session.scalars(days.where(Invoice.issued_on < date(day.year, 1, 1))).first()


def _read(
    account_id: str, year: int | None, subscription: str | None, status: str | None, oldest_first: bool, key: Key | None
) -> Sequence[Invoice]:
    """A page and one more, each from one index. `subscription` is one of the account's own."""
    if subscription is None:
        query = select(Invoice).where(Invoice.account_id == account_id)
    else:
        query = select(Invoice).where(Invoice.subscription_id == subscription)
    if status is not None:
        query = query.where(Invoice.status == status)
    if year is not None:
        query = query.where(Invoice.issued_on.between(date(year, 1, 1), date(year, 12, 31)))
    here = tuple_(Invoice.issued_on, Invoice.number)
    if key is not None:
        query = query.where(here > tuple_(*key) if oldest_first else here < tuple_(*key))
    order = (Invoice.issued_on, Invoice.number)
    query = query.order_by(*(column if oldest_first else column.desc() for column in order))
    return db.session.scalars(query.limit(PAGE + 1)).all()


def _found(account_id: str, typed: str, years: Sequence[int], oldest_first: bool) -> tuple[set[Row[Any]], bool]:
    """Documents whose number or purchase order begins with what was typed, whose number does so after its prefix
    (`2027-0000`), or ends in it (`42`); FOUND of each at most, and whether there are more."""
    prefix = db.session.scalars(
        select(Issuer.invoice_prefix).join(Account, Account.issuer_id == Issuer.id).where(Account.id == account_id)
    ).one()
    ours = select(Invoice.id, Invoice.issued_on, Invoice.number, Invoice.subscription_id, Invoice.status)
    ours = ours.where(Invoice.account_id == account_id).limit(FOUND + 1)
    number, order, day = Invoice.number_key, Invoice.order_key, Invoice.issued_on

    def turned(query: Columns, *by: InstrumentedAttribute[Any]) -> Columns:
        return query.order_by(*(one if oldest_first else one.desc() for one in by))

    begun = (typed, searched(f"{prefix}-{typed}"))
    queries: list[Columns] = [turned(ours.where(number >= text, number <= text + LAST), number) for text in begun]
    queries.append(turned(ours.where(order == typed), day))
    queries.append(turned(ours.where(order > typed, order <= typed + LAST), order, day))
    if re.fullmatch("[0-9]{1,9}", typed):
        queries.append(ours.where(number.in_([searched(f"{prefix}-{year}-{int(typed):06d}") for year in years])))
    found = [db.session.execute(query).all() for query in queries]
    return {one for some in found for one in some[:FOUND]}, any(len(some) > FOUND for some in found)


def _picked(
    found: set[Row[Any]],
    year: int | None,
    subscription: str | None,
    status: str | None,
    oldest_first: bool,
    key: Key | None,
) -> Sequence[Invoice]:
    """Of the few that a search found, what `_read` would read."""
    kept = {
        (row.issued_on, row.number): row.id
        for row in found
        if (year is None or row.issued_on.year == year)
        and (subscription is None or row.subscription_id == subscription)
        and (status is None or row.status == status)
    }
    keys = [one for one in kept if key is None or (one > key if oldest_first else one < key)]
    ids = [kept[one] for one in sorted(keys, reverse=not oldest_first)[: PAGE + 1]]
    read = {one.id: one for one in db.session.scalars(select(Invoice).where(Invoice.id.in_(ids)))} if ids else {}
    return [read[one] for one in ids]


def _parse_key(text: str) -> Key | None:
    """`2027-01-15.MQ-2027-000003`: where the last page ended; None for anything else."""
    day, _, number = text.partition(".")
    try:
        return (date.fromisoformat(day), number) if number else None
    except ValueError:
        return None
