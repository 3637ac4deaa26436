"""What the stepper's live region says, and where − stops without scripts."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.world import post, subscription, words
from webapp.sandbox.scenarios import Made

HX = {"HX-Request": "true", "HX-Request-Type": "partial"}


def fragment(client: FlaskClient, made: Made, procedure: str, seats: str) -> str:
    """What the live region of the page would say: the fragment without its parts for other places."""
    answer = client.get(f"/subscriptions/{subscription(made)}/{procedure}?seats={seats}", headers=HX)
    return words(answer.text.split("<hx-partial")[0])


@pytest.mark.parametrize(
    ("procedure", "seats", "said"),
    [
        ("renew", "13", "13 seats: €381.00 a month, before tax"),
        ("renew", "1", "1 seat: €30.00 a month, before tax At least 5: the tenant has 5 active users."),
        ("renew", "4", "4 seats: €120.00 a month, before tax At least 5: the tenant has 5 active users."),
        ("renew", "5", "5 seats: €150.00 a month, before tax"),
        ("renew", "1000", "1,000 seats: €21,255.00 a month, before tax"),
        ("reduce", "4", "4 seats: €120.00 a month, before tax At least 5: the tenant has 5 active users."),
        ("reduce", "12", "12 seats: €354.00 a month, before tax You pay for 12 seats: enter a lower number."),
        ("add", "3", "3 seats: €90.00 a month, before tax You already pay for 12 seats: enter a higher number."),
        ("add", "12", "12 seats: €354.00 a month, before tax You already pay for 12 seats: enter a higher number."),
        ("add", "13", "13 seats: €381.00 a month, before tax"),
        ("renew", "0", "Enter a whole number from 1 to 10,000."),
        ("renew", "-3", "Enter a whole number from 1 to 10,000."),
    ],
)
def test_the_live_region_says_number_cost_and_what_is_wrong(
    client: FlaskClient, business: Made, procedure: str, seats: str, said: str
) -> None:
    assert fragment(client, business, procedure, seats) == said


def test_the_whole_page_has_the_same_in_its_live_region(client: FlaskClient, business: Made) -> None:
    page = client.get(f"/subscriptions/{subscription(business)}/renew?seats=4").text
    region = re.search(r"<output[^>]*>(.*?)</output>", page, re.S)
    assert region
    assert words(region[1]).endswith("before tax At least 5: the tenant has 5 active users.")


def test_the_floor_follows_the_active_users(app: Flask, client: FlaskClient, business: Made) -> None:
    post(app, f"/{business.account}/users", active=1)
    post(app, f"/{business.account}/clock", advance="PT2M")
    client.post(f"/subscriptions/{subscription(business)}/renew", data={"seats": "9"})
    assert "At least" not in fragment(client, business, "renew", "1")


@pytest.mark.parametrize(
    ("seats", "step", "shown"),
    [("2", "-1", "1"), ("1", "-1", "1"), ("0", "-1", "0"), ("-3", "-1", "-3"), ("1", "1", "2"), ("0", "1", "1")],
)
def test_without_scripts_decrease_stops_at_one(
    client: FlaskClient, business: Made, seats: str, step: str, shown: str
) -> None:
    page = client.get(f"/subscriptions/{subscription(business)}/renew?seats={seats}&step={step}").text
    field = re.search(r'<input[^>]*id="seats"[^>]*>', page)
    assert field
    assert f'value="{shown}"' in field[0]
