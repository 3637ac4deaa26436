"""Billing information: what is accepted, what is refused at its field, and what follows from a change."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.support.billing_form import GIVEN, URL, account, refused, save
from tests.support.world import dump, pay, quoted, signed_in, state, words
from webapp.accounts.billing_information import MAX_EMAILS
from webapp.db import db
from webapp.models.activity import Activity
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

GERMAN = {"country": "DE", "siren": "", "vat_number": "DE136695976"}
MOST = [f"a{n}@example.test" for n in range(MAX_EMAILS)]
HOW_MANY = f"Enter 1 to {MAX_EMAILS} e-mail addresses."


@pytest.mark.parametrize("scenario", ["business", "enterprise"])
def test_both_plans_change_it_and_see_it(app: Flask, scenario: str) -> None:
    made = scenarios.make(scenario)
    client = signed_in(app, made)
    assert f'href="{URL}"' in client.get("/billing").text
    answer = save(client, city="Villeurbanne", purchase_order="BC-2027-118", document_locale="en")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/billing")
    page = client.get("/billing").text
    for text in ("Villeurbanne", "BC-2027-118", "English", "has been updated"):
        assert text in page
    form = client.get(URL).text
    assert 'value="Villeurbanne"' in form
    assert '<option selected value="en">' in form


def test_only_what_changed_is_told_to_the_activity(client: FlaskClient, business: Made) -> None:
    save(client)
    save(client, **GERMAN)
    db.session.rollback()
    changes = db.session.scalars(select(Activity).where(Activity.account_id == business.account)).all()[-1]
    assert (changes.what, changes.by) == ("billing_information_changed", "Camille Martin")
    assert changes.before == {"country": "FR", "siren": "900300401", "vat_number": "FR41900300401"}
    assert changes.after == {"country": "DE", "siren": None, "vat_number": "DE136695976"}


def test_saving_what_is_there_already_writes_nothing(client: FlaskClient) -> None:
    save(client)
    before = dump()
    assert save(client, vat_number="fr 41 900 300 401", siren="900 300 401", city="  Lyon ").status_code == 303
    assert dump() == before
    assert "Nothing was changed." in client.get("/billing").text


@pytest.mark.parametrize(
    ("country", "typed", "kept"),
    [
        ("FR", "fr 41 900 300 401", "FR41900300401"),
        ("DE", "de136695976", "DE136695976"),
        ("GR", "EL 094259216", "EL094259216"),
        ("NL", "NL004495445B01", "NL004495445B01"),
        ("CH", "CHE-107.787.577 IVA", "CHE-107.787.577IVA"),
        ("US", "", None),
        ("DE", "", None),
    ],
)
def test_a_vat_number_of_the_country_is_kept_as_invoices_print_it(
    client: FlaskClient, business: Made, country: str, typed: str, kept: str | None
) -> None:
    assert save(client, country=country, vat_number=typed).status_code == 303
    assert account(business).vat_number == kept


@pytest.mark.parametrize(
    ("country", "typed", "sentence"),
    [
        ("FR", "FR41900300402", "This VAT number is not valid"),
        ("DE", "DE136695977", "This VAT number is not valid"),
        ("DE", "FR41900300401", "(Germany). There, it starts with DE."),
        ("GR", "DE136695976", "(Greece). There, it starts with EL."),
        ("FR", "136695976", "There, it starts with FR."),
        ("US", "DE136695976", "does not belong to the country chosen (United States)."),
        ("FR", "FR53000004605", "does not belong to the country chosen (France)."),
        ("MC", "FR41900300401", "does not belong to the country chosen (Monaco)."),
        ("CH", "1" * 21, "enter 20 characters at most"),
    ],
)
def test_a_vat_number_that_is_wrong_or_anothers_is_refused(
    client: FlaskClient, country: str, typed: str, sentence: str
) -> None:
    refused(client, "vat_number", sentence, country=country, vat_number=typed)


@pytest.mark.parametrize("typed", ["900300402", "90030040", "A00300401"])
def test_a_wrong_siren_is_refused_in_france(client: FlaskClient, typed: str) -> None:
    refused(client, "siren", "This SIREN is not valid", siren=typed)


def test_a_siren_is_not_kept_outside_france(client: FlaskClient, business: Made) -> None:
    assert save(client, country="DE", vat_number="", siren="900300401").status_code == 303
    assert account(business).siren is None


@pytest.mark.parametrize("field", ["legal_name", "street", "postal_code", "city", "purchase_order"])
@pytest.mark.parametrize(
    "text", ["a\r\nBcc: x@example.test", "a\tb", "a\0b", "a\u202eb", "a\u200fb", "a\u2028b", "a\x7fb", "a\0"]
)
def test_line_breaks_and_invisible_characters_are_refused(client: FlaskClient, field: str, text: str) -> None:
    refused(client, field, "Remove the line breaks and invisible characters.", **{field: text})


@pytest.mark.parametrize(
    ("field", "most"),
    [("legal_name", 200), ("street", 200), ("postal_code", 20), ("city", 100), ("purchase_order", 100)],
)
def test_a_text_is_as_long_as_its_column_and_no_longer(
    client: FlaskClient, business: Made, field: str, most: int
) -> None:
    refused(client, field, f"enter {most} characters at most", **{field: "é" * (most + 1)})
    refused(client, field, f"enter {most} characters at most", **{field: "é" * 5000})
    assert save(client, **{field: "é" * most}).status_code == 303
    assert getattr(account(business), field) == "é" * most


@pytest.mark.parametrize("field", ["legal_name", "street", "postal_code", "city"])
def test_what_an_invoice_needs_is_required(client: FlaskClient, field: str) -> None:
    refused(client, field, "Fill in this field", **{field: " \u00a0 "})


@pytest.mark.parametrize(("field", "value"), [("country", "XX"), ("country", "EU"), ("document_locale", "de")])
def test_a_choice_is_one_of_the_list(client: FlaskClient, field: str, value: str) -> None:
    refused(client, field, "Choose from the list.", **{field: value})


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("a@example.test", ["a@example.test"]),
        (" a@example.test ,\r\nB@example.test\r\n\r\n", ["a@example.test", "B@example.test"]),
        ("a@example.test\nA@example.test", ["A@example.test"]),
        (",".join(MOST), MOST),
        ("a@example.test; b@example.test;", ["a@example.test", "b@example.test"]),
        ("<a@example.test>", ["a@example.test"]),
        ("Zoé Martin <a@example.test>, b@example.test", ["a@example.test", "b@example.test"]),
        ("a@example.test, Zoé <b@example.test>", ["a@example.test", "b@example.test"]),
        ("Martin, Zoé <a@example.test>; O’Neil, P. <b@example.test>", ["a@example.test", "b@example.test"]),
        ('"Martin; Zoé" <a@example.test>, "b@b" <b@example.test>', ["a@example.test", "b@example.test"]),
        ("a@société.example.test\na@xn--socit-esab.example.test", ["a@xn--socit-esab.example.test"]),
        ("a@straße.test, b@Тест.РФ", ["a@xn--strae-oqa.test", "b@xn--e1aybc.xn--p1ai"]),
        ("name@xn--e1aybc.xn--p1ai", ["name@xn--e1aybc.xn--p1ai"]),
    ],
)
def test_one_to_ten_addresses(client: FlaskClient, business: Made, typed: str, kept: list[str]) -> None:
    assert save(client, billing_emails=typed).status_code == 303
    assert account(business).billing_emails == kept


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", HOW_MANY),
        (",".join(f"a{n}@example.test" for n in range(MAX_EMAILS + 1)), HOW_MANY),
        ("a@example.test, nobody", "“nobody” is not an e-mail address."),
        ("a@b", "“a@b” is not an e-mail address."),
        ("a b@example.test", "is not an e-mail address."),
        ("é@example.test", "We cannot send mail to “é@example.test”: before the @, use letters without accents."),
        ("a..b@example.test", "“a..b@example.test” is not an e-mail address."),
        (".a@example.test", "“.a@example.test” is not an e-mail address."),
        ("a.@example.test", "“a.@example.test” is not an e-mail address."),
        ("Zoé <>", "“Zoé &lt;&gt;” is not an e-mail address."),
        ("Zoé <a@example.test", "“Zoé &lt;a@example.test” is not an e-mail address."),
        ("a@example.test>", "“a@example.test&gt;” is not an e-mail address."),
        ("Zoé <nobody>", "“Zoé &lt;nobody&gt;” is not an e-mail address."),
        ("a@example.test" + "," * 10_000, HOW_MANY),
        ("a@example.test\u202e", "“a@example.test\ufffd” is not an e-mail address."),
        ("a" * 64 + "@" + "b." * 100 + "test", "is not an e-mail address."),
    ],
)
def test_anything_else_is_no_address(client: FlaskClient, typed: str, sentence: str) -> None:
    refused(client, "billing_emails", sentence, billing_emails=typed)


def test_hostile_text_is_text(app: Flask, client: FlaskClient, business: Made) -> None:
    hostile = "<script>alert(1)</script>{{7*7}}"
    assert save(client, legal_name=hostile, purchase_order="=1+1").status_code == 303
    for path in ("/billing", URL, "/subscriptions"):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in page
    assert account(business).purchase_order == "=1+1"
    pay(app, business, quoted(app, business))
    assert state(app, business)["invoices"][-1]["total"] == 48_960


def test_future_invoices_use_it_and_issued_ones_do_not(app: Flask, client: FlaskClient, business: Made) -> None:
    save(client, legal_name="Beaumont GmbH", purchase_order="BC-1", **GERMAN)
    pay(app, business, quoted(app, business))
    invoices = state(app, business)["invoices"]
    assert [invoice["tax"] for invoice in invoices[-2:]] == [7_080, 0]
    first, last = [client.get(link).text for link in sorted_links(client, invoices)]
    assert "Ateliers Beaumont SARL" in first
    assert "Beaumont GmbH" in last


def sorted_links(client: FlaskClient, refusal: list[dict[str, Any]]) -> list[str]:
    page = client.get("/billing/invoices").text
    return [page.split(f">{invoice['number']}<")[0].rsplit('href="', 1)[1].rstrip('"') for invoice in refusal[-2:]]


@pytest.mark.parametrize(
    ("changed", "heading", "why"),
    [
        ({}, "French VAT, 20%", "in the French VAT area (France)"),
        (GERMAN, "Reverse charge", "has a VAT number, DE136695976"),
        ({**GERMAN, "vat_number": ""}, "French VAT, 20%", "has given no VAT number"),
        ({"country": "CA", "vat_number": ""}, "No VAT", "outside the European Union (Canada)"),
    ],
)
def test_the_page_says_which_tax_applies_and_why(
    client: FlaskClient, changed: dict[str, str], heading: str, why: str
) -> None:
    save(client, **changed)
    page = client.get(URL).text
    assert heading in page
    assert why in page
    assert "future invoices only" in page


def test_countries_are_named_in_the_readers_language(app: Flask, business: Made) -> None:
    client = signed_in(app, business)
    client.post("/language", data={"locale": "fr"})
    page = client.get(URL).text
    names = [part.split(">")[1].split("<")[0] for part in page.split("<option ")[1:250]]
    assert (len(names), names[0], "Émirats arabes unis" in names) == (249, "Afghanistan", True)
    assert names.index("Égypte") < names.index("Finlande")
    assert "France" in client.get("/billing").text


def test_a_stranger_is_sent_to_sign_in(app: Flask, business: Made) -> None:
    for answer in (app.test_client().get(URL), app.test_client().post(URL, data=GIVEN)):
        assert (answer.status_code, "/sign-in" in answer.headers["Location"]) == (303, True)


def test_another_account_keeps_its_own(client: FlaskClient) -> None:
    other = scenarios.make("business", scenarios.START + timedelta(days=1))
    save(client, city="Villeurbanne")
    assert account(other).city == "Lyon"


@pytest.mark.parametrize(
    ("typed", "tax"),
    [
        ({"country": "DE", "siren": "", "vat_number": "DE136695976"}, "Reverse charge"),
        ({"country": "DE", "siren": "", "vat_number": ""}, "has given no VAT number"),
        ({"country": "DE", "siren": "", "vat_number": "DE1"}, "has given no VAT number"),
        ({"country": "US", "siren": "", "vat_number": ""}, "outside the European Union (United States)"),
        ({"country": "RE", "siren": "", "vat_number": "", "postal_code": "97400"}, "French VAT, 8.5%"),
        ({"country": "XX"}, "French VAT, 20%"),
    ],
)
def test_the_tax_beside_a_refused_form_is_that_of_the_country_chosen(
    client: FlaskClient, typed: dict[str, str], tax: str
) -> None:
    answer = save(client, city="", **typed)
    assert answer.status_code == 422
    box = words(answer.text.partition('id="tax"')[2])
    assert tax in box.replace("\u202f", "").replace("\u00a0", "")


def test_the_tax_beside_what_is_saved_is_that_of_the_account(client: FlaskClient) -> None:
    assert "French VAT, 20%" in words(client.get(URL).text.partition('id="tax"')[2])
