"""The list of an account's invoices: what it can be narrowed to, and a page of it."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import extract, select, tuple_

from .db import db
from .models import Subscription
from .records import Invoice

PAGE = 50


class Listed(NamedTuple):
    """A page, newest first, and what it was chosen by; `older` is the key of the next page, None on the last."""

    invoices: Sequence[Invoice]
    years: Sequence[int]
    subscriptions: Sequence[tuple[str, str, str]]  # id, product, tenant
    year: int | None
    subscription: str | None
    before: str | None
    older: str | None


def listed(account_id: str, asked: Mapping[str, str]) -> Listed:
    """`asked` is as typed in the address: `year`, `subscription`, `before`. What names nothing of ours is ignored."""
    of_each = select(extract("year", Invoice.issued_on)).where(Invoice.account_id == account_id).distinct()
    years = [int(year) for year in db.session.scalars(of_each)]
    owned = select(Subscription.id, Subscription.product, Subscription.tenant)
    subscriptions = db.session.execute(
        owned.where(Subscription.account_id == account_id).order_by(Subscription.product, Subscription.tenant)
    ).all()
    year = next((year for year in years if str(year) == asked.get("year")), None)
    subscription = next((row.id for row in subscriptions if row.id == asked.get("subscription")), None)
    key = _parse_key(asked.get("before", ""))

    query = select(Invoice).where(Invoice.account_id == account_id)
    if year is not None:
        query = query.where(Invoice.issued_on.between(date(year, 1, 1), date(year, 12, 31)))
    if subscription is not None:
        query = query.where(Invoice.subscription_id == subscription)
    if key is not None:
        query = query.where(tuple_(Invoice.issued_on, Invoice.number) < tuple_(*key))
    found = db.session.scalars(
        query.order_by(Invoice.issued_on.desc(), Invoice.number.desc()).limit(PAGE + 1)
    ).all()  # fmt: skip
    page = found[:PAGE]
    return Listed(
        invoices=page,
        years=sorted(years, reverse=True),
        subscriptions=[(row.id, row.product, row.tenant) for row in subscriptions],
        year=year,
        subscription=subscription,
        before=asked.get("before") if key else None,
        older=f"{page[-1].issued_on.isoformat()}.{page[-1].number}" if len(found) > PAGE else None,
    )


def _parse_key(text: str) -> tuple[date, str] | None:
    """`2027-01-15.MQ-2027-000003`: where the last page ended; None for anything else."""
    day, _, number = text.partition(".")
    try:
        return (date.fromisoformat(day), number) if number else None
    except ValueError:
        return None
