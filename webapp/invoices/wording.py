"""The words of an invoice or a credit note, the same in the PDF and in the XML. The caller forces the language."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import formats
from ..domain.pricing import Line
from ..domain.tax import Treatment
from ..formats import ngettext
from ..sentences.amounts import total_label
from ..words import gettext, lazy_gettext
from .bill import Bill
from .facturx import UNTAXED, Words


class LineWords(NamedTuple):
    """What a line is for, and how its amount comes about; the latter is empty for a part of an invoice."""

    label: str
    calculation: str


def words_of(bill: Bill) -> Words:
    """The texts of the XML."""
    return Words(
        lines=[(f"{bill.product} – {label}", note) for label, note in (_line(bill, line) for line in bill.lines)],
        notes=_notes(bill),
        exemption=_exemption(bill),
        means=_card(bill),
        terms=_paid(bill),
        legal=_legal(bill.seller),
    )


def page_of(bill: Bill) -> dict[str, Any]:
    """What templates/invoices/invoice.typ prints, each amount and date as text."""
    total = formats.money(bill.total, bill.currency)
    parties = [_party(gettext("Seller"), bill.seller), _party(gettext("Customer"), bill.buyer)]
    if bill.delivery:
        parties.append(_party(gettext("Delivered to"), {"siren": None, "vat_number": None, **bill.delivery}))
    day = formats.day(bill.paid_on)
    return {
        "language": bill.language,
        "credit": bool(bill.credits),
        "title": gettext("Credit note") if bill.credits else gettext("Invoice"),
        "number": bill.number,
        "status": gettext("Refunded") if bill.credits else gettext("Paid"),
        "headline": gettext("%(total)s refunded on %(day)s", total=total, day=day)
        if bill.credits
        else gettext("%(total)s paid on %(day)s", total=total, day=day),
        "details": [[name, value] for name, value in _details(bill) if value],
        "parties": parties,
        "columns": [
            gettext("Description"),
            gettext("Quantity"),
            gettext("Unit price before tax"),
            gettext("VAT"),
            gettext("Amount before tax"),
        ],
        "product": bill.product,
        "period": _span(bill.period),
        "lines": [_row(bill, index) for index in range(len(bill.lines))],
        "sums": [
            [gettext("Total before tax"), formats.money(bill.net, bill.currency)],
            [tax_name(bill.treatment, bill.rate), formats.money(bill.tax, bill.currency)],
        ],
        "total": [total_label(bill.rate), total],
        "settled": [[_paid(bill), total], [gettext("Amount due"), formats.money(0, bill.currency)]],
        "mentions": [mention for mention in (_exemption(bill), _debits(bill)) if mention],
        "terms": [note for code, note in _notes(bill).items() if code != "AAI"],
        "legal": _legal(bill.seller),
    }


def _details(bill: Bill) -> list[tuple[str, str]]:
    credited = bill.credits
    return [
        (gettext("Number"), bill.number),
        (gettext("Issue date"), formats.day(bill.issued_on)),
        (
            gettext("Corrects"),
            gettext("Invoice %(number)s of %(day)s", number=credited[0], day=formats.day(credited[1]))
            if credited
            else "",
        ),
        (gettext("Reason"), bill.reason),
        (gettext("Period"), _span(bill.period)),
        (gettext("Subscription"), f"{bill.product} · {ngettext('%(n)s seat', '%(n)s seats', bill.seats)}"),
        (gettext("Purchase order"), bill.buyer.get("purchase_order") or ""),
        (gettext("Nature of the transaction"), gettext("Supply of services")),
    ]


def _span(span: tuple[Any, Any]) -> str:
    return formats.period((0, *span))


def _party(title: str, party: Mapping[str, Any]) -> dict[str, Any]:
    numbers = [["SIREN", party["siren"]], [gettext("VAT number"), party["vat_number"]]]
    return {
        "title": title,
        "name": party["legal_name"],
        "address": [
            party["street"],
            f"{party['postal_code']} {party['city']}",
            formats.country(party["country"]),
        ],
        "numbers": [number for number in numbers if number[1]],
    }


def _row(bill: Bill, index: int) -> list[str]:
    """The cells: description, explanation, quantity, unit price, VAT and amount."""
    line, (label, note) = bill.lines[index], _line(bill, bill.lines[index])
    tier, several = line["kind"] == "tier", len(set(bill.spans)) > 1
    explained = tier and line["months"] == 1  # by its quantity and unit price
    return [
        label,
        " · ".join(part for part in ("" if explained else note, _span(bill.spans[index]) if several else "") if part),
        formats.number(line["seats"] if tier else 1),
        formats.money(line["unit"] * line["months"] if tier else line["amount"], bill.currency),
        "–" if bill.treatment in UNTAXED else formats.percent(bill.rate),
        formats.money(line["amount"], bill.currency),
    ]


def _line(bill: Bill, line: Line) -> tuple[str, str]:
    """A line of the document, and what explains it."""
    words = line_words(line, bill.currency, bill.credits[0] if bill.credits else bill.number)
    return words.label, words.calculation or bill.reason


def line_words(line: Line, currency: str, credited: str = "") -> LineWords:
    """Of a quote or a document; `credited` is the number of the invoice that a credit note corrects."""
    if line["kind"] not in ("tier", "proration"):
        return LineWords(gettext("Partial refund of invoice %(number)s", number=credited), "")
    months = " × " + ngettext("%(n)s month", "%(n)s months", line["months"]) if line["months"] > 1 else ""
    if line["kind"] == "tier":
        first, last = formats.number(line["first"]), formats.number(line["last"])
        label = (
            gettext("Seat %(n)s", n=first)
            if first == last
            else gettext("Seats %(first)s to %(last)s", first=first, last=last)
        )
        return LineWords(label, f"{formats.number(line['seats'])} × {formats.money(line['unit'], currency)}{months}")
    if line["days_left"] < line["days"]:
        label = ngettext("%(n)s seat for the days left", "%(n)s seats for the days left", line["seats"])
    else:
        label = ngettext("%(n)s seat for the whole period", "%(n)s seats for the whole period", line["seats"])
    days = gettext("%(left)s of %(days)s days", left=line["days_left"], days=line["days"])
    return LineWords(label, f"{formats.money(line['monthly'], currency)}{months} × {days}")


# Why a document bears no VAT: the name in the sums, and the mention with its article of law.
WITHOUT_VAT = {
    Treatment.REVERSE_CHARGE: (
        lazy_gettext("VAT: reverse charge, due by the customer"),
        lazy_gettext(
            "Reverse charge: VAT is due by the customer (CGI art. 283-2; Directive 2006/112/EC, art. 44 and 196)."
        ),
    ),
    Treatment.OVERSEAS: (
        lazy_gettext("VAT: not applicable in Guyane and Mayotte"),
        lazy_gettext("VAT not applicable: customer established in Guyane or Mayotte (CGI art. 294)."),
    ),
    Treatment.OUTSIDE_EU: (
        lazy_gettext("VAT: not applicable outside the European Union"),
        lazy_gettext(
            "VAT not applicable: service to a customer established outside the European Union (CGI art. 259-1)."
        ),
    ),
}


def tax_name(treatment: str, rate: int) -> str:
    """The name of the tax in the sums; `rate` in basis points."""
    if treatment == Treatment.STANDARD:
        return gettext("VAT %(rate)s", rate=formats.percent(rate))
    return str(WITHOUT_VAT[Treatment(treatment)][0])


def _exemption(bill: Bill) -> str:
    """Why there is no VAT, with the article of law. Empty if there is."""
    return "" if bill.treatment is Treatment.STANDARD else str(WITHOUT_VAT[bill.treatment][1])


def _debits(bill: Bill) -> str:
    return gettext("VAT is paid on debits, by option.") if bill.vat_on_debits else ""


def _notes(bill: Bill) -> dict[str, str]:
    """The notes that French law requires between businesses, by subject code (C. com. art. L441-9)."""
    points, indemnity = bill.late_payment["points"], bill.late_payment["indemnity"]
    notes = {
        "PMD": gettext(
            "Late payment: penalties from the day after the due date, at the European Central Bank’s latest "
            "refinancing rate plus %(points)s percentage points (Commercial Code, art. L441-10).",
            points=points,
        ),
        "PMT": gettext(
            "Fixed indemnity for recovery costs: %(amount)s (Commercial Code, art. D441-5).",
            amount=_whole(indemnity),
        ),
        "AAB": gettext("No discount for early payment."),
    }
    return notes | ({"AAI": bill.reason} if bill.reason else {})


def _card(bill: Bill) -> str:
    return formats.card_name(bill.card["brand"], bill.card["last4"]) if bill.card else ""


def _paid(bill: Bill) -> str:
    day, card = formats.day(bill.paid_on), _card(bill)
    if bill.credits:
        return (
            gettext("Refunded on %(day)s to %(card)s", day=day, card=card)
            if card
            else gettext("Refunded on %(day)s", day=day)
        )
    return gettext("Paid on %(day)s with %(card)s", day=day, card=card) if card else gettext("Paid on %(day)s", day=day)


def _legal(seller: Mapping[str, Any]) -> str:
    """`SAS au capital de 50 000 € · RCS Paris 900 100 207`: what the seller must state on every document."""
    form, capital, register = (seller.get(name) for name in ("legal_form", "share_capital", "register"))
    siren = seller["siren"]
    company = (
        gettext("%(form)s with a share capital of %(capital)s", form=form, capital=_whole(capital))
        if form and capital
        else form
    )
    entry = f"RCS {register} {siren[:3]}\u00a0{siren[3:6]}\u00a0{siren[6:]}" if register else f"SIREN {siren}"
    return " · ".join(part for part in (company, entry) if part)


def _whole(cents: int) -> str:
    """An amount in euros, without cents if there are none."""
    return re.sub(r"[.,]00(?=\D|$)", "", formats.money(cents))
