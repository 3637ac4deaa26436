"""The list of an account's invoices and credit notes: filters, search and pages."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Row, select

from .. import pasting
from ..db import NotFound, db
from ..models.invoices import Invoice, Status, search_key
from .listing_query import PAGE, Filters, Listed, Matched, Order, Position, read
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


class InvoicePage(NamedTuple):
    """A page of the list, and the filters that it was made by.

    `before` and `next` are positions in the list's order: where the previous page and this page end. They are None if
    there is no such page. `too_many`: more documents match the search than were read; then `matched` is None.
    """

    invoices: Sequence[Listed]
    matched: Matched | None
    years: Sequence[int]
    subscriptions: Sequence[Sequence[str]]  # id, product, tenant
    year: int | None
    subscription: str | None
    status: str | None
    search: str
    order: Order
    before: str | None
    next: str | None
    too_many: bool

    @property
    def narrowed(self) -> bool:
        return bool(self.year or self.subscription or self.status or self.search)

    @property
    def filters(self) -> dict[str, Any]:
        """The query parameters of the filters, without the order."""
        return {
            "year": self.year,
            "subscription": self.subscription,
            "status": self.status,
            "search": self.search or None,
        }

    @property
    def chosen(self) -> dict[str, Any]:
        """The query parameters that the links of the list keep."""
        return self.filters | {"order": None if self.order == Order.NEWEST else self.order.value}


def list_invoices(account_id: str, parameters: Mapping[str, str]) -> InvoicePage:
    """A page of the account's invoices and credit notes.

    `parameters` are the query parameters `year`, `subscription`, `status`, `search`, `order` and `before`. Invalid
    values and ids of other accounts are ignored.
    """
    search = " ".join(pasting.trimmed(parameters.get("search")).replace("\0", " ").split())[:100]
    year = parameters.get("year", "")
    order = next((order for order in Order if order == parameters.get("order")), Order.NEWEST)
    filters = Filters(
        year=int(year) if re.fullmatch("[1-9][0-9]{3}", year) else None,
        subscription=parameters.get("subscription", "").replace("\0", "") or None,
        status=next((status.value for status in Status if status == parameters.get("status")), None),
        order=order,
        position=order.parse(parameters.get("before", "")),
        ids=() if search else None,
    )
    choices, matched, rows = read(account_id, filters)
    valid, too_many = filters.among(choices), False
    if search:
        found, too_many = matching(account_id, search_key(search), choices.years, order.ascending)
        kept = _filter_matches(found, valid)
        matched = None if too_many else _sums(kept.values())
        valid = valid._replace(ids=_ids_of_page(kept, valid), position=None)
    if valid != filters:
        _, read_again, rows = read(account_id, valid)
        matched = matched if search else read_again
    page = rows[:PAGE]
    last = page[-1] if len(rows) > PAGE else None
    return InvoicePage(
        invoices=page,
        matched=matched,
        years=choices.years,
        subscriptions=choices.subscriptions,
        year=valid.year,
        subscription=valid.subscription,
        status=valid.status,
        search=search,
        order=order,
        before=parameters.get("before") if filters.position else None,
        next=order.write(order.position(last.issued_on, last.number, last.amount)) if last else None,
        too_many=too_many,
    )


def _filter_matches(found: set[Row[Any]], filters: Filters) -> dict[Position, Row[Any]]:
    """What a search found, by position, after the same filters as those of the statement."""
    return {
        filters.order.position(row.issued_on, row.number, _amount(row)): row
        for row in found
        if (filters.year is None or row.issued_on.year == filters.year)
        and (filters.subscription is None or row.subscription_id == filters.subscription)
        and (filters.status is None or row.status == filters.status)
    }


def _amount(row: Row[Any]) -> int:
    total: int = row.total
    return -total if row.status == Status.CREDIT_NOTE else total


def _sums(rows: Collection[Row[Any]]) -> Matched:
    sums = Counter[str]()
    for row in rows:
        sums[row.currency] += _amount(row)
    notes = sum(row.status == Status.CREDIT_NOTE for row in rows)
    return Matched(len(rows), notes, sorted(((cents, currency) for currency, cents in sums.items()), key=itemgetter(1)))


def _ids_of_page(kept: dict[Position, Row[Any]], filters: Filters) -> tuple[str, ...]:
    """The ids of a page and one row more."""
    ascending, start = filters.order.ascending, filters.position
    positions = sorted(kept, reverse=not ascending)
    if start is not None:
        positions = [here for here in positions if (here > start if ascending else here < start)]
    return tuple(kept[position].id for position in positions[: PAGE + 1])
