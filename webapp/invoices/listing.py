"""The list of an account's invoices and credit notes: filters, search and pages."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from .. import pasting
from ..db import NotFound, db
from ..models.accounts import Account, Issuer
from ..models.invoices import Invoice, Status, search_key
from ..models.subscriptions import SubscriptionRow


def invoices_of(account_id: str) -> Sequence[Invoice]:
    """All invoices and credit notes of an account, newest first."""
    return db.session.scalars(
        select(Invoice)
        .where(Invoice.account_id == account_id)
        .order_by(Invoice.issued_on.desc(), Invoice.number.desc())
    ).all()


def find_invoice(account_id: str, invoice_id: str) -> Invoice:
    """An invoice or credit note of this account. Raises NotFound."""
    invoice = db.session.get(Invoice, (account_id, invoice_id))
    if invoice is None:
        raise NotFound(invoice_id)
    return invoice


def credit_notes_of(invoice: Invoice) -> Sequence[Invoice]:
    """The credit notes of an invoice, oldest first."""
    query = select(Invoice).where(Invoice.account_id == invoice.account_id, Invoice.credits_id == invoice.id)
    return db.session.scalars(query.order_by(Invoice.issued_on, Invoice.number)).all()


def invoice_of_payment(account_id: str, key: str) -> Invoice:
    """The invoice of a captured payment."""
    return db.session.scalars(select(Invoice).where(Invoice.account_id == account_id, Invoice.payment_key == key)).one()


PAGE = 50
SEARCH_LIMIT = 100  # matches that each query of a search reads
Columns = Select[*tuple[Any, ...]]
Position = tuple[date, str]  # the day and number of the document where a page ends
AFTER_ALL = "\U0010ffff"  # sorts after every character, so a prefix p matches the range from p to p + AFTER_ALL


class InvoicePage(NamedTuple):
    """A page of the list, and the filters that it was made by.

    `before` and `next` are positions in the list's order: where the previous page and this page end. They are None if
    there is no such page. `too_many`: more documents match the search than were read.
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
        """The query parameters that the links of the list keep."""
        return {
            "year": self.year,
            "subscription": self.subscription,
            "status": self.status,
            "search": self.search or None,
            "order": "oldest" if self.oldest_first else None,
        }


class Filters(NamedTuple):
    """`subscription` is an id of the account's own. The page begins after `position`, in the list's order."""

    year: int | None
    subscription: str | None
    status: str | None
    oldest_first: bool
    position: Position | None


def list_invoices(account_id: str, parameters: Mapping[str, str]) -> InvoicePage:
    """A page of the account's invoices and credit notes.

    `parameters` are the query parameters `year`, `subscription`, `status`, `search`, `order` and `before`. Invalid
    values and ids of other accounts are ignored.
    """
    query = select(SubscriptionRow.id, SubscriptionRow.product, SubscriptionRow.tenant)
    query = query.where(SubscriptionRow.account_id == account_id).order_by(
        SubscriptionRow.product, SubscriptionRow.tenant
    )
    subscriptions = db.session.execute(query).all()
    years = list(_years(account_id))
    search = " ".join(pasting.trimmed(parameters.get("search")).replace("\0", " ").split())[:100]
    filters = Filters(
        year=next((year for year in years if str(year) == parameters.get("year")), None),
        subscription=next((row.id for row in subscriptions if row.id == parameters.get("subscription")), None),
        status=next((status.value for status in Status if status == parameters.get("status")), None),
        oldest_first=parameters.get("order") == "oldest",
        position=_parse_position(parameters.get("before", "")),
    )
    if search:
        matches, too_many = _search(account_id, search_key(search), years, filters.oldest_first)
        rows = _filter_matches(account_id, matches, filters)
    else:
        rows, too_many = _read_page(account_id, filters), False
    page = rows[:PAGE]
    return InvoicePage(
        invoices=page,
        years=years,
        subscriptions=[(row.id, row.product, row.tenant) for row in subscriptions],
        year=filters.year,
        subscription=filters.subscription,
        status=filters.status,
        search=search,
        oldest_first=filters.oldest_first,
        before=parameters.get("before") if filters.position else None,
        next=f"{page[-1].issued_on.isoformat()}.{page[-1].number}" if len(rows) > PAGE else None,
        too_many=too_many,
    )


def newest_invoices(account_id: str, count: int) -> Sequence[Invoice]:
    """The newest invoices and credit notes of an account."""
    query = select(Invoice).where(Invoice.account_id == account_id)
    return db.session.scalars(query.order_by(Invoice.issued_on.desc(), Invoice.number.desc()).limit(count)).all()


