"""Changing the billing information: two people who edit it at once do not undo each other's change."""

from typing import Any, NamedTuple

from sqlalchemy import select

from ..db import LOCK, db, transaction
from ..domain import edits
from ..mail import security_mails
from ..models.accounts import Account
from ..models.purchases import Payment
from ..ports import ports
from . import activity, billing_information
from .billing_information import Information, information_of

# The numbers are checked against the country, and the tax follows from them: they are changed together.
TAX_FIELDS = ("country", "postal_code", "siren", "vat_number")


class ChangedMeanwhile(Exception):
    """Somebody else changed the same fields after the form was opened. Nothing was saved.

    `merged`: what the form shows next. `clashes`: the fields that both changed. `saved`: what is stored now.
    """

    def __init__(self, merged: dict[str, Any], clashes: frozenset[str], saved: Information) -> None:
        super().__init__("Changed by somebody else meanwhile")
        self.merged, self.clashes, self.saved = merged, clashes, saved


class Saved(NamedTuple):
    """`payment_pending`: the invoice of a payment in progress keeps the information that its tax was computed for."""

    changed: bool
    payment_pending: bool = False


def update_information(account_id: str, information: Information, opened: Information | None = None) -> Saved:
    """Saves what differs and records it in the activity.

    `opened` is what the form showed when it was opened: what somebody else changed since is kept. Raises
    ChangedMeanwhile, WrongDigits, WrongCountry, WrongEmailCount and WrongAddress. Issued invoices never change.
    """
    information = information._replace(
        siren=billing_information.siren(information.country, information.siren or ""),
        vat_number=billing_information.vat_number(information.country, information.vat_number or ""),
        billing_emails=billing_information.emails("\n".join(information.billing_emails)),
    )
    with transaction() as session:
        account = session.get_one(Account, account_id, with_for_update=LOCK)
        saved = information_of(account)
        merged = edits.merge((opened or saved)._asdict(), information._asdict(), saved._asdict(), [TAX_FIELDS])
        if merged.clashes:
            raise ChangedMeanwhile(merged.values, merged.clashes, saved)
        after = {name: value for name, value in merged.values.items() if getattr(account, name) != value}
        before = {name: getattr(account, name) for name in after}
        for name, value in after.items():
            setattr(account, name, value)
        if after:
            now = ports().clock.now(account)
            activity.record(account_id, "billing_information_changed", now, before, after)
            if "billing_emails" in after:
                session.add_all(security_mails.billing_emails_changed(account, before["billing_emails"]))
        return Saved(bool(after), bool(after) and _payment_pending(account_id))


def _payment_pending(account_id: str) -> bool:
    pending = select(Payment.key).where(Payment.account_id == account_id, Payment.state == "pending")
    return db.session.scalars(pending.limit(1)).first() is not None
