"""The activity: filtered by subject, and readable."""

from flask import Flask
from flask.testing import FlaskClient

from tests.support.world import signed_in, words
from webapp.purchases import cards, wallet
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sentences.labels import ACTIVITIES, ACTIVITY_SUBJECTS, SUBJECTS


def test_each_kind_of_record_has_a_subject() -> None:
    assert ACTIVITY_SUBJECTS.keys() == ACTIVITIES.keys()
    assert set(ACTIVITY_SUBJECTS.values()) == SUBJECTS.keys()


def shown(client: FlaskClient, about: str) -> str:
    return words(client.get(f"/activity?about={about}").text.split("<ol")[-1])


def test_it_is_filtered_by_subject_and_a_subject_that_is_none_filters_nothing(
    client: FlaskClient, business: Made
) -> None:
    client.get("/contact")
    message = {"subject": "other", "message": "A question for you.", "csrf_token": token(client)}
    assert client.post("/contact", data=message).status_code == 303
    assert "Message to the account manager" in shown(client, "messages")
    assert "Message to the account manager" not in shown(client, "payments")
    assert "Nothing of this kind." in words(client.get("/activity?about=payments").text)
    assert shown(client, "nonsense") == shown(client, "")


def test_a_card_is_told_on_one_line(app: Flask, business: Made) -> None:
    made = scenarios.make("business-two-cards")
    other = next(own.card for own in wallet.cards_of(made.account) if not own.is_default)
    cards.make_default(made.account, other.id)
    client = signed_in(app, made)
    assert "Card: Visa •••• 4242 → Mastercard •••• 4444" in shown(client, "cards").replace("\xa0", " ")


def test_a_case_has_a_page_of_its_own_and_nobody_elses(client: FlaskClient, business: Made) -> None:
    message = {"subject": "other", "message": "First line\nsecond line", "csrf_token": token(client)}
    client.post("/contact", data=message)
    listed = client.get("/contact").text
    address = listed.split('<th scope="row"><a href="')[1].split('"')[0]
    assert address.startswith("/contact/C-")
    page = client.get(address).text
    assert "First line\nsecond line" in page
    assert client.get("/contact/C-NOTTHERE").status_code == 404


def token(client: FlaskClient) -> str:
    return client.get("/contact").text.split('name="csrf_token" ')[1].split('value="')[1].split('"')[0]
