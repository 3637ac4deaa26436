"""The list of an account's invoices and credit notes: filters, search and pages."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    Date,
    Row,
    ScalarSelect,
    Select,
    String,
    Subquery,
    Text,
    bindparam,
    cast,
    func,
    select,
    true,
    tuple_,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from .. import pasting
from ..db import NotFound, db
from ..json_rows import rows_as_json
from ..models.invoices import Invoice, Status, search_key
from ..models.subscriptions import SubscriptionRow
from .search import matching


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
Position = tuple[date, str]  # the day and number of the document where a page ends


class Listed(NamedTuple):
    """A document as a list shows it. The period's `end` is exclusive; `credited` is the number that it corrects."""

    id: str
    number: str
    issued_on: date
    total: int
    currency: str
    status: str
    credits_id: str | None
    credited: str | None
    kind: str
    product: str
    seats: int
    start: str
    end: str


class InvoicePage(NamedTuple):
    """A page of the list, and the filters that it was made by.

    `before` and `next` are positions in the list's order: where the previous page and this page end. They are None if
    there is no such page. `too_many`: more documents match the search than were read.
    """

    invoices: Sequence[Listed]
    years: Sequence[int]
    subscriptions: Sequence[Sequence[str]]  # id, product, tenant
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


class Choices(NamedTuple):
    """What the list can be filtered by: the years that have a document, newest first, and the subscriptions."""

    years: list[int]
    subscriptions: list[list[str]]  # id, product, tenant


class Filters(NamedTuple):
    """The page begins after `position`, in the list's order. `ids`: only these, which a search found."""

    year: int | None
    subscription: str | None
    status: str | None
    oldest_first: bool
    position: Position | None
    ids: tuple[str, ...] | None = None

    def among(self, choices: Choices) -> "Filters":
        """Without a year or a subscription that the account does not have."""
        return self._replace(
            year=self.year if self.year in choices.years else None,
            subscription=next((id_ for id_, *_ in choices.subscriptions if id_ == self.subscription), None),
        )


def list_invoices(account_id: str, parameters: Mapping[str, str]) -> InvoicePage:
    """A page of the account's invoices and credit notes.

    `parameters` are the query parameters `year`, `subscription`, `status`, `search`, `order` and `before`. Invalid
    values and ids of other accounts are ignored.
    """
    search = " ".join(pasting.trimmed(parameters.get("search")).replace("\0", " ").split())[:100]
    year = parameters.get("year", "")
    filters = Filters(
        year=int(year) if re.fullmatch("[1-9][0-9]{3}", year) else None,
        subscription=parameters.get("subscription", "").replace("\0", "") or None,
        status=next((status.value for status in Status if status == parameters.get("status")), None),
        oldest_first=parameters.get("order") == "oldest",
        position=_parse_position(parameters.get("before", "")),
        ids=() if search else None,
    )
    choices, rows = _read(account_id, filters)
    valid, too_many = filters.among(choices), False
    if search:
        matches, too_many = matching(account_id, search_key(search), choices.years, filters.oldest_first)
        valid = valid._replace(ids=_filter_matches(matches, valid), position=None)
    if valid != filters:
        _, rows = _read(account_id, valid)
    page = rows[:PAGE]
    return InvoicePage(
        invoices=page,
        years=choices.years,
        subscriptions=choices.subscriptions,
        year=valid.year,
        subscription=valid.subscription,
        status=valid.status,
        search=search,
        oldest_first=valid.oldest_first,
        before=parameters.get("before") if filters.position else None,
        next=f"{page[-1].issued_on.isoformat()}.{page[-1].number}" if len(rows) > PAGE else None,
        too_many=too_many,
    )


class first_of_year(GenericFunction[date]):  # noqa: N801  it is written like the functions of SQL
    """The first day of the year of a day."""

    type = Date()
    inherit_cache = True


@compiles(first_of_year, "sqlite")
def _first_of_year_sqlite(element: first_of_year, compiler: SQLCompiler, **options: Any) -> str:
    return f"strftime('%Y-01-01', {compiler.process(element.clauses, **options)})"


@compiles(first_of_year, "postgresql")
def _first_of_year_postgresql(element: first_of_year, compiler: SQLCompiler, **options: Any) -> str:
    return f"date_trunc('year', {compiler.process(element.clauses, **options)})::date"


_invoice, _subscription = Invoice.__table__, SubscriptionRow.__table__
_account_id: BindParameter[str] = bindparam("account_id")
_mine = _invoice.c.account_id == _account_id
_ORDER = ("issued_on", "number")


