"""Gateways under test, and an owner who pays at Stripe."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask import Flask

from e2e.portal import ROOT, free_port
from tests.servers.stripe_server import SECRET_KEY, WEBHOOK_SECRET, Stripe
from tests.support.gateways import AMOUNT, LACKING, AtLocalstripe, AtStripe, InSandbox, World
from tests.support.stripe_owner import Owner
from tests.support.world import quoted, stored
from webapp.adapters.stripe.gateway import StripeGateway
from webapp.db import transaction
from webapp.models.purchases import Quote
from webapp.purchases import payments, quotes
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made


@pytest.fixture(scope="session")
def localstripe() -> Iterator[str]:
    """The address of localstripe, which runs until the tests end."""
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "tests.servers.localstripe_server", str(port)], cwd=ROOT)
    try:
        for _ in range(400):
            assert server.poll() is None, "localstripe did not start"
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
            except OSError:
                time.sleep(0.05)  # the open port is its only sign of life
            else:
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(params=["sandbox", "stripe", "localstripe"])
def world(request: pytest.FixtureRequest, app: Flask, business: Made) -> World:
    match request.param:
        case "sandbox":
            return InSandbox(app, business)
        case "stripe":
            return AtStripe(request.getfixturevalue("stripe"), business)
    for needed in request.node.iter_markers("needs"):
        pytest.skip(f"localstripe: {LACKING[needed.args[0]]}")
    return AtLocalstripe(request.getfixturevalue("localstripe"), business)


@pytest.fixture
def key(app: Flask, business: Made) -> Callable[[], str]:
    """Makes keys of payments that the portal has stored before it asks the gateway."""
    quote = quoted(app, business)

    def written() -> str:
        with transaction() as session:
            loaded = quotes.load_quote(business.account, str(business.subscriptions["business"]), quote)
            payment = payments.claim(loaded, datetime.now(UTC))
            payment.state, payment.settled_at = "declined", payment.created_at
            assert stored(Quote, quote).money == AMOUNT
            session.add(payment)
            return payment.key

    return written


@pytest.fixture
def two(app: Flask) -> Made:
    """Visa 4242, the default, and Mastercard 4444."""
    return scenarios.make("business-two-cards")


@pytest.fixture
def owner(stripe_app: Flask, stripe: Stripe) -> Owner:
    return Owner(stripe_app, stripe)


@pytest.fixture
def quick(stripe_app: Flask, stripe: Stripe) -> None:
    """Gives the gateway a short timeout and no retries."""
    gateway = StripeGateway(SECRET_KEY, WEBHOOK_SECRET, stripe.url, timeout=(1, 0.3), retries=0)
    before = stripe_app.extensions["ports"]
    stripe_app.extensions["ports"] = replace(before, gateway=gateway, gateway_events=gateway)
