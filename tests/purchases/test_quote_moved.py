"""A quote that no longer holds is answered 409 with a fresh one, and nothing is charged."""

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.support.world import dump, pay, post, quoted, signed_in, step, stored, subscription
from webapp.db import db, new_id, transaction
from webapp.models.accounts import Account
from webapp.models.cards import Card
from webapp.models.prices import PriceList
from webapp.models.purchases import Quote
from webapp.models.subscriptions import SubscriptionRow
from webapp.purchases import quotes
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made


def moved(client: FlaskClient, made: Made, quote: str, attempt: int = 1) -> str:
    before = state_of_money()
    answer = client.post(step(made, quote, "pay"), data={"attempt": attempt})
    assert answer.status_code == 409
    assert state_of_money() == before
    return answer.text


def state_of_money() -> dict[str, object]:
    return {table: rows for table, rows in dump().items() if table in ("payment", "period", "invoice")}


def test_an_expired_quote_is_409_with_a_fresh_overview(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business)
    post(app, f"/{business.account}/clock", advance="PT30M")
    page = moved(client, business, quote)
    assert "Your quote had expired" in page
    fresh = db.session.scalars(select(Quote.id).where(Quote.id != quote)).one()
    assert step(business, fresh, "pay") in page
    assert client.post(step(business, fresh, "pay"), data={"attempt": 1}).status_code == 303


def test_a_quote_lives_until_just_before_thirty_minutes(app: Flask, business: Made) -> None:
    quote = quoted(app, business)
    post(app, f"/{business.account}/clock", advance="PT29M50S")
    assert pay(app, business, quote) == "captured"


def test_a_price_that_moved_is_409_with_the_difference(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business, 14)
    with transaction() as session:
        dearer = PriceList(id=new_id(), currency="EUR", rows=[[None, 3100]])
        session.add(dearer)
        session.flush()
        session.execute(update(SubscriptionRow).values(price_list_id=dearer.id))
    page = moved(client, business, quote)
    assert "from €408.00 to €434.00" in page
    assert "from €489.60 to €520.80" in page


def test_a_tax_that_moved_is_409_with_the_difference(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business, 14)
    with transaction() as session:
        session.execute(update(Account).values(country="DE", vat_number="DE136695976"))
    page = moved(client, business, quote)
    assert "VAT goes from €81.60 to €0.00" in page
    assert "The price breakdown has changed" not in page


def test_more_active_users_than_quoted_seats_is_409(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business, 14)
    post(app, f"/{business.account}/users", active=15)
    post(app, f"/{business.account}/clock", advance="PT2M")
    assert "The tenant has 15 active users" in moved(client, business, quote)


def test_more_active_users_within_the_quoted_seats_is_no_obstacle(app: Flask, business: Made) -> None:
    quote = quoted(app, business, 14)
    post(app, f"/{business.account}/users", active=14)
    post(app, f"/{business.account}/clock", advance="PT2M")
    assert pay(app, business, quote) == "captured"


def test_a_card_that_is_gone_is_409_at_the_payment_page(app: Flask, client: FlaskClient) -> None:
    made = scenarios.make("business-two-cards")
    client = signed_in(app, made)
    with app.test_request_context():
        quote = quotes.quote_renewal(made.account, subscription(made), 14)
        quotes.choose_card(made.account, subscription(made), quote, made.cards[1])
    with transaction() as session:
        session.execute(update(Quote).values(card_id=None))
        session.delete(stored(Card, made.cards[1]))
    assert "Choose a payment method, or add one first." in moved(client, made, quote)


def test_a_second_quote_for_a_period_that_is_paid_is_409(app: Flask, client: FlaskClient, business: Made) -> None:
    first, second = quoted(app, business), quoted(app, business, 20)
    pay(app, business, first)
    assert "already renewed" in moved(client, business, second)


def test_a_boundary_that_passed_is_a_fresh_quote_for_what_is_owed(
    app: Flask, client: FlaskClient, business: Made
) -> None:
    quote = quoted(app, business)
    post(app, f"/{business.account}/clock", to="2027-02-20T09:00:00")
    assert "Your quote had expired" in moved(client, business, quote)
