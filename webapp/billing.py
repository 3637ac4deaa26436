"""Cards, invoices and the account's billing information. The same shared rules as `service`."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, select

from . import activity
from .bills import LATE_PAYMENT, spans_of
from .db import LOCK, NotFound, db, new_id, transaction
from .domain.pricing import Line
from .models import Account, Card, CardSetup, DefaultCard, Issuer, Payment, Quiet, Quote, Subscription
from .ports import NewCard, ports
from .records import Invoice, InvoiceCounter, Refund, Status

PARTY = "legal_name street postal_code city country siren vat_number"


def cards_of(account_id: str) -> list[tuple[Card, bool]]:
    """The account's cards, the default first, each with whether it is the default."""
    rows = db.session.execute(
        select(Card, DefaultCard.card_id.is_not(None))
        .outerjoin(DefaultCard, DefaultCard.card_id == Card.id)
        .where(Card.account_id == account_id)
        .order_by(DefaultCard.card_id.is_(None), Card.added_at, Card.id)
    )
    return [(card, is_default) for card, is_default in rows]


def account_of(account_id: str) -> Account:
    return db.session.get_one(Account, account_id)


def lock_all(account_id: str) -> None:
    """Keeps others from changing any subscription of the account. Always before a lock on the account itself."""
    query = select(Subscription.id).where(Subscription.account_id == account_id).order_by(Subscription.id)
    locked = db.session.scalars(query.with_for_update(key_share=True)).all()
    db.session.execute(delete(Quiet).where(Quiet.subscription_id.in_(locked)))


def default_card(account_id: str) -> Card | None:
    return db.session.scalars(
        select(Card).join(DefaultCard, DefaultCard.card_id == Card.id).where(DefaultCard.account_id == account_id)
    ).one_or_none()


def begin_card_setup(account_id: str, quote_id: str | None, return_url: str, locale: str) -> str:
    """The address of the gateway's card page; the owner comes back to `return_url`, which gets `reference` added."""
    db.session.rollback()
    setup = ports().gateway.begin_card_setup(account_id, return_url, locale)
    with transaction() as session:
        session.add(CardSetup(reference=setup.reference, account_id=account_id, quote_id=quote_id))
    return setup.url


def complete_card_setup(account_id: str, reference: str) -> tuple[Card | None, Quote | None]:
    """The card that the owner entered (None: gave up) and the quote it was entered for, which now has it selected."""
    if _setup(account_id, reference) is None:
        raise NotFound(reference)
    db.session.rollback()
    entered = ports().gateway.complete_card_setup(reference)
    with transaction() as session:
        lock_all(account_id)
        account = session.get_one(Account, account_id, with_for_update=LOCK)  # see `cards`; who comes twice waits here
        setup = _setup(account_id, reference)
        quote = session.get(Quote, setup.quote_id) if setup and setup.quote_id else None
        card = entered and session.scalars(select(Card).where(Card.token == entered.token)).one_or_none()
        if entered is None or setup is None or setup.completed_at is not None:
            return card, quote  # gave up, or came back twice: a card that was deleted since stays deleted
        card, setup.completed_at = add_card(account, entered), ports().clock.now(account)
        activity.record(account_id, "card_added", setup.completed_at, after=told(card))
        if quote is not None:
            quote.card_id = card.id
        return card, quote


def _setup(account_id: str, reference: str) -> CardSetup | None:
    return db.session.scalars(
        select(CardSetup).where(CardSetup.reference == reference, CardSetup.account_id == account_id)
    ).one_or_none()


def add_card(account: Account, entered: NewCard) -> Card:
    """Saves a card in the open transaction; an account's first becomes its default."""
    card = Card(id=new_id(), account_id=account.id, added_at=ports().clock.now(account), **entered._asdict())
    db.session.add(card)
    db.session.flush()
    if db.session.get(DefaultCard, account.id) is None:
        db.session.add(DefaultCard(account_id=account.id, card_id=card.id))
    return card


def told(card: Card) -> dict[str, str]:
    """What the activity may say of a card."""
    return {"brand": card.brand, "last4": card.last4}


