"""Bringing a restored database up to date with the gateway, which knows what was captured after the copy was made.

Every step may be repeated: killed anywhere and run again, it ends the same. Payments are held from the first step to
the last.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select, update

from ..access import passwords
from ..db import Across, NotFound, across, db, transaction
from ..models.accounts import Account, Issuer
from ..models.purchases import Payment, Quote
from ..models.restores import RestoreHold, UnbookedCapture
from ..models.subscriptions import Subscription
from ..ports import Capture, OutcomeUnknown, ports
from ..subscriptions import loading
from . import captures, outcomes, payments

CLOCKS_DIFFER = timedelta(days=1)  # generous: the gateway's time and this machine's are compared
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def hold_payments() -> None:
    """From now on nothing is charged, until `resume`."""
    with transaction() as session:
        if session.get(RestoreHold, 1) is None:
            session.add(RestoreHold(id=1, copied_at=None, access_ended_at=None))


def resume() -> None:
    with transaction() as session:
        session.execute(delete(RestoreHold))


def end_access() -> None:
    """Once for each restore: who has set a new password since keeps it."""
    with transaction() as session:
        hold = session.get_one(RestoreHold, 1)
        if hold.access_ended_at is None:
            passwords.end_all_access(session)
            hold.access_ended_at = ports().clock.system_now()


def outstanding(since: datetime | None) -> list[Capture]:
    """What the gateway captured and the database has not booked, in the order of time. `since`: when the copy was
    made, if the operator says so. Raises OutcomeUnknown."""
    hold = db.session.get_one(RestoreHold, 1)
    oldest = select(Payment.created_at).where(Payment.state == "pending").order_by(Payment.created_at).limit(1)
    copied = [instant for instant in (since, hold.copied_at) if instant is not None] or [LONG_AGO + CLOCKS_DIFFER]
    begun = min([*copied, *db.session.scalars(across(oldest, Across.RESTORE))]) - CLOCKS_DIFFER
    db.session.rollback()
    found = sorted(ports().gateway.captures_since(begun), key=lambda capture: (capture.captured_at, capture.key))
    left = [capture for capture in found if not _dealt_with(capture)]
    db.session.rollback()
    return left


def _dealt_with(capture: Capture) -> bool:
    """Booked, or written down as one that cannot be."""
    account_id = capture.metadata.get("account", "")
    booked = select(Payment.key).where(Payment.account_id == account_id, Payment.key == capture.key)
    booked = booked.where(Payment.state == "captured")
    unbooked = select(UnbookedCapture.key).where(UnbookedCapture.account_id == account_id)
    unbooked = unbooked.where(UnbookedCapture.key == capture.key)
    return db.session.scalars(booked.union_all(unbooked)).first() is not None


def issuers_of(found: Iterable[Capture]) -> Sequence[Issuer]:
    """Who issues the invoices of these captures."""
    accounts = (
        db.session.get(Account, account) for account in {capture.metadata.get("account", "") for capture in found}
    )
    issuers = {account.issuer_id for account in accounts if account is not None}
    return db.session.scalars(select(Issuer).where(Issuer.id.in_(issuers)).order_by(Issuer.id)).all()


def settle_pending() -> list[str]:
    """Asks what became of the payments that were in flight when the copy was made; the keys of those about which the
    gateway is silent."""
    columns = Payment.account_id, Payment.subscription_id, Payment.quote_id, Payment.key
    pending = across(select(*columns).where(Payment.state == "pending"), Across.RESTORE)
    silent = []
    for account_id, subscription_id, quote_id, key in db.session.execute(pending.order_by(Payment.created_at)).all():
        try:
            payments.reconcile(account_id, subscription_id, quote_id, while_held=True)
        except OutcomeUnknown:
            silent.append(key)
    return silent


def book(capture: Capture) -> str:
    """Books a capture as its payment would have been: period, invoice, receipt. If it cannot be booked, its
    subscription is held, and this is the reason; else ""."""
    account_id, subscription_id = (capture.metadata.get(name, "") for name in ("account", "subscription"))
    try:
        with transaction():
            subscription = loading.load(account_id, subscription_id, lock=True)
            if not _dealt_with(capture):
                _book(subscription, capture)
        return ""
    except NotFound:
        reason = "The gateway names no subscription that is known here."
    except captures.Unexplained as fault:
        reason = str(fault)
    with transaction():
        for held in [subscription_id] if subscription_id else _charged_subscriptions(account_id):
            captures.hold(account_id, held, capture, reason)
    return reason


def _charged_subscriptions(account_id: str) -> list[str]:
    """Those of an account that a capture may be of, if the gateway does not say which; "" if there is none."""
    charged = [found.id for found in loading.load_all(account_id) if found.facts.self_service]
    return charged or [""]


def _book(subscription: Subscription, capture: Capture) -> None:
    session, paid = db.session, captures.purpose(capture)
    written = session.get(Payment, (subscription.account_id, capture.key))
    if written is not None:
        raise captures.Unexplained(f"Here, this payment is {written.state}.")
    quote = _stored_quote(subscription, capture, paid)
    if quote is None:
        quote = captures.explain(subscription, capture)
        session.add(quote)
    suffix = capture.key.rpartition(".")[2]
    session.flush()  # the payment refers to it
    payment = Payment(
        account_id=subscription.account_id,
        key=capture.key,
        quote_id=quote.id,
        subscription_id=subscription.id,
        attempt=int(suffix) if suffix.isdigit() else 1,
        state="captured",
        amount=capture.money.amount,
        currency=capture.money.currency,
        card_token=capture.card_token,
        card_brand=capture.card_brand,
        card_last4=capture.card_last4,
        created_at=paid.charged_at,
        settled_at=paid.charged_at,
    )
    payment.quote = quote
    session.add(payment)
    session.flush()
    outcomes.take_effect(subscription, payment, ports().clock.now(subscription.account))


def _stored_quote(subscription: Subscription, capture: Capture, paid: captures.Purpose) -> Quote | None:
    """The owner's quote, if the copy was made after it was stored and before it was paid."""
    quote = db.session.get(Quote, (subscription.account_id, paid.quote), populate_existing=True)
    if quote is None:
        return None
    tried = select(Payment).where(Payment.account_id == subscription.account_id, Payment.quote_id == quote.id)
    quote.payments = list(db.session.scalars(tried.order_by(Payment.attempt)))
    captures.check_bookable(subscription.facts, paid)
    stored = quote.subscription_id, quote.kind, quote.ordinal, quote.seats, quote.money
    if stored != (subscription.id, paid.kind, paid.ordinal, paid.seats, capture.money):
        raise captures.Unexplained("It is not what its quote says.")
    if quote.unrefused:
        raise captures.Unexplained(f"The payment {quote.unrefused.key} of the same quote is {quote.unrefused.state}.")
    return quote


