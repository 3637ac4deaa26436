"""The gateways under test: the sandbox's, Stripe's adapter at our own server, and at localstripe."""

import re
from typing import Any, Protocol

from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.servers.stripe_server import SECRET_KEY, WEBHOOK_SECRET, Stripe
from webapp.adapters.stripe.gateway import StripeGateway
from webapp.db import db, transaction
from webapp.domain.money import Money
from webapp.ports import PaymentGateway, ports
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxAccount, SandboxCard, SandboxCharge

AMOUNT = Money(48_960, "EUR")
BACK = "http://localhost/back"
LACKING = {  # what localstripe 1.15 lacks; our own small Stripe covers it
    "card page": "it has no Checkout",
    "bank's page": "it answers 3-D Secure with what Stripe.js wants, and with no address",
    "keys": "it takes no notice of idempotency keys",
    "silence": "it cannot be told to keep silent, nor to answer half",
    "limits": "it refunds more than was paid",
}


class World(Protocol):
    """A gateway, with what its customers and their banks do."""

    gateway: PaymentGateway
    account: str

    def card(self, behaves: str = "accepted") -> str: ...
    def enter(self, url: str) -> None: ...
    def bank(self, url: str, confirmed: bool) -> None: ...
    def silent(self, after: bool) -> None: ...
    def captured(self) -> list[int]: ...


class InSandbox(World):
    def __init__(self, app: Flask, made: Made) -> None:
        self.app, self.made, self.gateway, self.account = app, made, ports().gateway, made.account

    def card(self, behaves: str = "accepted") -> str:
        with transaction() as session:
            card = SandboxCard(
                customer=self.made.account,
                behaviour=behaves,
                brand="Visa",
                last4="4242",
                exp_year=2031,
                exp_month=8,
                holder="Camille Martin",
            )
            session.add(card)
            session.flush()
            return card.token

    def _post(self, url: str, **form: str) -> None:
        assert self.app.test_client().post(url.removeprefix("http://localhost"), data=form).status_code == 303

    def enter(self, url: str) -> None:
        self._post(url, number="4242 4242 4242 4242", expiry="08/31", code="123", holder="Camille Martin")

    def bank(self, url: str, confirmed: bool) -> None:
        self._post(url, answer="confirm" if confirmed else "refuse")

    def silent(self, after: bool) -> None:
        fault = "timeout_after_charge" if after else "timeout"
        with transaction() as session:
            session.execute(update(SandboxAccount).values(next_charge=fault))

    def captured(self) -> list[int]:
        with Session(db.engine) as session:
            return list(session.scalars(select(SandboxCharge.amount).where(SandboxCharge.state == "captured")))


class AtStripe(World):
    """Stripe's adapter at our own small Stripe."""

    def __init__(self, server: Stripe, made: Made) -> None:
        self.server = server
        gateway = StripeGateway(SECRET_KEY, WEBHOOK_SECRET, server.url, timeout=(1, 0.5), retries=0)
        self.gateway, self.account, self.customer = gateway, made.account, gateway.customer_of(made.account)

    def card(self, behaves: str = "accepted") -> str:
        return self.server.card(self.customer, behaves)

    def enter(self, url: str) -> None:
        self.server.enter_card(re.findall(r"cs_\w+", url)[0])

    def bank(self, url: str, confirmed: bool) -> None:
        self.server.authenticate(url, confirmed)

    def silent(self, after: bool) -> None:
        self.server.fail("silent_after" if after else "silent", "/confirm")

    def captured(self) -> list[int]:
        return self.server.captured()


class AtLocalstripe(World):
    """Stripe's adapter at localstripe, which others maintain."""

    def __init__(self, url: str, made: Made) -> None:
        gateway = StripeGateway("sk_test_12345", WEBHOOK_SECRET, url)
        self.gateway, self.api, self.account = gateway, gateway.api, made.account
        self.customer = gateway.customer_of(made.account)

    def card(self, behaves: str = "accepted") -> str:
        number = {"accepted": "4242424242424242", "card_declined": "4000000000000341"}[behaves]
        card: Any = {"number": number, "exp_month": 8, "exp_year": 2031, "cvc": "123"}
        made = self.api.payment_methods.create({"type": "card", "card": card})
        return self.api.payment_methods.attach(made.id, {"customer": self.customer}).id

    def enter(self, url: str) -> None:
        raise NotImplementedError(LACKING["card page"])

    def bank(self, url: str, confirmed: bool) -> None:
        raise NotImplementedError(LACKING["bank's page"])

    def silent(self, after: bool) -> None:
        raise NotImplementedError(LACKING["silence"])

    def captured(self) -> list[int]:
        listed: Any = {"customer": self.customer, "limit": 100}
        return [intent.amount for intent in self.api.payment_intents.list(listed) if intent.status == "succeeded"]