def issue_invoice(subscription: Subscription, quote: Quote, payment: Payment | None, now: datetime) -> Invoice:
    """Numbers and freezes the invoice of a captured payment in the open transaction (a past period has no payment).

    Numbers have no gap and follow the dates, by issuer and year (CGI annexe II, art. 242 nonies A).
    """
    account, facts = subscription.account, subscription.facts()
    number, issued_on = _next_number(account.issuer, now)
    spans = spans_of(quote.lines, facts, quote.ordinal)
    snapshot: dict[str, Any] = {
        "seller": _columns(account.issuer, f"{PARTY} legal_form share_capital register"),
        "buyer": {**_columns(account, f"{PARTY} purchase_order"), "email": next(iter(account.billing_emails), None)},
        "delivery": None,  # of goods, and elsewhere than at the buyer's: a subscription is a service
        "locale": account.document_locale,
        "product": subscription.product,
        "kind": quote.kind,
        "seats": quote.seats,
        "period": [min(start for start, _ in spans).isoformat(), max(end for _, end in spans).isoformat()],
        "lines": quote.lines,
        "spans": [[start.isoformat(), end.isoformat()] for start, end in spans],
        "tax_treatment": quote.tax_treatment,
        "tax_rate": quote.tax_rate,
        "vat_on_debits": account.issuer.vat_on_debits,
        "late_payment": LATE_PAYMENT,
        "card": {"brand": payment.card_brand, "last4": payment.card_last4} if payment else None,
        "paid_on": now.date().isoformat(),
    }
    invoice = Invoice(
        id=new_id(), issuer_id=account.issuer_id, account_id=account.id, subscription_id=subscription.id,
        payment_key=payment.key if payment else None, number=number, issued_on=issued_on, currency=quote.currency,
        net=quote.net, tax=quote.tax, total=quote.total, snapshot=snapshot, purchase_order=account.purchase_order,
    )  # fmt: skip
    db.session.add(invoice)
    return invoice


def issue_credit_note(issuer: Issuer, invoice: Invoice, refund: Refund, now: datetime) -> Invoice:
    """Numbers and freezes the credit note of a refund that was made, in the open transaction, which holds the invoice.

    Its words are the invoice's; where it is for a part, one line says so.
    """
    number, issued_on = _next_number(issuer, now)
    told, part = invoice.snapshot, Line(
        kind="credit", seats=invoice.snapshot["seats"], months=0, amount=refund.net,
        first=0, last=0, unit=0, monthly=0, days_left=0, days=0,
    )  # fmt: skip
    snapshot = told | {
        "lines": told["lines"] if refund.net == invoice.net else [part],
        "credits": {"number": invoice.number, "issued_on": invoice.issued_on.isoformat()},
        "reason": refund.reason,
    }
    note = Invoice(
        id=new_id(), issuer_id=issuer.id, account_id=invoice.account_id, subscription_id=invoice.subscription_id,
        kind="credit_note", status=Status.CREDIT_NOTE, credits_id=invoice.id, number=number, issued_on=issued_on,
        currency=invoice.currency, net=refund.net, tax=refund.tax, total=refund.total, snapshot=snapshot,
        purchase_order=invoice.purchase_order,
    )  # fmt: skip
    db.session.add(note)
    invoice.credited += note.total
    invoice.status = Status.CREDITED if invoice.credited == invoice.total else Status.PARTLY_CREDITED
    db.session.flush()
    return note


def _columns(row: Issuer | Account, names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names.split()}


def _next_number(issuer: Issuer, now: datetime) -> tuple[str, date]:
    """The issuer's row is held until the number is committed: a rollback leaves no gap, and two never get the same."""
    today = now.date()
    db.session.get_one(Issuer, issuer.id, with_for_update=LOCK)
    counter = db.session.get(InvoiceCounter, (issuer.id, today.year), populate_existing=True)
    if counter is None:
        counter = InvoiceCounter(issuer_id=issuer.id, year=today.year, last_number=0, last_issued_on=today)
        db.session.add(counter)
    counter.last_number += 1
    counter.last_issued_on = max(counter.last_issued_on, today)
    return f"{issuer.invoice_prefix}-{today.year}-{counter.last_number:06d}", counter.last_issued_on


def invoices_of(account_id: str) -> Sequence[Invoice]:
    """Newest first."""
    return db.session.scalars(
        select(Invoice)
        .where(Invoice.account_id == account_id)
        .order_by(Invoice.issued_on.desc(), Invoice.number.desc())
    ).all()


def find_invoice(account_id: str, invoice_id: str) -> Invoice:
    invoice = db.session.scalars(
        select(Invoice).where(Invoice.id == invoice_id, Invoice.account_id == account_id)
    ).one_or_none()
    if invoice is None:
        raise NotFound(invoice_id)
    return invoice


def credit_notes_of(invoice: Invoice) -> Sequence[Invoice]:
    """Those that refer to an invoice, in their order."""
    query = select(Invoice).where(Invoice.credits_id == invoice.id, Invoice.account_id == invoice.account_id)
    return db.session.scalars(query.order_by(Invoice.issued_on, Invoice.number)).all()


def invoice_of_payment(key: str) -> Invoice:
    return db.session.scalars(select(Invoice).where(Invoice.payment_key == key)).one()
