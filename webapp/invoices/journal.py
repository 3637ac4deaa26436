"""The journal for the accountant: a line for each invoice and credit note, as CSV."""

import csv
import io
import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, select

from ..db import db
from ..models.invoices import Invoice
from ..models.subscriptions import SubscriptionRow
from ..words import gettext, language

BOM = "\ufeff"  # so that a spreadsheet reads UTF-8
FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")  # what a spreadsheet would run as a formula
# What a line is made of.
COLUMNS = (
    Invoice.number,
    Invoice.issued_on,
    Invoice.kind,
    Invoice.subscription_id,
    Invoice.net,
    Invoice.tax,
    Invoice.total,
    Invoice.currency,
    Invoice.purchase_order,
    Invoice.snapshot,
)


class Journal:
    """A CSV file with one line for each document, in the format of a spreadsheet in the reader's language.

    The amounts of a credit note are negative. `take` returns what was written since the last call.
    """

    def __init__(self, account_id: str) -> None:
        ours = select(SubscriptionRow.id, SubscriptionRow.tenant).where(SubscriptionRow.account_id == account_id)
        self.tenants = {row.id: row.tenant for row in db.session.execute(ours)}
        self.file = io.StringIO(newline="")
        self.file.write(BOM)
        self.french = language() == "fr"
        self.kinds = {"invoice": gettext("Invoice"), "credit_note": gettext("Credit note")}
        self.writer = csv.writer(self.file, delimiter=";" if self.french else ",")
        self.writer.writerow(
            [
                gettext("Number"),
                gettext("Date"),
                gettext("Kind"),
                gettext("Refers to"),
                gettext("Subscription"),
                gettext("First day"),
                gettext("Last day"),
                gettext("Net"),
                gettext("VAT rate (%)"),
                gettext("VAT"),
                gettext("Total"),
                gettext("Currency"),
                gettext("Purchase order"),
            ]
        )

    def add(self, invoice: Invoice | Row[Any]) -> None:
        snapshot, sign = invoice.snapshot, -1 if invoice.kind == "credit_note" else 1
        start, end = map(date.fromisoformat, snapshot["period"])
        net, tax, total = (self._decimal(sign * cents) for cents in (invoice.net, invoice.tax, invoice.total))
        subscription = f"{snapshot['product']} ({self.tenants.get(invoice.subscription_id, '')})"
        self.writer.writerow(
            [
                _safe_cell(invoice.number),
                invoice.issued_on,
                self.kinds[invoice.kind],
                _safe_cell(snapshot.get("credits", {}).get("number", "")),
                _safe_cell(subscription),
                start,
                end - timedelta(days=1),
                net,
                self._decimal(snapshot["tax_rate"]),
                tax,
                total,
                invoice.currency,
                _safe_cell(invoice.purchase_order or ""),
            ]
        )

    def _decimal(self, hundredths: int) -> str:
        printed = f"{Decimal(hundredths).scaleb(-2):.2f}"
        return printed.replace(".", ",") if self.french else printed

    def take(self) -> bytes:
        part = self.file.getvalue().encode("utf-8", "replace")
        self.file.seek(0)
        self.file.truncate()
        return part


def _safe_cell(text: str) -> str:
    """The text as one line that no spreadsheet runs as a formula."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return f"'{line}" if FORMULA.match(text) or text[:1] in ("\t", "\r", "\n") else line
