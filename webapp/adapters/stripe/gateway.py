"""The payment gateway Stripe, through its SDK.

A payment is a PaymentIntent. One call creates it and a second one confirms it, so it can be found by the portal's key
(in its metadata) and cancelled at any time. A cancelled intent is never charged, however late a call arrives. If an
answer from Stripe is not clear, the outcome is unknown; it is never taken for a decline.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import stripe
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ...db import db, new_id
from ...domain.money import Money
from ...models.accounts import Account
from ...ports import (
    ActionRequired,
    Cancelled,
    Capture,
    CardSetup,
    Declined,
    GatewayEvent,
    GatewaySilent,
    NewCard,
    Outcome,
    OutcomeUnknown,
    Refunded,
)
from . import events
from .customers import account_of, load_payment, remember_customer
from .intents import Intent, brand_name, capture_of, has_key, money_of, outcome_of
from .tables import StripeCustomer, StripeSetup
from .words import OTHER_UNITS, REFUND_REFUSALS, decline_code

log = logging.getLogger(__name__)
logging.getLogger("stripe").setLevel(logging.WARNING)  # at lower levels the SDK logs what it sends and receives
stripe.enable_telemetry = False
TIMEOUT = (3.0, 5.0)  # seconds to connect, and to wait for an answer
RETRIES = 1  # by the SDK, with the same idempotency key; after that, the sweep asks again
PAGE_SIZE = 100


class StripeGateway:
    def __init__(
        self,
        key: str,
        webhook_secret: str,
        url: str = stripe.DEFAULT_API_BASE,
        timeout: tuple[float, float] = TIMEOUT,
        retries: int = RETRIES,
    ) -> None:
        self.webhook_secret = webhook_secret
        http = stripe.RequestsClient(timeout=timeout)
        client = stripe.StripeClient(key, base_addresses={"api": url}, http_client=http, max_network_retries=retries)
        self.api = client.v1

    def begin_card_setup(self, account_id: str, return_url: str, locale: str) -> CardSetup:
        reference = new_id()
        back = f"{return_url}?{urlencode({'reference': reference})}"  # also used when the owner cancels there
        with errors_as_unknown_outcome("the card page"):
            page = self.api.checkout.sessions.create(
                {
                    "mode": "setup",
                    "customer": self.customer_of(account_id),
                    "allowed_payment_method_types": ["card"],
                    "locale": locale,
                    "success_url": back,
                    "cancel_url": back,
                    "client_reference_id": reference,
                    "metadata": {"account": account_id},
                },
                {"idempotency_key": reference},
            )
        with Session(db.engine) as session:
            session.add(StripeSetup(account_id=account_id, reference=reference, session=page.id))
            session.commit()
        return CardSetup(reference, page.url or "")

    def customer_of(self, account_id: str) -> str:
        """The customer in Stripe for an account, made if there is none.

        If two requests make one at once, the first is stored and the other is never used.
        """
        with Session(db.engine) as session:
            stored = session.get(StripeCustomer, account_id)
            if stored is not None:
                return stored.customer
            name = session.get_one(Account, account_id).legal_name
        created = self.api.customers.create({"name": name, "metadata": {"account": account_id}})
        with Session(db.engine) as session:
            session.add(StripeCustomer(account_id=account_id, customer=created.id))
            try:
                session.commit()
            except IntegrityError:
                session.rollback()
            return session.get_one(StripeCustomer, account_id).customer

    def complete_card_setup(self, account_id: str, reference: str) -> NewCard | None:
        with Session(db.engine) as session:
            visit = session.get_one(StripeSetup, (account_id, reference)).session
        with errors_as_unknown_outcome("a visit to the card page"):
            page = self.api.checkout.sessions.retrieve(visit, {"expand": ["setup_intent.payment_method"]})
        setup = page.to_dict().get("setup_intent") or {}
        entered = setup.get("payment_method")
        if setup.get("status") == "processing":
            raise OutcomeUnknown("the card page")
        if setup.get("status") != "succeeded" or not entered or not entered.get("card"):
            return None
        card, holder = entered["card"], (entered.get("billing_details") or {}).get("name") or ""
        brand = brand_name(card["brand"])
        return NewCard(entered["id"], brand, card["last4"], card["exp_year"], card["exp_month"], holder[:100])

    def detach(self, card_token: str) -> None:
        with errors_as_unknown_outcome("the deletion of a card"):
            try:
                self.api.payment_methods.detach(card_token)
            except stripe.InvalidRequestError:
                if self._owner_of(card_token) is not None:
                    raise

    def _owner_of(self, card_token: str) -> str | None:
        """The customer that a card is attached to."""
        owner = self.api.payment_methods.retrieve(card_token).customer
        return owner.id if isinstance(owner, stripe.Customer) else owner

    def charge(
        self, account_id: str, key: str, card_token: str, money: Money, return_url: str, present: bool
    ) -> Outcome:
        if refusal := unsupported_currency(money):
            return refusal
        customer, _, metadata = load_payment(account_id, key)
        if customer is None:
            log.error("payment %s: its account has no customer at Stripe, so its card is another gateway's", key)
            return Declined("card_declined")
        with errors_as_unknown_outcome(f"payment {key}"):
            # Stripe forgets an idempotency key after a day, and an intent never.
            intent = self._find_intent(key, customer) or self._create_intent(customer, money, metadata, key)
            if isinstance(intent, Declined):
                return intent
            outcome = outcome_of(intent)
            if (outcome is None or isinstance(outcome, ActionRequired)) and money_of(intent) != money:
                outcome = outcome_of(self._cancel_intent(intent))
            outcome = outcome or self._confirm_intent(key, intent, card_token, return_url, present)
        if outcome is None:
            raise OutcomeUnknown(key)
        return outcome

    def find(self, account_id: str, key: str) -> Outcome | None:
        customer = load_payment(account_id, key).customer
        if customer is None:
            return None
        with errors_as_unknown_outcome(f"what became of payment {key}"):
            intent = self._find_intent(key, customer)
        return outcome_of(intent) if intent else None

    def cancel(self, account_id: str, key: str) -> Outcome:
        customer, money, metadata = load_payment(account_id, key)
        if customer is None or unsupported_currency(money):
            return Cancelled()  # `charge` never creates an intent in this case
        with errors_as_unknown_outcome(f"the cancellation of payment {key}"):
            try:
                intent = self._find_intent(key, customer) or self._create_intent(customer, money, metadata, key)
            except stripe.APIError as fault:
                if (fault.headers or {}).get("Idempotent-Replayed") != "true":
                    raise
                # For a day, Stripe repeats the failure for this idempotency key. With another one, an intent is created
                # that `charge` finds by its metadata.
                intent = self._create_intent(customer, money, metadata, f"{key}:cancel")
            if isinstance(intent, Declined):
                return intent
            outcome = outcome_of(intent)
            if outcome is None or isinstance(outcome, ActionRequired):
                outcome = outcome_of(self._cancel_intent(intent))
        if outcome is None or isinstance(outcome, ActionRequired):
            raise OutcomeUnknown(key)
        return outcome

    def refund(self, account_id: str, key: str, payment_key: str, money: Money) -> Refunded | Declined:
        customer = load_payment(account_id, payment_key).customer
        with errors_as_unknown_outcome(f"refund {key}"):
            paid = self._find_intent(payment_key, customer) if customer else None
            if paid is None or paid["status"] != "succeeded":
                log.error("refund %s: Stripe knows of no payment %s that was made", key, payment_key)
                return Declined("refund_refused")
            refunds = self.api.refunds.list({"payment_intent": paid["id"], "limit": PAGE_SIZE}).auto_paging_iter()
            refund = next((refund for refund in refunds if has_key(refund.to_dict(), key)), None)
            try:
                metadata = {"key": key, "account": account_id}
                refund = refund or self.api.refunds.create(
                    {"payment_intent": paid["id"], "amount": money.amount, "metadata": metadata},
                    {"idempotency_key": key},
                )
            except stripe.InvalidRequestError as fault:
                if fault.code in REFUND_REFUSALS or fault.param == "amount":
                    return Declined("refund_refused")
                raise
        if refund.status == "succeeded":
            return Refunded()
        if refund.status in ("failed", "canceled"):
            return Declined("refund_refused")
        raise OutcomeUnknown(key)  # still pending: the sweep asks again

    def captures_since(self, instant: datetime) -> Iterator[Capture]:
        """Also stores the account's customer again if it was lost. Charges of older versions name no account."""
        parameters: Any = {
            "created": {"gte": int(instant.timestamp())},
            "limit": PAGE_SIZE,
            "expand": ["data.latest_charge"],
        }
        with errors_as_unknown_outcome("the captures since the copy"):
            for listed in self.api.payment_intents.list(parameters).auto_paging_iter():
                intent = listed.to_dict()
                capture = capture_of(intent)
                if capture.key and intent["status"] == "succeeded":
                    account = capture.metadata.get("account") or account_of(intent["customer"])
                    remember_customer(account, intent["customer"])
                    yield capture._replace(metadata={**capture.metadata, "account": account})

    def fault(self) -> str | None:
        try:
            self.api.payment_intents.list({"limit": 1})
        except (stripe.AuthenticationError, stripe.PermissionError):
            return "Stripe refuses STRIPE_SECRET_KEY: copy it again from Stripe's dashboard, Developers, API keys."
        except stripe.StripeError as fault:
            return f"Stripe does not answer ({type(fault).__name__}): check that STRIPE_API_URL is reached from here."
        return None

    def read_event(self, body: bytes, signature: str) -> GatewayEvent | None:
        return events.read_event(body, signature, self.webhook_secret)

    def _find_intent(self, key: str, customer: str) -> Intent | None:
        """The intent with the portal's key. It reads the customer's list, because Stripe's search lags."""
        listed = self.api.payment_intents.list({"customer": customer, "limit": PAGE_SIZE})
        intents = (intent.to_dict() for intent in listed.auto_paging_iter())
        return next((intent for intent in intents if has_key(intent, key)), None)

    def _create_intent(
        self, customer: str, money: Money, metadata: dict[str, str], idempotency_key: str
    ) -> Intent | Declined:
        """Creates the intent without confirming it. `charge` and `cancel` send the same, and so get the same intent."""
        try:
            created = self.api.payment_intents.create(
                {
                    "amount": money.amount,
                    "currency": money.currency.lower(),
                    "customer": customer,
                    "allowed_payment_method_types": ["card"],
                    "metadata": metadata,
                },
                {"idempotency_key": idempotency_key},
            )
        except stripe.InvalidRequestError as fault:
            if fault.code in ("amount_too_small", "amount_too_large"):
                return Declined("amount_refused")
            raise
        return created.to_dict()

    def _confirm_intent(
        self, key: str, intent: Intent, card_token: str, return_url: str, present: bool
    ) -> Outcome | None:
        """Charges the card.

        If the owner is absent and the bank asks for authentication, the intent is confirmed again as if the owner were
        present, which gives the address of the bank's page.
        """
        intent_id = intent["id"]
        try:
            confirmed = self.api.payment_intents.confirm(
                intent_id,
                {"payment_method": card_token, "return_url": return_url, "off_session": not present},
                {"idempotency_key": f"{key}:confirm" if present else f"{key}:absent"},
            )
            return outcome_of(confirmed.to_dict())
        except stripe.CardError as fault:
            if not present and fault.code == "authentication_required":
                return self._confirm_intent(key, intent, card_token, return_url, present=True)
            return outcome_of(self._retrieve_intent(intent_id)) or Declined(decline_code(fault.error))
        except stripe.InvalidRequestError:
            outcome = outcome_of(self._retrieve_intent(intent_id))  # it may have been settled or cancelled meanwhile
            if outcome is not None or self._owner_of(card_token) == intent["customer"]:
                if outcome is None:
                    raise
                return outcome
            # The card was deleted. That is a decline, which is kept in the intent's metadata.
            self.api.payment_intents.update(intent_id, {"metadata": {"refused": "card_declined"}})
            return outcome_of(self._cancel_intent(intent))

    def _cancel_intent(self, intent: Intent) -> Intent:
        try:
            return self.api.payment_intents.cancel(intent["id"]).to_dict()
        except stripe.InvalidRequestError:  # it was settled meanwhile
            return self._retrieve_intent(intent["id"])

    def _retrieve_intent(self, intent_id: str) -> Intent:
        return self.api.payment_intents.retrieve(intent_id).to_dict()


