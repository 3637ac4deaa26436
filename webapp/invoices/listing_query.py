"""The statements of the list of invoices: one reads the choices, a page and the sum of what is filtered."""

import json
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Date,
    FromClause,
    Integer,
    ScalarSelect,
    Select,
    String,
    Subquery,
    Text,
    bindparam,
    case,
    cast,
    func,
    null,
    select,
    true,
    tuple_,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from ..db import db
from ..json_rows import row_as_json, rows_as_json
from ..models.invoices import Invoice, Status, search_key
from ..models.subscriptions import SubscriptionRow

PAGE = 50
COUNTED_MAX = 2000  # so many documents are counted and summed; a list of more says that there are more
Position = tuple[Any, ...]  # the values of the order's columns, of the document where a page ends


class Order(StrEnum):
    """How the list is sorted."""

    NEWEST = "newest"
    OLDEST = "oldest"
    LAST_NUMBER = "last-number"
    FIRST_NUMBER = "first-number"
    LARGEST = "largest"
    SMALLEST = "smallest"

    @property
    def by(self) -> str:
        return _COLUMN_OF[self]

    @property
    def ascending(self) -> bool:
        return self in (Order.OLDEST, Order.FIRST_NUMBER, Order.SMALLEST)

    def position(self, issued_on: date, number: str, amount: int) -> Position:
        """Where a document stands in this order. `amount` is negative for a credit note."""
        if self.by == "date":
            return issued_on, number
        return (amount, number) if self.by == "amount" else (search_key(number),)

    def parse(self, text: str) -> Position | None:
        """`2027-01-15.MQ-2027-000003`: where the previous page ended. None for anything else."""
        if self.by == "number":
            return (text,) if text and "\0" not in text else None
        value, _, number = text.partition(".")
        try:
            first = date.fromisoformat(value) if self.by == "date" else int(value[:15])
        except ValueError:
            return None
        return (first, number) if number else None

    def write(self, position: Position) -> str:
        return ".".join(map(str, position))


_COLUMN_OF = {
    Order.NEWEST: "date",
    Order.OLDEST: "date",
    Order.LAST_NUMBER: "number",
    Order.FIRST_NUMBER: "number",
    Order.LARGEST: "amount",
    Order.SMALLEST: "amount",
}
POSITION_TYPES: dict[str, tuple[Any, ...]] = {"date": (Date, String), "number": (String,), "amount": (Integer, String)}


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

    @property
    def amount(self) -> int:
        """The total with tax; negative for a credit note."""
        return -self.total if self.credits_id else self.total


class Choices(NamedTuple):
    """What the list can be filtered by: the years that have a document, newest first, and the subscriptions."""

    years: list[int]
    subscriptions: list[list[str]]  # id, product, tenant


class Matched(NamedTuple):
    """How many documents are filtered, and their sums with tax, credit notes taken off.

    `more`: there are more than COUNTED_MAX, which are not summed.
    """

    documents: int
    credit_notes: int
    sums: list[tuple[int, str]]  # cents, currency
    more: bool = False


