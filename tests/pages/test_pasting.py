"""What people paste into fields: spaces, tabs, line breaks and invisible characters around what they mean."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.accounts.test_contact import cases, send
from tests.support.billing_form import account, refused, save
from tests.support.world import LIST, invoice_of, subscription, words
from webapp.db import db
from webapp.models.mail import Message
from webapp.sandbox.scenarios import Made

AROUND = [" {} ", "\t{}\t", "\u00a0{}\u202f", "{}\r\n", "\ufeff{}\u200b", "\u200e{}\u200f", "\u2060 {} \u00ad\n"]


@pytest.mark.parametrize("around", AROUND, ids=ascii)
def test_the_e_mail_at_sign_in(app: Flask, business: Made, around: str) -> None:
    form = {"email": around.format(business.email.upper()), "password": business.password}
    answer = app.test_client().post("/sign-in", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/subscriptions")


@pytest.mark.parametrize("around", AROUND, ids=ascii)
def test_the_e_mail_of_a_forgotten_password(app: Flask, business: Made, around: str) -> None:
    app.test_client().post("/password/forgotten", data={"email": around.format(business.email)})
    db.session.rollback()
    assert db.session.scalars(select(Message.recipient)).all() == [business.email]


@pytest.mark.parametrize("around", AROUND, ids=ascii)
@pytest.mark.parametrize("field", ["legal_name", "street", "postal_code", "city", "purchase_order"])
def test_a_text_of_the_billing_information(client: FlaskClient, business: Made, field: str, around: str) -> None:
    assert save(client, **{field: around.format("69 bis")}).status_code == 303
    assert getattr(account(business), field) == "69 bis"


@pytest.mark.parametrize("space", ["\u00a0", "\u202f", "\u2009", "\u3000"], ids=ascii)
def test_a_space_of_any_kind_is_a_space(client: FlaskClient, business: Made, space: str) -> None:
    assert save(client, street=f"8{space}quai des Analyses").status_code == 303
    assert account(business).street == "8 quai des Analyses"


@pytest.mark.parametrize("around", AROUND, ids=ascii)
def test_nothing_but_what_is_around_is_an_empty_field(client: FlaskClient, business: Made, around: str) -> None:
    refused(client, "city", "Fill in this field", city=around.format(""))
    assert save(client, purchase_order=around.format("")).status_code == 303
    assert account(business).purchase_order is None


@pytest.mark.parametrize("around", AROUND, ids=ascii)
def test_the_billing_e_mails(client: FlaskClient, business: Made, around: str) -> None:
    typed = around.format("a@example.test") + ";" + around.format("b@example.test")
    assert save(client, billing_emails=typed).status_code == 303
    assert account(business).billing_emails == ["a@example.test", "b@example.test"]


@pytest.mark.parametrize("around", AROUND, ids=ascii)
@pytest.mark.parametrize("number", ["14", "014"])
def test_the_number_of_seats(client: FlaskClient, business: Made, number: str, around: str) -> None:
    url, seats = f"/subscriptions/{subscription(business)}", around.format(number)
    answer = client.post(f"{url}/renew", data={"seats": seats})
    assert (answer.status_code, "/payment" in answer.headers.get("Location", "")) == (303, True)
    hx = {"HX-Request": "true", "HX-Request-Type": "partial"}
    fragment = client.get(f"{url}/renew", query_string={"seats": seats}, headers=hx)
    assert "€408.00" in words(fragment.text)
    stepped = client.get(f"{url}/renew", query_string={"seats": seats, "step": "1"}).text
    assert 'value="15"' in stepped


@pytest.mark.parametrize("typed", ["1 000", "1\u202f000", "1\u00a0000", " 1\u2009000\t"])
def test_a_number_in_groups_of_three(client: FlaskClient, business: Made, typed: str) -> None:
    url = f"/subscriptions/{subscription(business)}"
    assert client.post(f"{url}/renew", data={"seats": typed}).status_code == 303
    answer = client.post(f"{url}/reduce", data={"seats": typed})
    assert "enter a lower number" in answer.text
    assert 'value="1000"' in answer.text
    confirmed = client.post(f"{url}/reduce/confirm", data={"seats": " 8 ", "understood": "y"})
    assert confirmed.status_code == 303


@pytest.mark.parametrize("typed", ["1 00", "10 00", "1,000", "1.000", "1 2", "1e3", "１２", "12,0", "\u221212"])
def test_what_may_mean_another_number_is_refused(client: FlaskClient, business: Made, typed: str) -> None:
    answer = client.post(f"/subscriptions/{subscription(business)}/renew", data={"seats": typed})
    assert (answer.status_code, "Enter a whole number" in answer.text) == (422, True)


@pytest.mark.parametrize("around", AROUND, ids=ascii)
def test_the_search_in_invoices(client: FlaskClient, business: Made, around: str) -> None:
    number = invoice_of(business).number
    page = client.get(LIST, query_string={"search": around.format(number)}).text
    assert f">{number}<" in page
    assert f'value="{number}"' in page


def test_a_message_from_a_document(client: FlaskClient) -> None:
    typed = "\ufeffHello,\u2028we are\u200b 30\u00a0more\x0bfrom co\u00adworkers.\r\n\u200eThanks\u2029"
    assert send(client, message=typed).status_code == 303
    assert cases()[0].message == "Hello,\nwe are 30 more\nfrom coworkers.\nThanks"


@pytest.mark.parametrize(
    ("field", "typed", "kept"),
    [
        ("vat_number", "FR 41.900-300 401\t", "FR41900300401"),
        ("vat_number", "\ufefffr\u00a041\u202f900300401\r\n", "FR41900300401"),
        ("siren", "\u200b900\u202f300\u00a0401\t", "900300401"),
    ],
)
def test_a_number_of_a_firm(client: FlaskClient, business: Made, field: str, typed: str, kept: str) -> None:
    assert save(client, **{field: typed}).status_code == 303
    assert getattr(account(business), field) == kept
