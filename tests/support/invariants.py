"""What must hold for an account whatever was done to it, read from the tables alone."""

from collections import Counter
from typing import Any, NamedTuple

from sqlalchemy import and_, select

from webapp.db import db
from webapp.domain.money import divide_half_up
from webapp.domain.subscription import Status, due, status
from webapp.domain.tax import tax_terms
from webapp.models.activity import Activity
from webapp.models.cards import Card, CardDetachment, DefaultCard
from webapp.models.invoices import Invoice, SpentNumber
from webapp.models.mail import Message
from webapp.models.purchases import Payment, Quote, Refund
from webapp.models.restores import UnbookedCapture
from webapp.models.subscriptions import ChangeRow, PeriodRow, Quiet, SubscriptionRow
from webapp.ports import ports
from webapp.renewals import rollover
from webapp.sandbox.tables import SandboxCard, SandboxCharge, SandboxRefund
from webapp.subscriptions import loading


class Rows(NamedTuple):
    """Everything that the account has; payments include their quotes."""

    subscription: Any
    periods: list[Any]
    changes: list[Any]
    paid: list[Any]
    invoices: list[Any]
    notes: list[Any]
    refunds: list[Any]
    charges: list[Any]
    given_back: list[Any]
    cards: list[str]
    tokens: list[str]
    defaults: list[str]
    backups: list[str]
    mails: list[str]
    attached: list[str]
    detachments: list[str]
    dropped: bool
    spent: list[str]  # invoice numbers that were given before a restore
    unbooked: list[str]  # the keys of captures that are not booked
    has_ended: bool  # also where the sweep is still to write it


def read(account: str) -> Rows:
    db.session.rollback()
    subscription = _all(SubscriptionRow, account_id=account)[0]
    here = {"subscription_id": subscription.id}
    p, q = Payment.__table__.c, Quote.__table__.c
    paid = select(
        p.key,
        p.state,
        p.amount,
        p.action_url,
        p.card_token,
        p.quote_id,
        q.kind,
        q.ordinal,
        q.automatic,
        q.seats,
        q.lines,
        q.net,
        q.tax,
        q.total,
        q.tax_rate,
        q.tax_treatment,
    ).join_from(Payment.__table__, Quote.__table__, and_(p.account_id == q.account_id, p.quote_id == q.id))
    documents = sorted(_all(Invoice, account_id=account), key=lambda row: row.number)
    return Rows(
        subscription,
        _all(PeriodRow, **here),
        _all(ChangeRow, **here),
        list(db.session.execute(paid.where(p.account_id == account, p.subscription_id == subscription.id))),
        [row for row in documents if row.kind == "invoice"],
        [row for row in documents if row.kind == "credit_note"],
        [row for document in documents for row in _all(Refund, invoice_id=document.id)],
        _all(SandboxCharge, customer=account),
        [row for row in _all(SandboxRefund, customer=account) if row.state == "made"],
        [row.id for row in _all(Card, account_id=account)],
        [row.token for row in _all(Card, account_id=account)],
        [row.card_id for row in _all(DefaultCard, account_id=account)],
        [row.backup_id for row in _all(DefaultCard, account_id=account) if row.backup_id],
        [row.about for row in _all(Message, account_id=account)],
        [row.token for row in _all(SandboxCard, customer=account) if row.behaviour != "detached"],
        [row.token for row in _all(CardDetachment, account_id=account)],
        any(row.what == "card_deleted" for row in _all(Activity, account_id=account)),
        [row.number for one in {row.issuer_id for row in documents} for row in _all(SpentNumber, issuer_id=one)],
        [row.key for row in _all(UnbookedCapture, account_id=account)],
        _has_ended(account, subscription.id),
    )


def _has_ended(account: str, subscription: str) -> bool:
    loaded = loading.load(account, subscription)
    return status(loaded.facts, ports().clock.now(loaded.account).date()) is Status.ENDED


def _all(model: Any, **where: str) -> list[Any]:
    table = model.__table__
    return list(db.session.execute(select(table).where(*(table.c[name] == value for name, value in where.items()))))