def newest_of_subscription(account_id: str, subscription_id: str, count: int) -> Sequence[Invoice]:
    """The newest of one subscription."""
    query = select(Invoice).where(Invoice.account_id == account_id, Invoice.subscription_id == subscription_id)
    return db.session.scalars(query.order_by(Invoice.issued_on.desc(), Invoice.number.desc()).limit(count)).all()


def _years(account_id: str) -> Iterator[int]:
    """The years that have a document, newest first. Each takes one look-up in the index."""
    days = select(Invoice.issued_on).where(Invoice.account_id == account_id).order_by(Invoice.issued_on.desc()).limit(1)
    day = db.session.scalars(days).first()
    while day is not None:
        yield day.year
        day = db.session.scalars(days.where(Invoice.issued_on < date(day.year, 1, 1))).first()


def _read_page(account_id: str, filters: Filters) -> Sequence[Invoice]:
    """A page and one row more. Each combination of filters has an index (see Invoice)."""
    query = select(Invoice).where(Invoice.account_id == account_id)
    if filters.subscription is not None:
        query = query.where(Invoice.subscription_id == filters.subscription)
    if filters.status is not None:
        query = query.where(Invoice.status == filters.status)
    if filters.year is not None:
        query = query.where(Invoice.issued_on.between(date(filters.year, 1, 1), date(filters.year, 12, 31)))
    order = (Invoice.issued_on, Invoice.number)
    if filters.position is not None:
        here, position = tuple_(*order), tuple_(*filters.position)
        query = query.where(here > position if filters.oldest_first else here < position)
    query = query.order_by(*(column if filters.oldest_first else column.desc() for column in order))
    return db.session.scalars(query.limit(PAGE + 1)).all()


def _search(account_id: str, typed: str, years: Sequence[int], oldest_first: bool) -> tuple[set[Row[Any]], bool]:
    """The documents that match, at most SEARCH_LIMIT for each query, and whether there are more.

    What was typed may be the begin of a number, with its prefix or without (`2027-0000`); the number within a year
    (`42`); or the begin of a purchase order.
    """
    prefix = db.session.scalars(
        select(Issuer.invoice_prefix).join(Account, Account.issuer_id == Issuer.id).where(Account.id == account_id)
    ).one()
    columns = select(Invoice.id, Invoice.issued_on, Invoice.number, Invoice.subscription_id, Invoice.status)
    documents = columns.where(Invoice.account_id == account_id).limit(SEARCH_LIMIT + 1)
    number, order, day = Invoice.number_key, Invoice.order_key, Invoice.issued_on

    def ordered(query: Columns, *by: InstrumentedAttribute[Any]) -> Columns:
        return query.order_by(*(column if oldest_first else column.desc() for column in by))

    queries: list[Columns] = [
        ordered(documents.where(number >= begin, number <= begin + AFTER_ALL), number)
        for begin in (typed, search_key(f"{prefix}-{typed}"))
    ]
    queries.append(ordered(documents.where(order == typed), day))
    queries.append(ordered(documents.where(order > typed, order <= typed + AFTER_ALL), order, day))
    if re.fullmatch("[0-9]{1,9}", typed):
        numbers = [search_key(f"{prefix}-{year}-{int(typed):06d}") for year in years]
        queries.append(documents.where(number.in_(numbers)))
    results = [db.session.execute(query).all() for query in queries]
    matches = {row for rows in results for row in rows[:SEARCH_LIMIT]}
    return matches, any(len(rows) > SEARCH_LIMIT for rows in results)


def _filter_matches(account_id: str, matches: set[Row[Any]], filters: Filters) -> Sequence[Invoice]:
    """A page and one row more of what a search found, by the same filters as `_read_page`."""
    ids_by_position = {
        (row.issued_on, row.number): row.id
        for row in matches
        if (filters.year is None or row.issued_on.year == filters.year)
        and (filters.subscription is None or row.subscription_id == filters.subscription)
        and (filters.status is None or row.status == filters.status)
    }
    positions = sorted(ids_by_position, reverse=not filters.oldest_first)
    if filters.position is not None:
        start = filters.position
        positions = [here for here in positions if (here > start if filters.oldest_first else here < start)]
    ids = [ids_by_position[position] for position in positions[: PAGE + 1]]
    if not ids:
        return []
    found = select(Invoice).where(Invoice.account_id == account_id, Invoice.id.in_(ids))
    invoices = {invoice.id: invoice for invoice in db.session.scalars(found)}
    return [invoices[invoice_id] for invoice_id in ids]


def _parse_position(text: str) -> Position | None:
    """`2027-01-15.MQ-2027-000003`, where the previous page ended. None for anything else."""
    day, _, number = text.partition(".")
    try:
        return (date.fromisoformat(day), number) if number else None
    except ValueError:
        return None
