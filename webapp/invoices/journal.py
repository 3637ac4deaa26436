"""The journal for the accountant: a line for each invoice and credit note, as CSV."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, select

from .. import spreadsheet
from ..db import db
from ..models.invoices import Invoice
from ..models.subscriptions import SubscriptionRow
from ..spreadsheet import safe_cell
from ..words import gettext, language

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
        self.file, self.writer = spreadsheet.begin()
        self.french = language() == "fr"
        self.kinds = {"invoice": gettext("Invoice"), "credit_note": gettext("Credit note")}
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
                safe_cell(invoice.number),
                invoice.issued_on,
                self.kinds[invoice.kind],
                safe_cell(snapshot.get("credits", {}).get("number", "")),
                safe_cell(subscription),
                start,
                end - timedelta(days=1),
                net,
                self._decimal(snapshot["tax_rate"]),
                tax,
                total,
                invoice.currency,
                safe_cell(invoice.purchase_order or ""),
            ]
        )

    def _decimal(self, hundredths: int) -> str:
        printed = f"{Decimal(hundredths).scaleb(-2):.2f}"
        return printed.replace(".", ",") if self.french else printed

    def take(self) -> bytes:
        return spreadsheet.take(self.file)
