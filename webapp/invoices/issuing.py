"""Issues invoices and credit notes: numbers them and freezes what they say in a snapshot."""

from collections.abc import Iterable
from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Executable, Insert, case, func, select
from sqlalchemy.dialects import postgresql, sqlite

from ..db import Across, across, db, locks_rows, new_id, table_of
from ..models.accounts import Account, Issuer
from ..models.invoices import Invoice, InvoiceCounter, SpentNumber, Status
from ..models.purchases import Payment, Quote, Refund
from ..models.subscriptions import Subscription
from .bill import LATE_PAYMENT, credit_line, spans_of

NUMBER_TO_COME = "number-to-come"  # in drafts
FIRST_YEAR = 2000  # before any invoice of the portal
PARTY_COLUMNS = ("legal_name", "street", "postal_code", "city", "country", "siren", "vat_number")
ISSUER_COLUMNS = (*PARTY_COLUMNS, "legal_form", "share_capital", "register")
BUYER_COLUMNS = (*PARTY_COLUMNS, "purchase_order")


def issue_invoice(subscription: Subscription, quote: Quote, payment: Payment | None, now: datetime) -> Invoice:
    """Adds the invoice of a paid quote to the open transaction. A period from before the portal has no payment."""
    issuer = db.session.get_one(Issuer, subscription.account.issuer_id)
    invoice = draft_invoice(issuer, subscription, quote, payment, now)
    invoice.number, invoice.issued_on = next_number(issuer, now)
    db.session.add(invoice)
    return invoice


def draft_invoice(
    issuer: Issuer, subscription: Subscription, quote: Quote, payment: Payment | None, now: datetime
) -> Invoice:
    """The invoice of a paid quote, with NUMBER_TO_COME in place of its number. It is not stored."""
    account, facts = subscription.account, subscription.facts
    spans = spans_of(quote.lines, facts, quote.ordinal)
    buyer = quote.buyer or account.buyer
    snapshot: dict[str, Any] = {
        "seller": _columns(issuer, ISSUER_COLUMNS),
        "buyer": buyer,
        "delivery": None,  # only goods have a place of delivery; a subscription is a service
        "locale": account.document_locale,
        "product": subscription.product,
        "kind": quote.kind,
        "seats": quote.seats,
        "period": [min(start for start, _ in spans).isoformat(), max(end for _, end in spans).isoformat()],
        "lines": quote.lines,
        "spans": [[start.isoformat(), end.isoformat()] for start, end in spans],
        "tax_treatment": quote.tax_treatment,
        "tax_rate": quote.tax_rate,
        "vat_on_debits": issuer.vat_on_debits,
        "late_payment": LATE_PAYMENT,
        "card": {"brand": payment.card_brand, "last4": payment.card_last4} if payment else None,
        "paid_on": _paid_at(payment, now).astimezone(ZoneInfo(account.zone)).date().isoformat(),
    }
    return Invoice(
        id=new_id(),
        issuer_id=issuer.id,
        account_id=account.id,
        subscription_id=subscription.id,
        payment_key=payment.key if payment else None,
        number=NUMBER_TO_COME,
        issued_on=now.date(),
        currency=quote.currency,
        net=quote.net,
        tax=quote.tax,
        total=quote.total,
        snapshot=snapshot,
        purchase_order=buyer["purchase_order"],
    )


def issue_credit_note(issuer_id: str, invoice: Invoice, refund: Refund, now: datetime) -> Invoice:
    """Adds the credit note of a refund to the open transaction, which must hold the lock of the invoice.

    It repeats the snapshot of the invoice. If only a part is refunded, one line says so.
    """
    number, issued_on = next_number(db.session.get_one(Issuer, issuer_id), now)
    whole = refund.net == invoice.net
    snapshot = invoice.snapshot | {
        "lines": invoice.snapshot["lines"] if whole else [credit_line(refund.net, invoice.snapshot["seats"])],
        "credits": {"number": invoice.number, "issued_on": invoice.issued_on.isoformat()},
        "reason": refund.reason,
    }
    note = Invoice(
        id=new_id(),
        issuer_id=issuer_id,
        account_id=invoice.account_id,
        subscription_id=invoice.subscription_id,
        kind="credit_note",
        status=Status.CREDIT_NOTE,
        credits_id=invoice.id,
        number=number,
        issued_on=issued_on,
        currency=invoice.currency,
        net=refund.net,
        tax=refund.tax,
        total=refund.total,
        snapshot=snapshot,
        purchase_order=invoice.purchase_order,
    )
    db.session.add(note)
    invoice.credited += note.total
    invoice.status = Status.CREDITED if invoice.credited == invoice.total else Status.PARTLY_CREDITED
    db.session.flush()
    return note