def _years() -> ScalarSelect[Any]:
    """The newest day of each year that has a document. Each takes one look-up in the index."""
    days = select(func.max(_invoice.c.issued_on).label("day")).where(_mine).cte("days", recursive=True)
    earlier = select(func.max(_invoice.c.issued_on)).where(_mine, _invoice.c.issued_on < first_of_year(days.c.day))
    days = days.union_all(select(earlier.scalar_subquery()).where(days.c.day.is_not(None)))
    return select(rows_as_json(days.c.day)).where(days.c.day.is_not(None)).scalar_subquery()


def _choices() -> Subquery:
    c = _subscription.c
    subscriptions = select(rows_as_json(c.id, c.product, c.tenant)).where(c.account_id == _account_id)
    texts = (cast(_years(), Text).label("years"), cast(subscriptions.scalar_subquery(), Text).label("subscriptions"))
    return select(*texts).subquery("choices")


def _shown(documents: Subquery) -> list[Any]:
    """The columns of Listed."""
    c, snapshot = documents.c, documents.c.snapshot
    columns = [c.id, c.number, c.issued_on, c.total, c.currency, c.status, c.credits_id]
    columns += [
        snapshot["credits", "number"].as_string(),
        snapshot["kind"].as_string(),
        snapshot["product"].as_string(),
    ]
    columns += [snapshot["seats"].as_integer(), *(snapshot["period", place].as_string() for place in (0, 1))]
    return columns


@cache
def _page(year: bool, subscription: bool, status: bool, oldest_first: bool, position: bool, ids: bool) -> Select[Any]:
    """Reads the choices, and beside them a page and one row more. Each combination of filters has an index (see
    Invoice). Built once for each combination, as that takes longer than to run it.
    """
    c = _invoice.c
    query = select(_invoice).where(_mine)
    if subscription:
        query = query.where(c.subscription_id == bindparam("subscription"))
    if status:
        query = query.where(c.status == bindparam("status"))
    if year:
        query = query.where(c.issued_on.between(bindparam("first", type_=Date), bindparam("last", type_=Date)))
    if ids:
        query = query.where(c.id.in_(bindparam("ids", expanding=True)))
    order = [c[name] for name in _ORDER]
    if position:
        here, start = tuple_(*order), tuple_(bindparam("day", type_=Date), bindparam("number", type_=String))
        query = query.where(here > start if oldest_first else here < start)
    documents = _ordered(query, order, oldest_first).limit(PAGE + 1).subquery("documents")
    choices = _choices()
    statement = select(choices, *_shown(documents)).select_from(choices.outerjoin(documents, true()))
    return _ordered(statement, [documents.c[name] for name in _ORDER], oldest_first)


def _ordered(query: Select[Any], columns: Sequence[Any], oldest_first: bool) -> Select[Any]:
    return query.order_by(*(column if oldest_first else column.desc() for column in columns))


def newest_as_json() -> ScalarSelect[Any]:
    """The newest `count` of an account, for `listed`."""
    documents = _ordered(select(_invoice).where(_mine), [_invoice.c[name] for name in _ORDER], False)
    page = documents.limit(bindparam("count")).subquery("documents")
    return select(rows_as_json(*_shown(page))).scalar_subquery()


def listed(rows: list[list[Any]]) -> list[Listed]:
    """Newest first."""
    documents = [Listed(*row)._replace(issued_on=date.fromisoformat(row[2])) for row in rows]
    return sorted(documents, key=lambda document: (document.issued_on, document.number), reverse=True)


def _read(account_id: str, filters: Filters) -> tuple[Choices, list[Listed]]:
    year, subscription, status, oldest_first, position, ids = filters
    parameters: dict[str, Any] = {"account_id": account_id, "subscription": subscription, "status": status, "ids": ids}
    if year is not None:
        parameters |= {"first": date(year, 1, 1), "last": date(year, 12, 31)}
    if position is not None:
        parameters |= {"day": position[0], "number": position[1]}
    given = (value is not None for value in (year, subscription, status))
    statement = _page(*given, oldest_first, position is not None, ids is not None)
    rows = db.session.execute(statement, parameters).all()
    years, subscriptions = map(json.loads, rows[0][:2])
    choices = Choices(
        years=sorted((int(day[:4]) for (day,) in years), reverse=True),
        subscriptions=sorted(subscriptions, key=lambda columns: columns[1:]),
    )
    return choices, [Listed(*row[2:]) for row in rows if row[2] is not None]


def _filter_matches(matches: set[Row[Any]], filters: Filters) -> tuple[str, ...]:
    """The ids of a page and one row more of what a search found, by the same filters as `_page`."""
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
    return tuple(ids_by_position[position] for position in positions[: PAGE + 1])


def _parse_position(text: str) -> Position | None:
    """`2027-01-15.MQ-2027-000003`, where the previous page ended. None for anything else."""
    day, _, number = text.partition(".")
    try:
        return (date.fromisoformat(day), number) if number else None
    except ValueError:
        return None