@contextmanager
def errors_as_unknown_outcome(about: str) -> Iterator[None]:
    """Turns every error of Stripe into OutcomeUnknown. Logs what a person must correct, without any secret."""
    try:
        yield
    except stripe.StripeError as fault:
        details = (about, type(fault).__name__, fault.http_status, fault.code, fault.request_id)
        unknown: type[OutcomeUnknown] = OutcomeUnknown
        if isinstance(fault, stripe.AuthenticationError | stripe.PermissionError):
            log.error("Stripe refuses our key: check STRIPE_SECRET_KEY (%s: %s, %s, %s, request %s)", *details)
        elif isinstance(fault, stripe.InvalidRequestError | stripe.IdempotencyError):
            log.error("Stripe cannot do it: %s (%s, %s, %s, request %s)", *details)
        else:
            log.warning("Stripe does not answer: %s (%s, %s, %s, request %s)", *details)
            unknown = GatewaySilent
        raise unknown(about) from None


def unsupported_currency(money: Money) -> Declined | None:
    """Declines a currency that Stripe does not count in hundredths: it would charge a hundred times the amount."""
    if money.currency.upper() not in OTHER_UNITS:
        return None
    log.error("%s is not counted in hundredths: Stripe is not asked to charge it", money.currency)
    return Declined("currency_refused")
