"""A new price list applies from the next renewal on: an addition keeps the prices that its period was paid at."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.world import post, state, stored, subscription
from webapp.db import new_id, transaction
from webapp.models.prices import PriceList
from webapp.models.subscriptions import SubscriptionRow
from webapp.sandbox.scenarios import Made

HX = {"HX-Request": "true", "HX-Request-Type": "partial"}


def double_the_prices(made: Made) -> None:
    with transaction() as session:
        subscribed = stored(SubscriptionRow, (subscription(made)))
        before = session.get_one(PriceList, subscribed.price_list_id)
        doubled = [[limit, 2 * unit] for limit, unit in before.rows if unit is not None]
        after = PriceList(id=new_id(), currency=before.currency, rows=doubled)
        session.add(after)
        session.flush()
        subscribed.price_list_id = after.id


def test_the_stepper_of_add_tells_the_prices_that_are_charged(app: Flask, client: FlaskClient, business: Made) -> None:
    double_the_prices(business)
    here = f"/subscriptions/{subscription(business)}/add"
    page = client.get(f"{here}?seats=13").text
    assert "€381.00" in page
    assert "€762.00" not in page
    fragment = client.get(f"{here}?seats=13&ordinal=5", headers=HX).text
    assert "€381.00" in fragment
    assert "+€27.00" in fragment


def test_the_stepper_of_renew_tells_the_new_prices(client: FlaskClient, business: Made) -> None:
    double_the_prices(business)
    fragment = client.get(f"/subscriptions/{subscription(business)}/renew?seats=13", headers=HX).text
    assert "€762.00" in fragment


@pytest.mark.parametrize(("doubled", "told"), [(True, 1), (False, 0)])
def test_the_notice_tells_old_and_new_price(app: Flask, business: Made, doubled: bool, told: int) -> None:
    if doubled:
        double_the_prices(business)
    post(app, f"/{business.account}/clock", advance="P25D")
    (notice,) = [mail for mail in state(app, business)["messages"] if "renouvel" in mail["subject"]]
    assert notice["text"].count("354,00") == told
    assert ("708,00" in notice["text"]) is doubled