def _paid_at(payment: Payment | None, now: datetime) -> datetime:
    """After a restore, an invoice may be issued later than its payment was made."""
    return (payment and payment.settled_at) or now


def spend_numbers(issuer: Issuer, year: int, last: int, reason: str, now: datetime) -> list[str]:
    """Records the numbers up to `last` that were issued after the copy was made, in the open transaction.

    Returns those that were not recorded before.
    """
    before, _ = _count(issuer, date(year, 1, 1), 0)
    numbers = [_format_number(issuer, year, number) for number in range(before + 1, last + 1)]
    _count(issuer, date(year, 1, 1), len(numbers))
    db.session.add_all(
        SpentNumber(issuer_id=issuer.id, number=number, reason=reason, spent_at=now) for number in numbers
    )
    return numbers


def last_number(issuer: Issuer) -> str:
    """The last number that was issued, or the one before the first."""
    newest = select(InvoiceCounter).where(InvoiceCounter.issuer_id == issuer.id).order_by(InvoiceCounter.year.desc())
    counter = db.session.scalars(newest.limit(1)).one_or_none()
    return (
        _format_number(issuer, counter.year, counter.last_number) if counter else _format_number(issuer, FIRST_YEAR, 0)
    )


class MissingNumbers(NamedTuple):
    issuer_id: str
    year: int
    missing: int


def missing_numbers() -> list[MissingNumbers]:
    """Numbers that no document has and that are not recorded as spent."""
    found = []
    for counter in db.session.scalars(select(InvoiceCounter).order_by(InvoiceCounter.issuer_id, InvoiceCounter.year)):
        known = sum(
            db.session.scalars(
                across(
                    select(func.count(table.number.distinct())).where(
                        table.issuer_id == counter.issuer_id, table.number.contains(f"-{counter.year}-")
                    ),
                    Across.DOCTOR,
                )
            ).one()
            for table in (Invoice, SpentNumber)
        )
        if known != counter.last_number:
            found.append(MissingNumbers(counter.issuer_id, counter.year, counter.last_number - known))
    return found


def _columns(row: Issuer | Account, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def next_number(issuer: Issuer, now: datetime) -> tuple[str, date]:
    """The next number and the date to print.

    For each issuer and year, numbers have no gaps and follow the dates (CGI annexe II, art. 242 nonies A). The counter
    stays locked until the commit: no two invoices get the same number, and a rollback leaves no gap. So callers do as
    little as possible between this and their commit: all renewals of the issuer wait for it.
    """
    number, issued_on = _count(issuer, now.date(), 1)
    return _format_number(issuer, now.year, number), issued_on


def _count(issuer: Issuer, day: date, numbers: int) -> tuple[int, date]:
    """Locks the counter of that day's year and moves it. Returns the last number and date that were given.

    The first invoice of a year creates the counter.
    """
    values = {"issuer_id": issuer.id, "year": day.year, "last_number": numbers, "last_issued_on": day}
    row = db.session.execute(_counting(locks_rows()), values).one()
    return row.last_number, row.last_issued_on


@cache
def _counting(on_postgresql: bool) -> Executable:
    new = (postgresql if on_postgresql else sqlite).insert(table_of(InvoiceCounter))
    counter, later = new.table.c, new.excluded.last_issued_on
    counted: Insert = new.on_conflict_do_update(
        index_elements=[counter.issuer_id, counter.year],
        set_={
            "last_number": counter.last_number + new.excluded.last_number,
            "last_issued_on": case((later > counter.last_issued_on, later), else_=counter.last_issued_on),
        },
    )
    return counted.returning(counter.last_number, counter.last_issued_on)


def _format_number(issuer: Issuer, year: int, number: int) -> str:
    return f"{issuer.invoice_prefix}-{year}-{number:06d}"
