"""The pictures of a subscription's page say how high they are, and which months are still to come."""

import re

from flask import Flask
from flask.testing import FlaskClient

from tests.support.world import signed_in, subscription, words
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made


def texts(page: str, picture: str) -> list[str]:
    svg = re.search(rf'<svg class="{picture}".*?</svg>', page, re.S)
    assert svg
    return re.findall(r"<text[^>]*>([^<]+)</text>", svg[0])


def test_the_spend_has_its_highest_amount_zero_and_its_first_current_and_last_month(
    client: FlaskClient, business: Made
) -> None:
    page = client.get(f"/subscriptions/{subscription(business)}").text
    shown = [words(text) for text in texts(page, "spend")]
    assert shown == ["€424.80", "0", "Feb 2026", "Jan 2027", "Apr 2027"]
    assert "Planned in the next 3 months" in words(page)


def test_seats_have_their_highest_number_and_zero(client: FlaskClient, business: Made) -> None:
    assert texts(client.get(f"/subscriptions/{subscription(business)}").text, "seat-use")[:2] == ["12", "0"]


def test_without_a_charge_to_come_no_month_is_told_as_planned(app: Flask) -> None:
    made = scenarios.make("business-cancellation-pending")
    assert "Planned in" not in words(signed_in(app, made).get(f"/subscriptions/{subscription(made)}").text)
