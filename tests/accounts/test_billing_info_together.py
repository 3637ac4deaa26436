"""Two people have the billing form open: neither undoes the other's change unseen."""

import html
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.support.billing_form import GIVEN, URL, account
from tests.support.world import dump, signed_in, words
from webapp.db import db, transaction
from webapp.models.accounts import Member
from webapp.models.activity import Activity
from webapp.sandbox.scenarios import Made

BERLIN = {
    "country": "DE",
    "siren": "",
    "vat_number": "DE136695976",
    "street": "Unter den Linden 1",
    "postal_code": "10117",
    "city": "Berlin",
}


def fields(page: str) -> dict[str, str]:
    """What a browser would send back: every field of the form as the page shows it."""
    form = page.split('action="/billing/information"')[1].split("</form>")[0]
    found = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name:
            found[name[1]] = html.unescape(value[1]) if value else ""
    for name, text in re.findall(r'<textarea[^>]*name="(\w+)"[^>]*>\r?\n?(.*?)</textarea>', form, re.S):
        found[name] = html.unescape(text)
    for name, options in re.findall(r'<select[^>]*name="(\w+)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r'<option selected value="([^"]*)"', options)
        found[name] = chosen[1] if chosen else ""
    return found


def opened(client: FlaskClient) -> dict[str, str]:
    return fields(client.get(URL).text)


def save(client: FlaskClient, form: dict[str, str], **changed: str) -> Any:
    return client.post(URL, data={**form, **changed})


@pytest.fixture
def other(app: Flask, business: Made) -> FlaskClient:
    return signed_in(app, business)


def test_a_page_sends_back_what_it_was_opened_with(client: FlaskClient) -> None:
    form = opened(client)
    assert {name: form[name] for name in GIVEN} == GIVEN | {"billing_emails": form["billing_emails"]}
    assert json.loads(form["opened"])["city"] == "Lyon"


def test_what_only_the_other_changed_is_kept(client: FlaskClient, other: FlaskClient, business: Made) -> None:
    mine = opened(client)
    assert save(other, opened(other), **BERLIN).status_code == 303
    assert save(client, mine, purchase_order="BC-7").status_code == 303
    kept = account(business)
    assert {name: getattr(kept, name) for name in BERLIN} == {**BERLIN, "siren": None}
    assert kept.purchase_order == "BC-7"
    last = db.session.scalars(select(Activity).order_by(Activity.id.desc()).limit(1)).one()
    assert (last.before, last.after) == ({"purchase_order": None}, {"purchase_order": "BC-7"})


def test_what_both_changed_is_shown_with_both_values_and_nothing_is_saved(
    app: Flask, client: FlaskClient, other: FlaskClient, business: Made
) -> None:
    mine = opened(client)
    with transaction() as session:
        session.execute(update(Member).where(Member.account_id == business.account).values(name="Zoé <b>Durand</b>"))
    save(other, opened(other), city="Villeurbanne", street="1 rue de la Paix")
    before = dump()
    answer = save(client, mine, city="Vénissieux", purchase_order="BC-7")
    assert answer.status_code == 409
    assert dump() == before
    shown = fields(answer.text)
    assert (shown["city"], shown["street"], shown["purchase_order"]) == ("Vénissieux", "1 rue de la Paix", "BC-7")
    sentence = "City: Zoé <b>Durand</b> saved “Villeurbanne” on 15 January 2027 at 09:00."
    assert words(answer.text).count(sentence) == 2  # in the summary and at the field
    assert "<b>Durand" not in answer.text
    assert 'id="city-error"' in answer.text
    assert 'id="street-error"' not in answer.text
    assert "<title>Error: " in answer.text
    assert save(client, shown).status_code == 303
    kept = account(business)
    assert (kept.city, kept.street, kept.purchase_order) == ("Vénissieux", "1 rue de la Paix", "BC-7")


def test_a_third_change_is_noticed_again(client: FlaskClient, other: FlaskClient) -> None:
    mine = opened(client)
    save(other, opened(other), city="Villeurbanne")
    shown = fields(save(client, mine, city="Vénissieux").text)
    save(other, opened(other), city="Bron")
    answer = save(client, shown)
    assert answer.status_code == 409
    assert "saved “Bron”" in answer.text


def test_country_and_its_numbers_clash_as_a_whole(client: FlaskClient, other: FlaskClient, business: Made) -> None:
    mine = opened(client)
    save(other, opened(other), **BERLIN)
    answer = save(client, mine, vat_number="", purchase_order="BC-7")
    assert answer.status_code == 409
    page = words(answer.text)
    for sentence in (
        "Country: Camille Martin saved “Germany”",
        "VAT number: Camille Martin saved “DE136695976”",
        "Postal code: Camille Martin saved “10117”",
        "SIREN: cleared by Camille Martin",
    ):
        assert page.count(sentence) == 2, sentence
    shown = fields(answer.text)
    assert (shown["country"], shown["vat_number"], shown["city"]) == ("DE", "", "Berlin")
    assert save(client, shown).status_code == 303
    assert account(business).vat_number is None


def test_the_same_change_twice_is_no_clash(client: FlaskClient, other: FlaskClient) -> None:
    mine, theirs = opened(client), opened(other)
    assert save(other, theirs, **BERLIN).status_code == 303
    assert save(client, mine, **BERLIN).status_code == 303
    assert "Nothing was changed." in client.get("/billing").text


def test_a_refused_form_keeps_what_it_was_opened_with(client: FlaskClient, other: FlaskClient) -> None:
    mine = opened(client)
    save(other, opened(other), city="Villeurbanne")
    refused = save(client, mine, city="Vénissieux", legal_name="")
    assert refused.status_code == 422
    assert save(client, fields(refused.text), legal_name="Beaumont").status_code == 409


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", '{"city": 3}', '{"city": "Lyon"}', "null", "[" * 5000])
def test_a_form_without_what_it_was_opened_with_is_saved_as_it_is(
    client: FlaskClient, business: Made, text: str
) -> None:
    assert client.post(URL, data={**GIVEN, "city": "Bron", "opened": text}).status_code == 303
    assert account(business).city == "Bron"


def test_of_two_at_once_one_is_saved_and_the_other_sees_it(
    app: Flask, client: FlaskClient, other: FlaskClient, business: Made
) -> None:
    sent = [(client, opened(client), "Bron"), (other, opened(other), "Villeurbanne")]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda each: save(each[0], each[1], city=each[2]).status_code, sent))
    assert sorted(answers) == [303, 409]
    assert account(business).city == sent[answers.index(303)][2]
