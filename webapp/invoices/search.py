"""The search for invoices and credit notes by what was typed."""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import InstrumentedAttribute

from ..db import db
from ..models.accounts import Account, Issuer
from ..models.invoices import Invoice, search_key

SEARCH_LIMIT = 100  # matches that each query of a search reads
Columns = Select[*tuple[Any, ...]]
AFTER_ALL = "\U0010ffff"  # sorts after every character, so a prefix p matches the range from p to p + AFTER_ALL


def matching(account_id: str, typed: str, years: Sequence[int], ascending: bool) -> tuple[set[Row[Any]], bool]:
    """The documents that match, at most SEARCH_LIMIT for each query, and whether there are more.

    What was typed may be the begin of a number, with its prefix or without (`2027-0000`); the number within a year,
    with any of its zeros (`42`, `2027-0042`); or the begin of a purchase order.
    """
    prefix = db.session.scalars(
        select(Issuer.invoice_prefix).join(Account, Account.issuer_id == Issuer.id).where(Account.id == account_id)
    ).one()
    columns = select(Invoice.id, Invoice.issued_on, Invoice.number, Invoice.subscription_id, Invoice.status)
    columns = columns.add_columns(Invoice.total, Invoice.currency)
    documents = columns.where(Invoice.account_id == account_id).limit(SEARCH_LIMIT + 1)
    number, order, day = Invoice.number_key, Invoice.order_key, Invoice.issued_on

    def ordered(query: Columns, *by: InstrumentedAttribute[Any]) -> Columns:
        return query.order_by(*(column if ascending else column.desc() for column in by))

    queries: list[Columns] = [
        ordered(documents.where(number >= begin, number <= begin + AFTER_ALL), number)
        for begin in (typed, search_key(f"{prefix}-{typed}"))
    ]
    queries.append(ordered(documents.where(order == typed), day))
    queries.append(ordered(documents.where(order > typed, order <= typed + AFTER_ALL), order, day))
    if numbers := _whole_numbers(prefix, typed, years):
        queries.append(documents.where(number.in_(numbers)))
    results = [db.session.execute(query).all() for query in queries]
    matches = {row for rows in results for row in rows[:SEARCH_LIMIT]}
    return matches, any(len(rows) > SEARCH_LIMIT for rows in results)


def _whole_numbers(prefix: str, typed: str, years: Sequence[int]) -> list[str]:
    """The keys of the numbers that end as was typed, where zeros may lack: an index finds them, but no ending."""
    match = re.fullmatch("(?:([0-9]{0,4})-)?([0-9]{1,9})", typed.removeprefix(search_key(f"{prefix}-")))
    if match is None:
        return []
    ending, number = match[1] or "", int(match[2])
    return [search_key(f"{prefix}-{year}-{number:06d}") for year in years if str(year).endswith(ending)]
