"""The billing form: saved, refused, and what is stored."""

from typing import Any

from flask.testing import FlaskClient

from tests.support.world import dump
from webapp.db import db
from webapp.models.accounts import Account
from webapp.sandbox.scenarios import Made

URL = "/billing/information"
GIVEN = {
    "legal_name": "Ateliers Beaumont SARL",
    "street": "8 quai des Analyses",
    "postal_code": "69002",
    "city": "Lyon",
    "country": "FR",
    "siren": "900300401",
    "vat_number": "FR41900300401",
    "purchase_order": "",
    "billing_emails": "compta@example.test",
    "document_locale": "fr",
}


def account(made: Made) -> Account:
    db.session.rollback()
    return db.session.get_one(Account, made.account)


def save(client: FlaskClient, **changed: str) -> Any:
    return client.post(URL, data={**GIVEN, **changed})


def refused(client: FlaskClient, field: str, sentence: str, **changed: str) -> None:
    """Expects 422, the sentence in the summary and at the field, and an unchanged database."""
    before = dump()
    answer = save(client, **changed)
    assert answer.status_code == 422
    assert answer.text.count(sentence) == 2
    assert f'id="{field}-error"' in answer.text
    assert "<title>Error: " in answer.text
    assert dump() == before