def check(rows: Rows) -> None:
    captured = [row for row in rows.paid if row.state == "captured"]
    renewals = Counter(row.ordinal for row in captured if row.kind == "renewal")
    assert all(times == 1 for times in renewals.values()), "one captured renewal for an ordinal"
    assert max(Counter(row.quote_id for row in captured).values(), default=1) == 1, "one capture for a quote"
    assert sum(row.state == "pending" for row in rows.paid) <= 1, "one payment in flight"

    billed = {row.payment_key: row for row in rows.invoices if row.payment_key}
    assert set(billed) == {row.key for row in captured}, "an invoice for each capture, and no other"
    taken = {row.key: row.amount for row in rows.charges if row.state == "captured"}
    waiting = {row.key for row in rows.paid if row.state == "pending"}
    unbooked = set(rows.unbooked)
    assert not unbooked & set(billed), "what is booked is not held"
    assert set(taken) - waiting - unbooked == set(billed), "the gateway took what was invoiced, and what is pending"
    for row in rows.paid:
        assert row.amount == row.total == row.net + row.tax
        assert row.net == sum(line["amount"] for line in row.lines)
        assert row.tax == divide_half_up(row.net * row.tax_rate, 10_000)
        assert row.key in unbooked or taken.get(row.key, row.amount) == row.amount, "charged as quoted"
        invoice = billed.get(row.key)
        if invoice is not None:
            assert (invoice.net, invoice.tax, invoice.total) == (row.net, row.tax, row.total), "invoiced as quoted"
            assert invoice.snapshot["lines"] == row.lines
            buyer = invoice.snapshot["buyer"]
            terms = tax_terms(buyer["country"], buyer["vat_number"])
            assert (row.tax_treatment, row.tax_rate) == terms, "the buyer printed is the one whose tax was computed"

    check_credits(rows)
    documents = sorted([*rows.invoices, *rows.notes], key=lambda row: row.number)
    given = sorted([*(row.number for row in documents), *rows.spent])
    numbers = Counter(number.split("-")[1] for number in given)
    wanted = [f"MQ-{year}-{n:06d}" for year in sorted(numbers) for n in range(1, numbers[year] + 1)]
    assert given == wanted, "invoice numbers have no gap, but for those that were given before a restore"
    days = [row.issued_on for row in documents]
    assert days == sorted(days), "invoice numbers follow the dates"

    assert len(rows.defaults) == bool(rows.cards), "one default while there are cards"
    assert set(rows.defaults) <= set(rows.cards)
    assert set(rows.backups) <= set(rows.cards) - set(rows.defaults), "a backup is another card"
    charged = rows.subscription.plan == "business" and not rows.subscription.reseller and not rows.has_ended
    assert rows.cards or not rows.dropped or not charged, "the only card stays while something can be charged"
    assert set(rows.attached) <= {*rows.tokens, *rows.detachments}, "the gateway forgets what was dropped here"
    assert len(rows.mails) == len(set(rows.mails)), "a mail is sent once"
    still_open = Counter(row.kind for row in rows.changes if row.closed_as is None)
    assert max(still_open.values(), default=1) == 1, "one open request of a kind"
    assert rows.subscription.ended_on is None or not still_open, "no request outlives the end"


def check_quiet(account: str) -> None:
    """Nothing is due, and no mail either, for subscriptions that the sweep skips."""
    for subscription in loading.load_all(account):
        quiet = db.session.get(Quiet, (account, subscription.id))
        now = ports().clock.now(subscription.account)
        if quiet is not None and quiet.until > now.date():
            next_due = due(subscription.facts, now.date())
            assert next_due is None or next_due.day > now.date()
            assert rollover.notices_to_write(subscription, now) == []
            assert rollover.next_due_day(subscription.facts, now.date()) == quiet.until
    db.session.rollback()


def check_credits(rows: Rows) -> None:
    """Captures minus refunds equal invoices minus credit notes, apart from what is pending."""
    made = {row.credit_note_id: row for row in rows.refunds if row.state == "made"}
    assert {row.id for row in rows.notes} == set(made), "a credit note for each refund, and no other"
    for note in rows.notes:
        refund = made[note.id]
        assert (note.net, note.tax, note.total) == (refund.net, refund.tax, refund.total), "credited as refunded"
        assert note.credits_id == refund.invoice_id
        assert note.net == sum(line["amount"] for line in note.snapshot["lines"])
    waiting = {row.key for row in rows.refunds if row.state == "pending"}
    back = {row.key: row.amount for row in rows.given_back}
    assert {key: amount for key, amount in back.items() if key not in waiting} == {
        row.key: row.total for row in made.values()
    }, "what went back was credited, and what is still pending"
    for invoice in rows.invoices:
        of_it = [note for note in rows.notes if note.credits_id == invoice.id]
        counted = [row for row in rows.refunds if row.invoice_id == invoice.id and row.state != "refused"]
        assert sum(note.total for note in of_it) == invoice.credited
        sums = [sum(getattr(row, name) for row in counted) for name in ("net", "tax", "total")]
        assert all(part <= whole for part, whole in zip(sums, (invoice.net, invoice.tax, invoice.total), strict=True))
        assert sums[0] < invoice.net or sums == [invoice.net, invoice.tax, invoice.total], "all is all"
