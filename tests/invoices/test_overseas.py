"""Customers in the French overseas departments and territories: numbers, rates, documents."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.billing_form import GIVEN, URL, account, refused, save
from tests.support.document_faults import broken_rules, texts_at, wrong_container
from tests.support.world import invoice_of, pay, quoted
from webapp.invoices import documents
from webapp.sandbox.scenarios import Made

NUMBERS = {"siren": "900300401", "vat_number": "FR41900300401"}
POSTAL = {
    "GP": "97110",
    "MQ": "97200",
    "RE": "97400",
    "GF": "97300",
    "YT": "97600",
    "PM": "97500",
    "BL": "97133",
    "MF": "97150",
    "NC": "98800",
    "PF": "98714",
    "WF": "98600",
}


@pytest.mark.parametrize("country", POSTAL)
def test_their_firms_have_a_siren_and_a_french_vat_number(client: FlaskClient, business: Made, country: str) -> None:
    assert save(client, country=country, postal_code=POSTAL[country], **NUMBERS).status_code == 303
    saved = account(business)
    assert (saved.country, saved.siren, saved.vat_number) == (country, "900300401", "FR41900300401")


@pytest.mark.parametrize(
    ("country", "tax", "code", "category"),
    [
        ("GP", 3239, "FR", "S"),
        ("MQ", 3239, "FR", "S"),
        ("RE", 3239, "FR", "S"),
        ("GF", 0, "GF", "O"),
        ("YT", 0, "YT", "O"),
        ("MC", 7620, "MC", "S"),
        ("PF", 0, "PF", "O"),
        ("NC", 0, "NC", "O"),
    ],
)
def test_their_invoices_hold_to_every_rule(
    app: Flask, client: FlaskClient, business: Made, country: str, tax: int, code: str, category: str
) -> None:
    numbers = {"siren": "", "vat_number": ""} if country == "MC" else NUMBERS
    save(client, country=country, postal_code=POSTAL.get(country, "98000"), **numbers)
    pay(app, business, quoted(app, business, 13))
    invoice = invoice_of(business)
    assert (invoice.net, invoice.tax) == (38100, tax)
    pdf, xml = documents.pdf_of(invoice), documents.xml_of(invoice)
    assert broken_rules(xml) == []
    assert wrong_container(pdf, xml) == []
    assert texts_at(xml, "BuyerTradeParty PostalTradeAddress CountryID") == [code]
    assert set(texts_at(xml, "ApplicableTradeTax CategoryCode")) == {category}


@pytest.mark.parametrize(
    ("country", "postal_code", "named"),
    [
        ("FR", "97400", "Réunion"),
        ("FR", "97200", "Martinique"),
        ("FR", "98000", "Monaco"),
        ("FR", "98800", "New Caledonia"),
        ("RE", "97600", "Mayotte"),
        ("GP", "97150", "St. Martin"),
    ],
)
def test_a_postal_code_of_another_place_names_the_country_to_choose(
    client: FlaskClient, country: str, postal_code: str, named: str
) -> None:
    refused(client, "country", f"The postal code {postal_code} is in ", country=country, postal_code=postal_code)
    assert named in client.post(URL, data={**GIVEN, "country": country, "postal_code": postal_code}).text


@pytest.mark.parametrize(
    "typed", ["900300401\t", "\t900 300 401", "90030040100016", "900 300 401 00016", "900.300.401"]
)
def test_a_siren_is_read_as_it_is_pasted(client: FlaskClient, business: Made, typed: str) -> None:
    assert save(client, siren=typed).status_code == 303
    assert account(business).siren == "900300401"


@pytest.mark.parametrize("typed", ["90030040199999", "9003004011"])
def test_a_siren_with_wrong_digits_is_refused(client: FlaskClient, typed: str) -> None:
    refused(client, "siren", "This SIREN is not valid", siren=typed)
