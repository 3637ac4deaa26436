"""The sandbox's payment gateway. It has a ledger of its own, and fails on request as real gateways do."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ..adapters.clock import machine_now
from ..db import db, new_id
from ..domain.money import Money
from ..ports import (
    ActionRequired,
    Cancelled,
    Capture,
    Captured,
    CardSetup,
    Declined,
    NewCard,
    Outcome,
    OutcomeUnknown,
    Refunded,
)
from ..purchases.captures import metadata_of
from .tables import SandboxAccount, SandboxCard, SandboxCharge, SandboxRefund, SandboxSetup

TEST_CARDS = {  # by number: the behaviour and the brand
    "4242424242424242": ("accepted", "Visa"),
    "5555555555554444": ("accepted", "Mastercard"),
    "4000000000000002": ("refused_at_entry", "Visa"),
    "4000000000000341": ("card_declined", "Visa"),
    "4000000000009995": ("insufficient_funds", "Visa"),
    "4000002760003184": ("challenge", "Visa"),
}
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)  # for charges of older versions, which have no time
FAULTS = (
    "decline",
    "challenge",
    "timeout",
    "timeout_after_charge",
    "error",
    "down",
)  # "down" lasts until testers change it; the others happen once


@contextmanager
def gateway_transaction(about: str) -> Iterator[Session]:
    """A transaction on a connection of the gateway's own, which does not depend on the portal's transaction.

    Transactions with the same `about` (a payment's key, a visit to the card page) run one after another. An advisory
    lock sees to that, because there may be no row to lock yet.
    """
    with Session(db.engine) as session:
        session.connection(execution_options={"immediate": True})
        if db.engine.dialect.name == "postgresql":
            session.execute(select(func.pg_advisory_xact_lock(func.hashtext(about))))
        yield session
        session.commit()


class SandboxGateway:
    def __init__(self, origin: str) -> None:
        self.origin = origin

    def _page(self, path: str, return_url: str) -> str:
        """The address of a gateway page: at GATEWAY_ORIGIN if it is set, else at the portal's origin."""
        portal = urlsplit(return_url)
        return f"{self.origin or f'{portal.scheme}://{portal.netloc}'}/sandbox/gateway/{path}"

    def begin_card_setup(self, account_id: str, return_url: str, locale: str) -> CardSetup:
        reference = new_id()
        back = f"{return_url}?{urlencode({'reference': reference})}"
        with gateway_transaction(reference) as session:
            session.add(SandboxSetup(reference=reference, customer=account_id, return_url=back, locale=locale))
        return CardSetup(reference, self._page(f"cards/{reference}", return_url))

    def complete_card_setup(self, _account_id: str, reference: str) -> NewCard | None:
        with Session(db.engine) as session:
            setup = session.get_one(SandboxSetup, reference)
            card = setup.card_token and session.get(SandboxCard, setup.card_token)
            return card_details(card) if card else None

    def detach(self, card_token: str) -> None:
        with gateway_transaction(card_token) as session:
            card = session.get_one(SandboxCard, card_token)
            account = session.get(SandboxAccount, card.customer)
            if account is not None and account.next_charge == "down":
                raise OutcomeUnknown("down")
            card.behaviour = "detached"

    def charge(
        self, account_id: str, key: str, card_token: str, money: Money, return_url: str, present: bool
    ) -> Outcome:
        with gateway_transaction(key) as session:
            asked = select(SandboxCard, SandboxCharge, SandboxAccount.next_charge).select_from(SandboxCard)
            asked = asked.where(SandboxCard.token == card_token).outerjoin(SandboxCharge, SandboxCharge.key == key)
            asked = asked.outerjoin(SandboxAccount, SandboxAccount.account_id == account_id)
            card, charge, armed = session.execute(asked).one()
            if armed == "down":
                raise OutcomeUnknown(armed)
            fault = None
            if charge is None:
                fault = _take_next_fault(session, card.customer) if armed else None
                if fault in ("timeout", "error"):
                    session.commit()
                    raise OutcomeUnknown(fault)
                charge = SandboxCharge(
                    key=key,
                    customer=card.customer,
                    card_token=card.token,
                    amount=money.amount,
                    currency=money.currency,
                    return_url=return_url,
                    purpose=metadata_of(session, account_id, key),
                    **_outcome_columns(fault, card.behaviour),
                )
                session.add(charge)
            elif charge.state == "challenged" and (charge.amount, charge.currency) != money:
                charge.state = "cancelled"
            outcome = self._outcome(session, charge)
        if fault == "timeout_after_charge":
            raise OutcomeUnknown(fault)
        return outcome

    def find(self, account_id: str, key: str) -> Outcome | None:
        with Session(db.engine) as session:
            _raise_if_down(session, account_id)
            charge = session.get(SandboxCharge, key)
            return self._outcome(session, charge) if charge else None

    def cancel(self, account_id: str, key: str) -> Outcome:
        with gateway_transaction(key) as session:
            _raise_if_down(session, account_id)
            charge = session.get(SandboxCharge, key)
            if charge is None:
                charge = SandboxCharge(
                    key=key,
                    customer="",
                    card_token="",
                    amount=0,
                    currency="",
                    return_url="",
                    state="cancelled",
                )
                session.add(charge)
            elif charge.state == "challenged":
                charge.state = "cancelled"
            return self._outcome(session, charge)

    def refund(self, account_id: str, key: str, payment_key: str, money: Money) -> Refunded | Declined:
        with gateway_transaction(payment_key) as session:
            _raise_if_down(session, account_id)
            charge = session.get_one(SandboxCharge, payment_key)
            refund, fault = session.get(SandboxRefund, key), None
            if refund is None:
                fault = _take_next_fault(session, charge.customer, ignored="challenge")
                if fault in ("timeout", "error"):
                    session.commit()
                    raise OutcomeUnknown(fault)
                possible = charge.state == "captured" and money.amount <= charge.amount - _refunded_cents(
                    session, charge.key
                )
                refund = SandboxRefund(
                    key=key,
                    charge_key=charge.key,
                    customer=charge.customer,
                    amount=money.amount,
                    currency=money.currency,
                    state="made" if possible and fault != "decline" else "refused",
                )
                session.add(refund)
            made = refund.state == "made"
        if fault == "timeout_after_charge":
            raise OutcomeUnknown(fault)
        return Refunded() if made else Declined("refund_refused")

    def captures_since(self, instant: datetime) -> Iterator[Capture]:
        query = select(SandboxCharge).where(SandboxCharge.state == "captured", SandboxCharge.captured_at >= instant)
        with Session(db.engine) as session:
            yield from (_capture(session, charge) for charge in session.scalars(query).all())

    def fault(self) -> str | None:
        return None

    def _outcome(self, session: Session, charge: SandboxCharge) -> Outcome:
        match charge.state:
            case "captured":
                return Captured(_capture(session, charge))
            case "declined":
                return Declined(charge.code or "card_declined")
            case "challenged":
                return ActionRequired(self._page(f"challenges/{charge.challenge}", charge.return_url))
        return Cancelled()


def card_details(card: SandboxCard) -> NewCard:
    return NewCard(card.token, card.brand, card.last4, card.exp_year, card.exp_month, card.holder)


def _capture(session: Session, charge: SandboxCharge) -> Capture:
    card = session.get_one(SandboxCard, charge.card_token)
    money = Money(charge.amount, charge.currency)
    metadata = {"key": charge.key, "account": charge.customer, **charge.purpose}
    return Capture(charge.key, money, metadata, charge.captured_at or LONG_AGO, card.token, card.brand, card.last4)


def _refunded_cents(session: Session, charge_key: str) -> int:
    """The cents of a charge that were refunded so far."""
    refunded = select(func.sum(SandboxRefund.amount)).where(SandboxRefund.state == "made")
    return session.scalars(refunded.where(SandboxRefund.charge_key == charge_key)).one() or 0


def _take_next_fault(session: Session, customer: str, ignored: str | None = None) -> str | None:
    """The fault that testers set for this customer's next charge or refund. It is cleared, unless it is `ignored`."""
    account = session.get(SandboxAccount, customer, with_for_update=True)
    if account is None or account.next_charge == ignored:
        return None
    fault, account.next_charge = account.next_charge, None
    return fault


def _raise_if_down(session: Session, account_id: str) -> None:
    """Raises OutcomeUnknown if testers switched the gateway off for this account."""
    next_fault = select(SandboxAccount.next_charge).where(SandboxAccount.account_id == account_id)
    if session.scalars(next_fault).one_or_none() == "down":
        raise OutcomeUnknown("down")


def _outcome_columns(fault: str | None, behaviour: str) -> dict[str, Any]:
    """The columns of a new charge that say what becomes of it."""
    if fault == "decline" or behaviour == "detached":
        return {"state": "declined", "code": "card_declined"}
    if fault == "challenge" or behaviour == "challenge":
        return {"state": "challenged", "challenge": new_id()}
    if behaviour in ("card_declined", "insufficient_funds"):
        return {"state": "declined", "code": behaviour}
    return {"state": "captured", "captured_at": machine_now()}
