"""The page that asks for a proof says what will be carried out after it."""

from flask import Flask
from flask.testing import FlaskClient

from tests.access.test_step_up import cancel, held
from tests.support.authenticator import age_proofs
from tests.support.world import quoted, step, words
from webapp.access import account_rules, step_up
from webapp.sandbox.scenarios import Made
from webapp.sentences.labels import WAITING


def test_the_page_says_what_waits(app: Flask, business: Made, client: FlaskClient) -> None:
    age_proofs(business)
    page = words(client.get(held(cancel(client, business))).text)
    assert "The cancellation of a subscription" in page
    account_rules.set_spending_limit(business.account, 10)
    quote = quoted(app, business)
    overview = words(client.get(step(business, quote, "overview")).text)
    assert "This is above the spending limit of €0.10" in overview
    page = words(client.get(held(client.post(step(business, quote, "pay")))).text)
    assert "Payment of €489.60 for Qlik Sense Business, by Visa •••• 4242" in page


def test_whatever_waits_has_words(app: Flask) -> None:
    marked = {
        rule.endpoint.partition(".")[0]
        for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and step_up.asks(rule.endpoint)
    }
    assert marked <= set(WAITING)
