"""The state of a sandbox account as JSON data: subscriptions, invoices, payments, the gateway's ledger and mails."""

from collections.abc import Mapping
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import select

from ..accounts import people
from ..db import db
from ..invoices import documents, listing
from ..models.accounts import Account
from ..models.activity import Activity
from ..models.invoices import Invoice
from ..models.mail import Message
from ..models.purchases import Payment
from ..models.subscriptions import ChangeRow, Subscription
from ..ports import ports
from ..purchases import wallet
from ..subscriptions import summary
from ..subscriptions.loading import load_all
from ..team.members import list_members
from .tables import SandboxAccount, SandboxCharge, SandboxHeadcount, SandboxRefund


def messages_of(account_id: str) -> list[Message]:
    """The mails of an account, oldest first."""
    return list(
        db.session.scalars(
            select(Message).where(Message.account_id == account_id).order_by(Message.sent_at, Message.id)
        )
    )


def account_state(account: Account) -> dict[str, object]:
    """What the portal stores about an account, and what the gateway's own ledger says, for tests to compare.

    Amounts are in cents. The end of a period is exclusive.
    """
    account_id, now = account.id, ports().clock.now(account)
    zone, subscriptions = ZoneInfo(account.zone), load_all(account_id)
    invoices = listing.invoices_of(account_id)
    files = {invoice.id: documents.filename(invoice) for invoice in invoices}
    return {
        "now": now.isoformat(timespec="seconds"),
        "active_users": _active_users(subscriptions[0].tenant) if subscriptions else None,
        "armed": db.session.get_one(SandboxAccount, account_id).next_charge,
        "subscriptions": [_subscription_state(subscription, now.date()) for subscription in subscriptions],
        "cards": [
            {"id": card.id, "brand": card.brand, "last4": card.last4, "default": is_default, "backup": is_backup}
            for card, is_default, is_backup in wallet.cards_of(account_id)
        ],
        "invoices": [_invoice_state(invoice) for invoice in reversed(invoices)],
        "payments": _payment_states(account_id),
        "gateway": {"charges": _charge_states(account_id), "refunds": _refund_states(account_id)},
        "members": [{"email": member.email, "role": member.role} for member in list_members(account_id)],
        "messages": [_message_state(message, zone, files) for message in messages_of(account_id)],
        "activity": _activity_states(account_id, zone),
    }


def _active_users(tenant: str) -> int:
    """How many users are active in the tenant. The portal sees the number later."""
    query = select(SandboxHeadcount.active).where(SandboxHeadcount.tenant == tenant)
    return db.session.scalars(query.order_by(SandboxHeadcount.since.desc(), SandboxHeadcount.id.desc())).first() or 0


def _activity_states(account_id: str, zone: ZoneInfo) -> list[dict[str, object]]:
    """What the owner, the portal and the gateway did, oldest first."""
    rows = db.session.scalars(select(Activity).where(Activity.account_id == account_id).order_by(Activity.id))
    known = people.of_account(account_id)
    return [
        {
            "at": row.at.astimezone(zone).isoformat(timespec="seconds"),
            "by": row.by,
            "what": row.what,
            "subscription": row.subscription_id,
            "before": people.with_addresses(row.before, known, ""),
            "after": people.with_addresses(row.after, known, ""),
        }
        for row in rows
    ]


def _invoice_state(invoice: Invoice) -> dict[str, object]:
    return {
        "id": invoice.id,
        "number": invoice.number,
        "issued_on": invoice.issued_on.isoformat(),
        "net": invoice.net,
        "tax": invoice.tax,
        "total": invoice.total,
        "currency": invoice.currency,
        "kind": invoice.kind,
        "lines": invoice.snapshot["lines"],
    }


def _payment_states(account_id: str) -> list[dict[str, object]]:
    query = select(Payment).where(Payment.account_id == account_id).order_by(Payment.created_at, Payment.key)
    payments = db.session.scalars(query)
    return [{"key": payment.key, "state": payment.state, "amount": payment.amount} for payment in payments]


def _charge_states(account_id: str) -> list[dict[str, object]]:
    """The charges in the gateway's ledger that were settled."""
    charges = db.session.scalars(
        select(SandboxCharge)
        .where(SandboxCharge.customer == account_id, SandboxCharge.state.in_(("captured", "declined")))
        .order_by(SandboxCharge.key)
    )
    return [{"key": charge.key, "amount": charge.amount, "state": charge.state} for charge in charges]


def _refund_states(account_id: str) -> list[dict[str, object]]:
    """The refunds in the gateway's ledger that were made."""
    refunds = db.session.scalars(
        select(SandboxRefund)
        .where(SandboxRefund.customer == account_id, SandboxRefund.state == "made")
        .order_by(SandboxRefund.key)
    )
    return [{"key": refund.key, "amount": refund.amount} for refund in refunds]


def _message_state(message: Message, zone: ZoneInfo, files: Mapping[str, str]) -> dict[str, object]:
    return {
        "id": message.id,
        "to": message.recipient,
        "subject": message.subject,
        "text": message.body,
        "html": message.html,
        "attachments": [files[message.attached_id]] if message.attached_id else [],
        "sent_at": message.sent_at.astimezone(zone).isoformat(timespec="seconds"),
    }


def _subscription_state(subscription: Subscription, today: date) -> dict[str, object]:
    facts, tile = subscription.facts, summary.summary(subscription)
    mine = ChangeRow.account_id == subscription.account_id, ChangeRow.subscription_id == subscription.id
    changes = db.session.scalars(select(ChangeRow).where(*mine).order_by(ChangeRow.requested_at, ChangeRow.id))
    return {
        "id": subscription.id,
        "plan": subscription.plan,
        "status": tile.status,
        "seats": tile.seats,
        "next_seats": tile.next_seats,
        "period_start": tile.period.start.isoformat(),
        "period_end": tile.period.end.isoformat(),
        "periods": [
            {
                "ordinal": ordinal,
                "seats": seats,
                "start": facts.period(ordinal).start.isoformat(),
                "end": facts.period(ordinal).end.isoformat(),
            }
            for ordinal, seats in facts.seats.items()
        ],
        "changes": [
            {
                "kind": change.kind,
                "seats": change.seats,
                "effective_on": facts.boundary(change.effective_ordinal).isoformat(),
                "state": change.closed_as or "open",
            }
            for change in changes
        ],
    }
