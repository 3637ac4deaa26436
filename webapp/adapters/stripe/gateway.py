"""Stripe behind the payment port, through its own SDK.

A payment is a PaymentIntent that is made first and confirmed by a second call: whatever is in flight, it can be
found by our key (in its metadata) and cancelled, and an intent that is cancelled is never charged, however late a call
arrives. What Stripe does not say clearly is an outcome that is not known, never a refusal.
"""

import json
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
    Forged,
    Heard,
    NewCard,
    Outcome,
    OutcomeUnknown,
    Refunded,
)
from .customers import account_of, known, remember_customer
from .intents import Intent, brand_name, capture_of, key_of, money_of, outcome_of
from .tables import StripeCustomer, StripeSetup
from .words import OTHER_UNITS, REFUND_REFUSALS, TOPICS, decline_code

log = logging.getLogger(__name__)
logging.getLogger("stripe").setLevel(logging.WARNING)  # below it, the SDK tells what it sends and receives
stripe.enable_telemetry = False
TIMEOUT = (3.0, 5.0)  # seconds to connect, and to wait for an answer
RETRIES = 1  # by the SDK, with the same idempotency key; whatever is left over, the sweep asks again
SIGNATURE_AGE = 300  # seconds, after which a notification is stale
PAGE = 100


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

    def begin_card_setup(self, customer: str, return_url: str, locale: str) -> CardSetup:
        reference = new_id()
        back = f"{return_url}?{urlencode({'reference': reference})}"  # from giving up, too
        with answered("the card page"):
            page = self.api.checkout.sessions.create(
                {
                    "mode": "setup",
                    "customer": self.customer_of(customer),
                    "allowed_payment_method_types": ["card"],
                    "locale": locale,
                    "success_url": back,
                    "cancel_url": back,
                    "client_reference_id": reference,
                },
                {"idempotency_key": reference},
            )
        with Session(db.engine) as session:
            session.add(StripeSetup(reference=reference, session=page.id))
            session.commit()
        return CardSetup(reference, page.url or "")

    def customer_of(self, account_id: str) -> str:
        """Stripe's customer for an account. Of two that are made at once one is kept; the other is never used."""
        with Session(db.engine) as session:
            known = session.get(StripeCustomer, account_id)
            if known is not None:
                return known.customer
            name = session.get_one(Account, account_id).legal_name
        made = self.api.customers.create({"name": name, "metadata": {"account": account_id}})
        with Session(db.engine) as session:
            session.add(StripeCustomer(account_id=account_id, customer=made.id))
            try:
                session.commit()
            except IntegrityError:
                session.rollback()
            return session.get_one(StripeCustomer, account_id).customer

    def complete_card_setup(self, reference: str) -> NewCard | None:
        with Session(db.engine) as session:
            visit = session.get_one(StripeSetup, reference).session
        with answered("a visit to the card page"):
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
        with answered("the deletion of a card"):
            try:
                self.api.payment_methods.detach(card_token)
            except stripe.InvalidRequestError:
                if self._owner_of(card_token) is not None:
                    raise

    def _owner_of(self, card_token: str) -> str | None:
        """The customer that a card is attached to."""
        owner = self.api.payment_methods.retrieve(card_token).customer
        return owner.id if isinstance(owner, stripe.Customer) else owner

    def charge(self, key: str, card_token: str, money: Money, return_url: str, present: bool) -> Outcome:
        if refusal := refused(money):
            return refusal
        customer, _, metadata = known(key)
        if customer is None:
            log.error("payment %s: its account has no customer at Stripe, so its card is another gateway's", key)
            return Declined("card_declined")
        with answered(f"payment {key}"):
            # Stripe forgets an idempotency key after a day, and an intent never.
            intent = self._found(key, customer) or self._made(customer, money, metadata, key)
            if isinstance(intent, Declined):
                return intent
            outcome = outcome_of(intent)
            if (outcome is None or isinstance(outcome, ActionRequired)) and money_of(intent) != money:
                outcome = outcome_of(self._cancelled(intent))
            outcome = outcome or self._confirmed(key, intent, card_token, return_url, present)
        if outcome is None:
            raise OutcomeUnknown(key)
        return outcome

    def find(self, key: str) -> Outcome | None:
        customer = known(key).customer
        if customer is None:
            return None
        with answered(f"what became of payment {key}"):
            intent = self._found(key, customer)
        return outcome_of(intent) if intent else None

    def cancel(self, key: str) -> Outcome:
        customer, money, metadata = known(key)
        if customer is None or refused(money):
            return Cancelled()  # `charge` never asks for it
        with answered(f"the cancellation of payment {key}"):
            try:
                intent = self._found(key, customer) or self._made(customer, money, metadata, key)
            except stripe.APIError as fault:
                if (fault.headers or {}).get("Idempotent-Replayed") != "true":
                    raise
                # For a day Stripe says again that it failed: another is made, for `charge` to find.
                intent = self._made(customer, money, metadata, f"{key}:cancel")
            if isinstance(intent, Declined):
                return intent
            outcome = outcome_of(intent)
            if outcome is None or isinstance(outcome, ActionRequired):
                outcome = outcome_of(self._cancelled(intent))
        if outcome is None or isinstance(outcome, ActionRequired):
            raise OutcomeUnknown(key)
        return outcome

    def refund(self, key: str, payment_key: str, money: Money) -> Refunded | Declined:
        customer = known(payment_key).customer
        with answered(f"refund {key}"):
            paid = self._found(payment_key, customer) if customer else None
            if paid is None or paid["status"] != "succeeded":
                log.error("refund %s: Stripe knows of no payment %s that was made", key, payment_key)
                return Declined("refund_refused")
            refunds = self.api.refunds.list({"payment_intent": paid["id"], "limit": PAGE}).auto_paging_iter()
            made = next((found for found in refunds if key_of(found.to_dict()) == key), None)
            try:
                made = made or self.api.refunds.create(
                    {"payment_intent": paid["id"], "amount": money.amount, "metadata": {"key": key}},
                    {"idempotency_key": key},
                )
            except stripe.InvalidRequestError as fault:
                if fault.code in REFUND_REFUSALS or fault.param == "amount":
                    return Declined("refund_refused")
                raise
        if made.status == "succeeded":
            return Refunded()
        if made.status in ("failed", "canceled"):
            return Declined("refund_refused")
        raise OutcomeUnknown(key)  # on its way: the sweep asks again

    def captures_since(self, instant: datetime) -> Iterator[Capture]:
        """Also remembers which customer the account has. Charges of older versions name no account."""
        asked: Any = {
            "created": {"gte": int(instant.timestamp())},
            "limit": PAGE,
            "expand": ["data.latest_charge"],
        }
        with answered("the captures since the copy"):
            for shown in self.api.payment_intents.list(asked).auto_paging_iter():
                intent = shown.to_dict()
                if key_of(intent) and intent["status"] == "succeeded":
                    capture = capture_of(intent)
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

    def heard(self, body: bytes, signature: str) -> Heard | None:
        try:
            stripe.WebhookSignature.verify_header(body, signature, self.webhook_secret, SIGNATURE_AGE)
            event = json.loads(body)
            subject = TOPICS.get(event["type"])
            about = event["data"]["object"]
            named = about.get("client_reference_id") if subject == "card" else (about.get("metadata") or {}).get("key")
            if not isinstance(event["id"], str):
                raise TypeError
            return Heard(event["id"], subject, named) if subject and isinstance(named, str) else None
        except (
            stripe.SignatureVerificationError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as fault:
            raise Forged(type(fault).__name__) from None

    def _found(self, key: str, customer: str) -> Intent | None:
        """The intent with our key, from the customer's list, which is never behind, as Stripe's search may be."""
        listed = self.api.payment_intents.list({"customer": customer, "limit": PAGE})
        intents = (found.to_dict() for found in listed.auto_paging_iter())
        return next((intent for intent in intents if key_of(intent) == key), None)

    def _made(self, customer: str, money: Money, metadata: dict[str, str], once: str) -> Intent | Declined:
        """The intent, not confirmed: who charges and who cancels ask for it with the same words, and get the same."""
        try:
            made = self.api.payment_intents.create(
                {
                    "amount": money.amount,
                    "currency": money.currency.lower(),
                    "customer": customer,
                    "allowed_payment_method_types": ["card"],
                    "metadata": metadata,
                },
                {"idempotency_key": once},
            )
        except stripe.InvalidRequestError as fault:
            if fault.code in ("amount_too_small", "amount_too_large"):
                return Declined("amount_refused")
            raise
        return made.to_dict()

    def _confirmed(self, key: str, intent: Intent, card_token: str, return_url: str, present: bool) -> Outcome | None:
        """Charges the card. A bank that wants to know its absent customer is asked for the page where it does."""
        named = intent["id"]
        try:
            done = self.api.payment_intents.confirm(
                named,
                {"payment_method": card_token, "return_url": return_url, "off_session": not present},
                {"idempotency_key": f"{key}:confirm" if present else f"{key}:absent"},
            )
            return outcome_of(done.to_dict())
        except stripe.CardError as fault:
            if not present and fault.code == "authentication_required":
                return self._confirmed(key, intent, card_token, return_url, present=True)
            return outcome_of(self._looked_up(named)) or Declined(decline_code(fault.error))
        except stripe.InvalidRequestError:
            outcome = outcome_of(self._looked_up(named))  # was it settled, or cancelled, meanwhile?
            if outcome is not None or self._owner_of(card_token) == intent["customer"]:
                if outcome is None:
                    raise
                return outcome
            # The card was deleted: a refusal, which the intent itself remembers.
            self.api.payment_intents.update(named, {"metadata": {"refused": "card_declined"}})
            return outcome_of(self._cancelled(intent))

    def _cancelled(self, intent: Intent) -> Intent:
        try:
            return self.api.payment_intents.cancel(intent["id"]).to_dict()
        except stripe.InvalidRequestError:  # it was settled meanwhile
            return self._looked_up(intent["id"])

    def _looked_up(self, intent_id: str) -> Intent:
        return self.api.payment_intents.retrieve(intent_id).to_dict()


@contextmanager
def answered(about: str) -> Iterator[None]:
    """What is no answer is an outcome that is not known; the log says which of it a person must mend, and no secret."""
    try:
        yield
    except stripe.StripeError as fault:
        told = (about, type(fault).__name__, fault.http_status, fault.code, fault.request_id)
        if isinstance(fault, stripe.AuthenticationError | stripe.PermissionError):
            log.error("Stripe refuses our key: check STRIPE_SECRET_KEY (%s: %s, %s, %s, request %s)", *told)
        elif isinstance(fault, stripe.InvalidRequestError | stripe.IdempotencyError):
            log.error("Stripe cannot do it: %s (%s, %s, %s, request %s)", *told)
        else:
            log.warning("Stripe does not answer: %s (%s, %s, %s, request %s)", *told)
        raise OutcomeUnknown(about) from None


def refused(money: Money) -> Declined | None:
    """Amounts here are hundredths; Stripe counts some currencies otherwise, and would charge a hundred times that."""
    if money.currency.upper() not in OTHER_UNITS:
        return None
    log.error("%s is not counted in hundredths: Stripe is not asked to charge it", money.currency)
    return Declined("currency_refused")
