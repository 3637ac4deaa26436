"""The stepper's « À payer maintenant » is what the quote of the same number comes to."""

import pytest
from flask import Flask
from sqlalchemy import update

from tests.support.world import post, signed_in, subscription
from webapp.db import transaction
from webapp.models.accounts import Account
from webapp.ports import ports
from webapp.purchases import quotes
from webapp.sandbox import scenarios
from webapp.subscriptions import cost, loading

pytestmark = pytest.mark.service
HX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.mark.parametrize("country", ["FR", "GP", "US"])
@pytest.mark.parametrize(
    ("scenario", "procedure", "seats"),
    [
        ("business", "renew", 13),
        ("business-annual", "renew", 60),
        ("business-lapsed", "renew", 12),
        ("business", "add", 30),
        ("business-renewed", "add", 30),
        ("business-annual", "add", 13),
    ],
)
def test_the_stepper_says_what_the_quote_charges(
    app: Flask, scenario: str, procedure: str, seats: int, country: str
) -> None:
    made = scenarios.make(scenario)
    client = signed_in(app, made)
    relocate(made.account, country)
    if procedure == "add":
        post(app, f"/{made.account}/clock", advance="P4D")
    stored = (quotes.quote_addition if procedure == "add" else quotes.quote_renewal)(
        made.account, subscription(made), seats
    )
    quote = quotes.load_quote(made.account, subscription(made), stored)
    page = client.get(f"/subscriptions/{subscription(made)}/{procedure}?seats={seats}").text
    address = page.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
    printed = f"{quote.total / 100:,.2f}"
    assert printed in page.split('id="due"')[1].split("</dl>")[0]
    fragment = client.get(f"{address}&seats={seats}", headers=HX).text
    assert printed in fragment.split('hx-target="#due"')[1].split("</hx-partial>")[0]


def relocate(account_id: str, country: str) -> None:
    with transaction() as session:
        session.execute(update(Account).where(Account.id == account_id).values(country=country, vat_number=None))


@pytest.mark.parametrize("share", ["&left=0&days=31", "&left=40&days=31", "&left=x&days=31", "&left=5"])
def test_a_share_that_makes_no_sense_is_the_whole_period(app: Flask, share: str) -> None:
    made = scenarios.make("business")
    client, address = signed_in(app, made), f"/subscriptions/{subscription(made)}/renew?seats=13"
    assert client.get(address + share, headers=HX).text == client.get(address, headers=HX).text


def test_the_page_and_the_fragment_compute_alike(app: Flask) -> None:
    made = scenarios.make("business-renewed")
    loaded = loading.load(made.account, subscription(made))
    today = ports().clock.now(loaded.account).date()
    current = loaded.facts.current(today)
    share = cost.Share((current.end - today).days, current.days)
    for seats in (5, 12, 13, 60):
        page = cost.cost_of(loaded, seats, current.ordinal, adding=True, share=share)
        asked = made.account, subscription(made), seats, current.ordinal
        assert page == cost.cost(*asked, adding=True, share=share)