class Filters(NamedTuple):
    """The page begins after `position`, in the list's order. `ids`: only these, which a search found."""

    year: int | None
    subscription: str | None
    status: str | None
    order: Order
    position: Position | None
    ids: tuple[str, ...] | None = None

    def among(self, choices: Choices) -> "Filters":
        """Without a year or a subscription that the account does not have."""
        return self._replace(
            year=self.year if self.year in choices.years else None,
            subscription=next((id_ for id_, *_ in choices.subscriptions if id_ == self.subscription), None),
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


def _signed(columns: Any) -> ColumnElement[int]:
    """The total, negative for a credit note. By the status, which the indexes have."""
    return case((columns.status == Status.CREDIT_NOTE.value, -columns.total), else_=columns.total)


def _order_columns(table: FromClause, by: str) -> list[Any]:
    c = table.c
    if by == "number":
        return [c.number_key]
    return [c.issued_on, c.number] if by == "date" else [_signed(c), c.number]


def _years() -> ScalarSelect[Any]:
    """The newest day of each year that has a document. Each takes one look-up in the index."""
    days = select(func.max(_invoice.c.issued_on).label("day")).where(_mine).cte("days", recursive=True)
    earlier = select(func.max(_invoice.c.issued_on)).where(_mine, _invoice.c.issued_on < first_of_year(days.c.day))
    days = days.union_all(select(earlier.scalar_subquery()).where(days.c.day.is_not(None)))
    return select(rows_as_json(days.c.day)).where(days.c.day.is_not(None)).scalar_subquery()


def _choices(sums: Any) -> Subquery:
    c = _subscription.c
    subscriptions = select(rows_as_json(c.id, c.product, c.tenant)).where(c.account_id == _account_id)
    values = {"years": _years(), "subscriptions": subscriptions.scalar_subquery(), "sums": sums}
    return select(*(cast(value, Text).label(name) for name, value in values.items())).subquery("choices")


def _filtered(year: bool, subscription: bool, status: bool) -> list[ColumnElement[bool]]:
    c, conditions = _invoice.c, [_mine]
    if subscription:
        conditions.append(c.subscription_id == bindparam("subscription"))
    if status:
        conditions.append(c.status == bindparam("status"))
    if year:
        conditions.append(c.issued_on.between(bindparam("first", type_=Date), bindparam("last", type_=Date)))
    return conditions


def _summed(conditions: Sequence[ColumnElement[bool]]) -> Subquery:
    """The amounts of what is filtered, read from an index."""
    c = _invoice.c
    rows = select(_signed(c).label("amount"), c.currency, c.status).where(*conditions)
    return rows.limit(COUNTED_MAX + 1).subquery("matched")


def _sums(conditions: Sequence[ColumnElement[bool]]) -> ScalarSelect[Any]:
    """How many documents, how many credit notes, their sum, and the first and the last currency."""
    matched = _summed(conditions)
    c = matched.c
    notes = func.count(case((c.status == Status.CREDIT_NOTE.value, 1)))
    values = func.count(), notes, func.sum(c.amount), func.min(c.currency), func.max(c.currency)
    return select(row_as_json(*values)).select_from(matched).scalar_subquery()


@cache
def _sums_by_currency(year: bool, subscription: bool, status: bool) -> Select[Any]:
    c = _summed(_filtered(year, subscription, status)).c
    return select(func.sum(c.amount), c.currency).group_by(c.currency).order_by(c.currency)


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
def _page(year: bool, subscription: bool, status: bool, order: Order, position: bool, ids: bool) -> Select[Any]:
    """Reads the choices and the sums, and beside them a page and one row more. Each combination of filters has an index
    (see Invoice). Built once for each combination, as that takes longer than to run it.
    """
    c, conditions = _invoice.c, _filtered(year, subscription, status)
    columns, further = _order_columns(_invoice, order.by), list[ColumnElement[bool]]()
    if ids:
        further.append(c.id.in_(bindparam("ids", expanding=True)))
    if position:
        types = POSITION_TYPES[order.by]
        start = tuple_(*(bindparam(f"start_{place}", type_=type_) for place, type_ in enumerate(types)))
        here = tuple_(*columns)
        further.append(here > start if order.ascending else here < start)
    query = select(_invoice).where(*conditions, *further)
    if order.by == "amount" and not ids:  # sorted in an index, so that whole rows are read for one page alone
        keys = select(c.issued_on, c.number).where(*conditions, *further)
        wanted = _ordered(keys, columns, order.ascending).limit(PAGE + 1)
        query = select(_invoice).where(*conditions, tuple_(c.issued_on, c.number).in_(wanted))
    documents = _ordered(query, columns, order.ascending).limit(PAGE + 1).subquery("documents")
    choices = _choices(null() if ids else _sums(conditions))
    statement = select(choices, *_shown(documents)).select_from(choices.outerjoin(documents, true()))
    return _ordered(statement, _order_columns(documents, order.by), order.ascending)


def _ordered(query: Select[Any], columns: Sequence[Any], ascending: bool) -> Select[Any]:
    return query.order_by(*(column if ascending else column.desc() for column in columns))


def newest_as_json() -> ScalarSelect[Any]:
    """The newest `count` of an account, for `listed`."""
    documents = _ordered(select(_invoice).where(_mine), _order_columns(_invoice, "date"), False)
    page = documents.limit(bindparam("count")).subquery("documents")
    return select(rows_as_json(*_shown(page))).scalar_subquery()


def listed(rows: list[list[Any]]) -> list[Listed]:
    """Newest first."""
    documents = [Listed(*row)._replace(issued_on=date.fromisoformat(row[2])) for row in rows]
    return sorted(documents, key=lambda document: (document.issued_on, document.number), reverse=True)


class Read(NamedTuple):
    """What one statement read. `matched` is None where a search has its own."""

    choices: Choices
    matched: Matched | None
    rows: list[Listed]


def read(account_id: str, filters: Filters) -> Read:
    year, subscription, status, order, position, ids = filters
    parameters: dict[str, Any] = {"account_id": account_id, "subscription": subscription, "status": status, "ids": ids}
    if year is not None:
        parameters |= {"first": date(year, 1, 1), "last": date(year, 12, 31)}
    parameters |= {f"start_{place}": value for place, value in enumerate(position or ())}
    given = (year is not None, subscription is not None, status is not None)
    statement = _page(*given, order, position is not None, ids is not None)
    rows = db.session.execute(statement, parameters).all()
    years, subscriptions = map(json.loads, rows[0][:2])
    sums = rows[0].sums and json.loads(rows[0].sums)
    choices = Choices(
        years=sorted((int(day[:4]) for (day,) in years), reverse=True),
        subscriptions=sorted(subscriptions, key=lambda columns: columns[1:]),
    )
    matched = _matched(sums, given, parameters) if sums else None
    return Read(choices, matched, [Listed(*row[3:]) for row in rows if row[3] is not None])


def _matched(sums: list[Any], given: tuple[bool, bool, bool], parameters: dict[str, Any]) -> Matched:
    """The sums of one currency are read with the page. Those of several take a statement of their own."""
    count, notes, amount, currency, last_currency = sums
    if count > COUNTED_MAX:
        return Matched(COUNTED_MAX, notes, [], more=True)
    if currency == last_currency:
        return Matched(count, notes, [(int(amount), currency)] if count else [])
    rows = db.session.execute(_sums_by_currency(*given), parameters)
    return Matched(count, notes, [(int(cents), each) for cents, each in rows])
