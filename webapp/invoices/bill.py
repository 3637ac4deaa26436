"""What a document says, read from an invoice's frozen snapshot; those frozen before a key existed get its default."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple, TypedDict

from ..config import LOCALES
from ..domain.periods import Period
from ..domain.pricing import Line
from ..domain.subscription import Facts
from ..domain.tax import Treatment
from ..models.invoices import Invoice

# B2B: the European Central Bank's refinancing rate and ten points (C. com. art. L441-10), 40 € (art. D441-5).
LATE_PAYMENT = {"points": 10, "indemnity": 4000}


class Bill(NamedTuple):
    """An invoice, or the credit note of one. Cents; spans and the period are half-open, `rate` in basis points.

    `credits` is the number and date of the invoice that a credit note corrects. `spans` has what each line pays for.
    """

    number: str
    issued_on: date
    credits: tuple[str, date] | None
    currency: str
    net: int
    tax: int
    total: int
    seller: Mapping[str, Any]
    buyer: Mapping[str, Any]
    delivery: Mapping[str, Any] | None
    product: str
    seats: int
    reason: str
    lines: list[Line]
    spans: list[tuple[date, date]]
    period: tuple[date, date]
    treatment: Treatment
    rate: int
    vat_on_debits: bool
    late_payment: "LatePayment"
    card: Mapping[str, str] | None
    paid_on: date
    language: str


class LatePayment(TypedDict):
    """`points` above the European Central Bank's rate; the `indemnity` in cents."""

    points: int
    indemnity: int


def spans_of(lines: list[Line], facts: Facts, ordinal: int) -> list[tuple[date, date]]:
    """What each line of a quote pays for: added seats rise in one period after the other, all else is of one."""
    return [
        _span(line, facts.period(ordinal + (index if line["kind"] == "proration" else 0)))
        for index, line in enumerate(lines)
    ]


def _span(line: Line, period: Period) -> tuple[date, date]:
    start = period.end - timedelta(line["days_left"]) if line["kind"] == "proration" else period.start
    return start, period.end


def bill_of(invoice: Invoice, credited: Invoice | None) -> Bill:
    """`credited` is what a credit note `credits`. KeyError where the snapshot lacks what every invoice has had."""
    told = invoice.snapshot
    start, end = map(date.fromisoformat, told["period"])
    lines: list[Line] = told["lines"]
    if sum(line["amount"] for line in lines) != invoice.net:
        lines = [_in_one(invoice.net)]
    spans = [(date.fromisoformat(first), date.fromisoformat(last)) for first, last in told.get("spans", ())]
    return Bill(
        number=invoice.number,
        issued_on=invoice.issued_on,
        credits=(credited.number, credited.issued_on) if credited else None,
        currency=invoice.currency,
        net=invoice.net,
        tax=invoice.tax,
        total=invoice.total,
        seller=told["seller"],
        buyer=told["buyer"],
        delivery=told.get("delivery"),
        product=told["product"],
        seats=told["seats"],
        reason=told.get("reason") or "",
        lines=lines,
        spans=spans if len(spans) == len(lines) else [(start, end)] * len(lines),
        period=(start, end),
        treatment=Treatment(told["tax_treatment"]),
        rate=told["tax_rate"],
        vat_on_debits=told.get("vat_on_debits", False),
        late_payment=told.get("late_payment", LATE_PAYMENT),
        card=told["card"],
        paid_on=_settled_on(invoice),
        language=language_of(invoice),
    )


def _settled_on(invoice: Invoice) -> date:
    """The day of the payment; a credit note is issued when the money has gone back."""
    day = invoice.snapshot.get("paid_on") if invoice.kind != "credit_note" else None
    return date.fromisoformat(day) if day else invoice.issued_on


def _in_one(net: int) -> Line:
    """The line of a credit note for a part of its invoice."""
    return Line(
        kind="credit",
        seats=0,
        months=0,
        amount=net,
        first=0,
        last=0,
        unit=0,
        monthly=0,
        days_left=0,
        days=0,
    )


def language_of(invoice: Invoice) -> str:
    wished = invoice.snapshot.get("locale")
    return wished if wished in LOCALES else "fr"
