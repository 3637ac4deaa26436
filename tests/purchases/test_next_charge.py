"""What paying says of the next charge: with which card and how much; and paying a due renewal with another card."""

import re

import pytest
from flask import Flask

from tests.support.world import post, renew_url, signed_in, state, subscription, words
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service


def bought(app: Flask, made: Made, procedure: str, seats: int, card: str) -> tuple[str, str, str]:
    """The overview as words, and the receipt as HTML with its address."""
    owner, base = signed_in(app, made), f"/subscriptions/{subscription(made)}/{procedure}"
    payment = owner.post(base, data={"seats": seats}).headers["Location"]
    overview = owner.post(payment, data={"card": card}).headers["Location"]
    shown = words(owner.get(overview).text)
    paid = owner.post(overview.replace("/overview", "/pay"), data={"attempt": "1", "card": card})
    receipt = paid.headers["Location"]
    return shown, owner.get(receipt).text, receipt


def test_the_receipt_tells_what_is_charged_next_and_offers_the_card_that_just_paid(app: Flask) -> None:
    made = scenarios.make("business-two-cards")
    _, receipt, _ = bought(app, made, "renew", 12, made.cards[1])
    text = words(receipt)
    assert "Next renewal: 15 March 2027 · €424.80 incl. VAT · Visa •••• 4242" in text
    assert "will be charged to your default card, Visa •••• 4242, not to the one you just used." in text
    offer = re.search(r'action="(/[^"]+/default)"', receipt)
    assert offer
    assert signed_in(app, made).post(offer[1]).status_code == 303
    cards = {card["last4"]: card["default"] for card in state(app, made)["cards"]}
    assert cards == {"4242": False, "4444": True}


def test_the_receipt_of_the_default_card_offers_nothing(app: Flask, business: Made) -> None:
    _, receipt, _ = bought(app, business, "renew", 12, business.cards[0])
    assert "· €424.80 incl. VAT · Visa ••••" in words(receipt)
    assert "not to the one you just used" not in receipt


def test_adding_seats_says_what_the_next_renewal_costs_and_that_is_charged(app: Flask, business: Made) -> None:
    overview, receipt, _ = bought(app, business, "add", 14, business.cards[0])
    (total,) = re.findall(r"From the next renewal, on 15 February 2027: (€[\d.]+) incl. VAT for 14 seats", overview)
    assert f"Next renewal: 15 February 2027 · {total} incl. VAT" in words(receipt)
    post(app, f"/{business.account}/clock", to="2027-02-15T09:00:00")
    assert f"{state(app, business)['payments'][-1]['amount'] / 100:.2f}" == total[1:]


def test_another_card_leads_to_the_payment_with_the_paid_seats(app: Flask) -> None:
    made = scenarios.make("business-past-due")
    owner = signed_in(app, made)
    page = owner.get("/subscriptions").text
    form = re.search(rf'<form action="{renew_url(made)}".*?name="seats" value="(\d+)".*?</form>', page, re.DOTALL)
    assert form
    assert form[1] == "12"
    assert "Pay with another card" in form[0]
    answer = owner.post(renew_url(made), data={"seats": form[1]})
    assert (answer.status_code, answer.headers["Location"].endswith("/payment")) == (303, True)
    assert "Payment methods" in owner.get(answer.headers["Location"]).text


def test_a_receipt_whose_card_was_deleted_offers_nothing(app: Flask) -> None:
    made = scenarios.make("business-two-cards")
    _, receipt, address = bought(app, made, "renew", 12, made.cards[1])
    owner = signed_in(app, made)
    assert "not to the one you just used" in receipt
    assert owner.post(f"/billing/cards/{made.cards[1]}/delete").status_code == 303
    later = owner.get(address)
    assert (later.status_code, "not to the one you just used" in later.text) == (200, False)
