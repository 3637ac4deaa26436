"""Quote, tax and buyer are frozen together: what is printed is what the tax was computed for (invariant 16)."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.billing_form import GIVEN, URL
from tests.support.world import invoice_of, move_to, post, quoted, renew_url, state
from webapp.sandbox.scenarios import Made

AMERICAN = {"country": "US", "siren": "", "vat_number": ""}


def pay_with_a_challenge(app: Flask, client: FlaskClient, made: Made) -> str:
    """A renewal whose bank asks for a confirmation; the way back from the bank."""
    post(app, f"/{made.account}/gateway", next="challenge")
    quote = quoted(app, made)
    base = f"{renew_url(made)}/{quote}"
    assert client.post(f"{base}/pay", data={"attempt": 1}).status_code == 303
    page = client.get(f"{base}/authentication").text
    link = re.search(r'href="[^"]*?(/sandbox/gateway/challenges/[^"]+)"', page)
    assert link
    return link[1]


@pytest.mark.parametrize(
    ("before", "saved", "category", "tax_rate"),
    [
        ({"country": "US", "siren": None, "vat_number": None}, {}, "outside_eu", 0),
        ({}, AMERICAN, "standard", 2000),
        ({}, {"country": "RE", "postal_code": "97400", "siren": "900300401"}, "standard", 2000),
        ({"country": "RE"}, {}, "standard", 850),
    ],
)
def test_a_form_saved_while_the_bank_waits_changes_only_later_invoices(
    app: Flask,
    client: FlaskClient,
    business: Made,
    before: dict[str, object],
    saved: dict[str, str],
    category: str,
    tax_rate: int,
) -> None:
    move_to(business, **before)
    bank = pay_with_a_challenge(app, client, business)
    answer = client.post(URL, data={**GIVEN, **saved}, follow_redirects=True)
    assert "The invoice for the payment in progress keeps the previous details." in answer.text
    back = client.post(bank, data={"answer": "confirm"}).headers["Location"]
    client.get(back.removeprefix("http://localhost"))
    snapshot = invoice_of(business).snapshot
    assert snapshot["buyer"]["country"] == before.get("country", "FR")
    assert (snapshot["tax_treatment"], snapshot["tax_rate"]) == (category, tax_rate)


def test_an_address_saved_before_pay_is_on_the_invoice(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business)
    client.post(URL, data={**GIVEN, "street": "9 quai des Brumes"})
    client.post(f"{renew_url(business)}/{quote}/pay", data={"attempt": 1})
    assert invoice_of(business).snapshot["buyer"]["street"] == "9 quai des Brumes"


def test_a_country_with_another_rate_asks_for_a_fresh_overview(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business)
    client.post(URL, data={**GIVEN, "country": "RE", "postal_code": "97400"})
    answer = client.post(f"{renew_url(business)}/{quote}/pay", data={"attempt": 1})
    assert answer.status_code == 409
    assert "8.5%" in answer.text
    assert state(app, business)["payments"] == []
