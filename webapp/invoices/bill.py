"""What a document says, read from an invoice's snapshot. Old snapshots lack some keys, which have defaults here."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple, TypedDict

from ..config import LOCALES
from ..domain.periods import Period
from ..domain.pricing import Line
from ..domain.subscription import Facts
from ..domain.tax import Treatment
from ..models.invoices import Invoice

# Between businesses: 10 points above the ECB's refinancing rate (C. com. art. L441-10), and 40 € (art. D441-5).
LATE_PAYMENT = {"points": 10, "indemnity": 4000}


class Bill(NamedTuple):
    """What an invoice or a credit note says. Amounts in cents, `rate` in basis points; date ranges are half-open.

    `credits` is the number and date of the invoice that a credit note corrects. `spans` has the dates that each line
    pays for.
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
    """`points`: percentage points above the European Central Bank's rate; `indemnity` in cents."""

    points: int
    indemnity: int


def spans_of(lines: list[Line], facts: Facts, ordinal: int) -> list[tuple[date, date]]:
    """The dates that each line of a quote pays for.

    An addition has one line for each period that it raises. All lines of a renewal are for the same period.
    """
    return [
        _span(line, facts.period(ordinal + (index if line["kind"] == "proration" else 0)))
        for index, line in enumerate(lines)
    ]


def _span(line: Line, period: Period) -> tuple[date, date]:
    start = period.end - timedelta(line["days_left"]) if line["kind"] == "proration" else period.start
    return start, period.end


def bill_of(invoice: Invoice, credited: Invoice | None) -> Bill:
    """Reads the snapshot. `credited` is the invoice that a credit note corrects.

    Raises KeyError if the snapshot lacks a key that has no default.
    """
    snapshot = invoice.snapshot
    start, end = map(date.fromisoformat, snapshot["period"])
    lines: list[Line] = snapshot["lines"]
    if sum(line["amount"] for line in lines) != invoice.net:
        lines = [credit_line(invoice.net)]
    spans = [(date.fromisoformat(first), date.fromisoformat(last)) for first, last in snapshot.get("spans", ())]
    return Bill(
        number=invoice.number,
        issued_on=invoice.issued_on,
        credits=(credited.number, credited.issued_on) if credited else None,
        currency=invoice.currency,
        net=invoice.net,
        tax=invoice.tax,
        total=invoice.total,
        seller=snapshot["seller"],
        buyer=snapshot["buyer"],
        delivery=snapshot.get("delivery"),
        product=snapshot["product"],
        seats=snapshot["seats"],
        reason=snapshot.get("reason") or "",
        lines=lines,
        spans=spans if len(spans) == len(lines) else [(start, end)] * len(lines),
        period=(start, end),
        treatment=Treatment(snapshot["tax_treatment"]),
        rate=snapshot["tax_rate"],
        vat_on_debits=snapshot.get("vat_on_debits", False),
        late_payment=snapshot.get("late_payment", LATE_PAYMENT),
        card=snapshot["card"],
        paid_on=_paid_on(invoice),
        language=language_of(invoice),
    )


def _paid_on(invoice: Invoice) -> date:
    """The day of the payment; for a credit note, the day of the refund, which is the day of its issue."""
    day = invoice.snapshot.get("paid_on") if invoice.kind != "credit_note" else None
    return date.fromisoformat(day) if day else invoice.issued_on


def credit_line(net: int, seats: int = 0) -> Line:
    """The single line of a credit note for a part of its invoice."""
    return Line(
        kind="credit",
        seats=seats,
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
    """The language of the document; French if the snapshot has none."""
    locale = invoice.snapshot.get("locale")
    return locale if locale in LOCALES else "fr"
