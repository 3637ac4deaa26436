"""What an account has spent: the sums of its documents, with tax, credit notes taken off."""

from datetime import date

from sqlalchemy import bindparam, case, func, select

from ..db import db
from ..models.invoices import Invoice

_invoice = Invoice.__table__.c
_signed = case((_invoice.kind == "credit_note", -_invoice.total), else_=_invoice.total)
_by_day = (
    select(_invoice.issued_on, func.sum(_signed))
    .where(_invoice.account_id == bindparam("account_id"), _invoice.issued_on >= bindparam("since"))
    .group_by(_invoice.issued_on)
)
_of_one = _by_day.where(_invoice.subscription_id == bindparam("subscription_id"))


def spent_by_day(account_id: str, since: date, subscription_id: str | None = None) -> dict[date, int]:
    """Cents by day from `since` on, of one subscription or of all."""
    values = {"account_id": account_id, "since": since}
    if subscription_id is None:
        rows = db.session.execute(_by_day, values)
    else:
        rows = db.session.execute(_of_one, values | {"subscription_id": subscription_id})
    return {issued_on: int(cents) for issued_on, cents in rows}
