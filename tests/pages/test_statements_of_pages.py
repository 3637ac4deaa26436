"""How many statements each page sends. Its own clock costs a sandbox account one of them."""

import pytest
from flask import Flask

from tests.support.world import quoted, renew_url, signed_in, statements, step, subscription
from webapp.sandbox import scenarios

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.mark.service
@pytest.mark.parametrize(
    ("page", "count"),
    [
        ("/accessibility", 1),  # who is signed in
        ("RENEW?seats=14", 2),  # and the prices
        ("/subscriptions", 3),  # and the subscriptions, and the clock
        ("SUBSCRIPTION", 5),  # and what happened
        ("RENEW", 3),
        ("/billing", 4),  # and the account with its cards and newest invoices
        ("/billing/invoices", 2),
        ("/billing/invoices?year=2026&status=paid&order=oldest", 2),
    ],
)
@pytest.mark.parametrize("scenario", ["business", "many-invoices"])
def test_a_page_sends_few_statements_whatever_the_account_has(app: Flask, scenario: str, page: str, count: int) -> None:
    made = scenarios.make(scenario)
    client = signed_in(app, made)
    path = page.replace("RENEW", renew_url(made)).replace("SUBSCRIPTION", f"/subscriptions/{subscription(made)}")
    headers = PARTIAL if "seats" in path else {}
    assert client.get(path, headers=headers).status_code == 200
    with statements() as sent:
        client.get(path, headers=headers)
    assert len(sent) == count, sent


@pytest.mark.service
def test_a_confirmation_loads_the_subscription_under_its_lock(app: Flask) -> None:
    made = scenarios.make("business")
    client = signed_in(app, made)
    with statements() as sent:
        client.post(f"/subscriptions/{subscription(made)}/cancel", data={"understood": "y"})
    loads = [statement for statement in sent if "of_account_zone" in statement]
    assert len(loads) <= 2, "one to find a challenge at the gateway, one under the lock"


@pytest.mark.service
def test_pay_asks_for_everything_once(app: Flask) -> None:
    """Of its statements, five are the sandbox's gateway and tenant, and four ask the sandbox's clock."""
    made = scenarios.make("business")
    client, quote = signed_in(app, made), quoted(app, made)
    with statements() as sent:
        assert client.post(step(made, quote, "pay"), data={"attempt": "1"}).status_code == 303
    assert len(sent) <= 34, sent
    assert len([statement for statement in sent if "of_account_zone" in statement]) <= 4