def unreleased() -> Sequence[UnbookedCapture]:
    """The captures that are not booked, for which a person must do something."""
    query = across(select(UnbookedCapture).where(UnbookedCapture.released_at.is_(None)), Across.DOCTOR)
    return db.session.scalars(query.order_by(UnbookedCapture.found_at, UnbookedCapture.key)).all()


def release(name: str) -> Sequence[UnbookedCapture]:
    """Lets a subscription go on, or a capture that is of none: its captures that are not booked were settled by hand.
    Those that it was held for; none if it was not held."""
    named = [capture for capture in unreleased() if name in (capture.subscription_id, capture.key)]
    return [capture for capture in named if _release(capture)]


def _release(capture: UnbookedCapture) -> bool:
    """False if another process has released it meanwhile."""
    account_id, key = capture.account_id, capture.key
    held = UnbookedCapture.account_id == account_id, UnbookedCapture.subscription_id == capture.subscription_id
    this = *held, UnbookedCapture.key == key, UnbookedCapture.released_at.is_(None)
    with transaction() as session:
        now = ports().clock.system_now()
        release = update(UnbookedCapture).where(*this).values(released_at=now).returning(UnbookedCapture.key)
        released = session.scalars(release).first() is not None
        pending = update(Payment).where(Payment.account_id == account_id, Payment.key == key)
        pending = pending.where(Payment.state == "pending")
        if released:
            session.execute(pending.values(state="cancelled", settled_at=now))
    return released
