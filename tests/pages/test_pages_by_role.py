"""What pages tell members to do: only what their role may do, and otherwise who can."""

from html import unescape

import pytest
from flask import Flask

from tests.support import team
from tests.support.world import invoice_of, post, signed_in, subscription, words
from webapp.domain.permissions import Role
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service
FOR_THOSE_WHO_CHANGE = ("you can also renew now", "Renew by", "Pay with another card", "waiting for your confirmation")
FOR_THOSE_WHO_BILL = ("Change the payment method", "Add credit card", "The first one you add")


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    "scenario", ["business", "business-past-due", "business-lapsed", "no-card", "expiring-card", "both"]
)
def test_no_page_asks_for_what_the_role_may_not_do(app: Flask, scenario: str, role: Role) -> None:
    made = scenarios.make(scenario)
    browser = team.browser(app, team.add(made, role)) if role is not Role.OWNER else signed_in(app, made)
    changes, bills = role in (Role.OWNER, Role.MANAGER), role is not Role.VIEWER
    text = ""
    for path in ("/subscriptions", f"/subscriptions/{subscription(made)}", "/billing", "/activity", "/contact"):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        text += unescape(words(answer.text)) + answer.text
    if not changes:
        assert not [sentence for sentence in FOR_THOSE_WHO_CHANGE if sentence in text]
    if not bills:
        assert not [sentence for sentence in FOR_THOSE_WHO_BILL if sentence in text]
    else:
        assert "Add credit card" in text


def test_a_viewer_of_an_unpaid_renewal_is_told_who_can_pay(app: Flask) -> None:
    made = scenarios.make("business-past-due")
    text = words(team.browser(app, team.add(made, "viewer")).get("/subscriptions").text)
    assert "Camille Martin or a manager can also renew now with another card." in text
    assert "you can also renew now with another card." in words(signed_in(app, made).get("/subscriptions").text)


def test_a_viewer_of_a_challenged_renewal_is_told_who_confirms(app: Flask, business: Made) -> None:
    post(app, f"/{business.account}/gateway", next="challenge")
    post(app, f"/{business.account}/clock", to="2027-02-15T09:00:00")
    text = words(team.browser(app, team.add(business, "viewer")).get("/subscriptions").text)
    assert "The bank waits for Camille Martin or a manager to confirm the payment." in text
    assert "Confirm the payment" not in text


def test_a_viewer_reaches_the_account_manager_by_other_ways_than_the_form(app: Flask, business: Made) -> None:
    viewer = team.browser(app, team.add(business, "viewer"))
    assert ">Help & contact</a>" in unescape(viewer.get("/subscriptions").text)
    page = viewer.get("/contact").text
    assert 'href="mailto:sophie.laurent@example.test"' in page
    assert 'href="tel:' in page
    assert "<textarea" not in page
    assert "Your cases" not in page
    assert viewer.post("/contact", data={"subject": "other", "message": "A message"}).status_code == 403


def test_a_document_that_was_never_sent_is_sent_and_not_sent_again(app: Flask, business: Made) -> None:
    owner = signed_in(app, business)
    page = f"/billing/invoices/{invoice_of(business).id}"
    assert ">Send by e-mail</button>" in owner.get(page).text
    owner.post(f"{page}/send", data={"shown": "0"})
    assert ">Send again by e-mail</button>" in owner.get(page).text
