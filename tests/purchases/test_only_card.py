"""The only card stays while a subscription can be charged, and may go once none can be."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.support import invariants
from tests.support.cards import attached
from tests.support.world import CARD, card_page, dump, post, signed_in, state, subscription
from webapp.db import db
from webapp.domain.refusals import DefaultCardKept
from webapp.models.cards import Card, DefaultCard
from webapp.models.subscriptions import ChangeRow
from webapp.purchases import cards
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import service

pytestmark = pytest.mark.service


def delete_url(made: Made) -> str:
    return f"/billing/cards/{made.cards[0]}/delete"


def ended(app: Flask) -> Made:
    """A business subscription that was cancelled and has ended."""
    made = scenarios.make("business-cancellation-pending")
    post(app, f"/{made.account}/clock", to="2027-02-15T01:00:00")
    return made


def goes(app: Flask, made: Made, owner: FlaskClient) -> None:
    page = owner.get(delete_url(made))
    assert (page.status_code, "<h1>Delete credit card?</h1>" in page.text) == (200, True)
    assert f'action="{delete_url(made)}"' in page.text
    answer = owner.post(delete_url(made))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/billing")
    page = owner.get("/billing")
    assert "Visa ••••\u00a04242 has been deleted." in page.text
    assert "You have no card yet." in page.text
    assert (state(app, made)["cards"], attached(made)) == ([], [])
    db.session.rollback()
    assert db.session.scalars(select(DefaultCard)).all() == []
    for subscription_id in filter(None, made.subscriptions.values()):
        assert owner.get(f"/subscriptions/{subscription_id}").status_code == 200
    for path in ("/subscriptions", "/activity", "/contact", "/billing/invoices"):
        assert owner.get(path).status_code == 200


def stays(made: Made, owner: FlaskClient) -> None:
    before = dump()
    for answer in (owner.get(delete_url(made)), owner.post(delete_url(made))):
        assert answer.status_code == 409
        assert "also your only card" in answer.text
        assert 'action="/billing/cards/new"' in answer.text
    assert dump() == before


@pytest.mark.parametrize("scenario", ["enterprise", "third-party"])
def test_the_only_card_goes_where_others_bill(app: Flask, scenario: str) -> None:
    made = scenarios.make(scenario)
    goes(app, made, signed_in(app, made))


def test_the_only_card_goes_once_the_subscription_has_ended(app: Flask) -> None:
    made = ended(app)
    goes(app, made, signed_in(app, made))
    invariants.check(invariants.read(made.account))


def test_the_first_card_after_that_is_the_default_again(app: Flask) -> None:
    made = scenarios.make("enterprise")
    owner = signed_in(app, made)
    goes(app, made, owner)
    back = owner.post(card_page(owner), data=CARD).headers["Location"].removeprefix("http://localhost")
    owner.get(back)
    assert [(card["last4"], card["default"]) for card in state(app, made)["cards"]] == [("4242", True)]


@pytest.mark.parametrize(
    "scenario",
    ["business", "business-annual", "business-renewed", "business-cancellation-pending", "both"],
)
def test_the_only_card_stays_while_it_can_be_charged(app: Flask, scenario: str) -> None:
    made = scenarios.make(scenario)
    stays(made, signed_in(app, made))


@pytest.mark.parametrize("scenario", ["business-past-due", "business-lapsed"])
def test_the_only_card_stays_while_the_subscription_can_be_renewed(app: Flask, scenario: str) -> None:
    made = scenarios.make(scenario)
    stays(made, signed_in(app, made))


def test_the_only_card_stays_up_to_the_last_day_of_a_cancellation(app: Flask) -> None:
    made = scenarios.make("business-cancellation-pending")
    post(app, f"/{made.account}/clock", to="2027-02-14T23:00:00")
    stays(made, signed_in(app, made))
    change = db.session.scalars(select(ChangeRow.id)).one()
    service.withdraw(made.account, subscription(made), change)  # it could still be undone
    post(app, f"/{made.account}/clock", to="2027-02-15T01:00:00")
    assert state(app, made)["payments"][-1]["state"] == "captured"


def test_a_lapsed_subscription_keeps_the_card_until_it_has_ended(app: Flask) -> None:
    made = scenarios.make("business-lapsed")
    with pytest.raises(DefaultCardKept):
        cards.delete(made.account, made.cards[0])
    post(app, f"/{made.account}/clock", to="2027-04-01T09:00:00")
    assert state(app, made)["subscriptions"][0]["status"] == "ended"
    assert cards.delete(made.account, made.cards[0]) == "Visa ••••\u00a00341"


def test_of_two_cards_the_default_stays_even_if_nothing_is_charged(app: Flask) -> None:
    made = ended(app)
    owner = signed_in(app, made)
    number = CARD | {"number": "5555 5555 5555 4444"}
    owner.get(owner.post(card_page(owner), data=number).headers["Location"].removeprefix("http://localhost"))
    answer = owner.post(delete_url(made))
    assert (answer.status_code, "make another card the default first" in answer.text) == (409, True)
    other = db.session.scalars(select(Card.id).where(Card.last4 == "4444")).one()
    cards.delete(made.account, other)
    assert cards.delete(made.account, made.cards[0]) == "Visa ••••\u00a04242"
