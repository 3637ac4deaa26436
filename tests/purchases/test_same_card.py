"""A card that is entered again stays one entry, with the newer token."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.servers.stripe_server import Stripe
from tests.support.cards import attached, attempts
from tests.support.stripe_owner import Owner
from tests.support.truth import later
from tests.support.world import CARD, card_page, pay, post, quoted, signed_in, state, step, stored, subscription
from webapp.db import db
from webapp.domain.refusals import CardInUse
from webapp.models.activity import Activity
from webapp.models.cards import Card
from webapp.models.purchases import Payment, Quote
from webapp.purchases import cards, payments, quotes
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCard

pytestmark = pytest.mark.service
UPDATED = "This card was already saved: it has been updated."


@pytest.fixture
def owner(app: Flask, two: Made) -> FlaskClient:
    return signed_in(app, two)


def printed_on(card_id: str) -> dict[str, str]:
    """What the owner types of a saved card."""
    card = stored(Card, card_id)
    numbers = {"4242": "4242 4242 4242 4242", "4444": "5555 5555 5555 4444"}
    expiry = f"{card.exp_month:02d}/{card.exp_year % 100}"
    return {"number": numbers[card.last4], "expiry": expiry, "code": "123", "holder": card.holder}


def enter(owner: FlaskClient, page: str, form: dict[str, str]) -> str:
    """Enters a card on the gateway's page. Returns the address to which the gateway sends the owner back."""
    return str(owner.post(page, data=form).headers["Location"]).removeprefix("http://localhost")


def token_of(card_id: str) -> str:
    db.session.rollback()
    return stored(Card, card_id).token


def activity_of(made: Made) -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Activity.what).where(Activity.account_id == made.account)))


@pytest.mark.parametrize("which", [0, 1])
def test_the_same_card_entered_again_is_one_entry_with_the_newer_token(
    app: Flask, owner: FlaskClient, two: Made, which: int
) -> None:
    before, old = state(app, two)["cards"], token_of(two.cards[which])
    back = enter(owner, card_page(owner), printed_on(two.cards[which]))
    page = owner.get(back, follow_redirects=True).text
    assert UPDATED in page
    assert "has been saved." not in page
    assert state(app, two)["cards"] == before
    new = token_of(two.cards[which])
    assert new != old
    behaviours = dict(db.session.execute(select(SandboxCard.token, SandboxCard.behaviour)).all())
    assert (behaviours[old], behaviours[new]) == ("detached", "accepted")
    assert (attached(two), attempts()) == (["4242", "4444"], [])
    assert activity_of(two) == ["card_updated"]


def test_the_sentence_in_french(app: Flask, owner: FlaskClient, two: Made) -> None:
    owner.set_cookie("locale", "fr")
    back = enter(owner, card_page(owner), printed_on(two.cards[0]))
    page = owner.get(back, follow_redirects=True).text
    assert "Cette carte était déjà enregistrée\u00a0: elle a été mise à jour." in page


def test_returning_twice_says_the_same_and_updates_once(app: Flask, owner: FlaskClient, two: Made) -> None:
    back = enter(owner, card_page(owner), printed_on(two.cards[1]))
    for _ in range(2):
        assert UPDATED in owner.get(back, follow_redirects=True).text
    assert activity_of(two) == ["card_updated"]
    new = enter(owner, card_page(owner), CARD | {"number": "4000 0000 0000 0341"})
    for _ in range(2):
        assert "Visa ••••\u00a00341 has been saved." in owner.get(new, follow_redirects=True).text


def test_an_older_visit_that_comes_back_again_changes_nothing(app: Flask, owner: FlaskClient, two: Made) -> None:
    first = enter(owner, card_page(owner), printed_on(two.cards[1]))
    owner.get(first)
    owner.get(enter(owner, card_page(owner), printed_on(two.cards[1])))
    newest = token_of(two.cards[1])
    owner.get(first)
    assert token_of(two.cards[1]) == newest
    assert len(attached(two)) == 2


@pytest.mark.parametrize("holder", ["CAMILLE MARTIN", " camille  martin "])
def test_capitals_and_spaces_of_the_holder_make_no_other_card(
    app: Flask, owner: FlaskClient, two: Made, holder: str
) -> None:
    owner.get(enter(owner, card_page(owner), printed_on(two.cards[0]) | {"holder": holder}))
    assert len(state(app, two)["cards"]) == 2


@pytest.mark.parametrize("change", [{"expiry": "11/31"}, {"holder": "Dominique Martin"}, {"number": CARD["number"]}])
def test_what_differs_in_one_detail_is_another_card(
    app: Flask, owner: FlaskClient, two: Made, change: dict[str, str]
) -> None:
    owner.get(enter(owner, card_page(owner), printed_on(two.cards[1]) | {"holder": "Claude Martin"} | change))
    assert len(state(app, two)["cards"]) == 3
    assert len(attached(two)) == 3


def test_another_accounts_same_card_is_left_alone(app: Flask, owner: FlaskClient, two: Made) -> None:
    theirs = scenarios.make("business")
    before = token_of(theirs.cards[0])
    owner.get(enter(owner, card_page(owner), printed_on(two.cards[0])))
    assert token_of(theirs.cards[0]) == before
    assert attached(theirs) == ["4242"]


def test_a_quote_that_began_the_entry_selects_the_card(app: Flask, owner: FlaskClient, two: Made) -> None:
    quote = quoted(app, two)
    page = owner.post(f"{step(two, quote, 'payment')}/new-card").headers["Location"].removeprefix("http://localhost")
    answer = owner.get(enter(owner, page, printed_on(two.cards[1])))
    assert answer.headers["Location"] == step(two, quote, "payment")
    db.session.rollback()
    assert stored(Quote, quote).card_id == two.cards[1]
    assert pay(app, two, quote) == "captured"
    db.session.rollback()
    assert db.session.scalars(select(Payment.card_token)).all() == [token_of(two.cards[1])]


def test_a_renewal_charges_the_newer_token(app: Flask, owner: FlaskClient, two: Made) -> None:
    owner.get(enter(owner, card_page(owner), printed_on(two.cards[0])))
    post(app, f"/{two.account}/clock", to="2027-02-15T10:00:00")
    db.session.rollback()
    rows = db.session.execute(select(Payment.card_token, Payment.state)).all()
    assert rows == [(token_of(two.cards[0]), "captured")]


def test_a_token_with_a_pending_payment_is_detached_after_it_is_settled(
    app: Flask, owner: FlaskClient, two: Made
) -> None:
    quote = quoted(app, two)
    quotes.choose_card(two.account, subscription(two), quote, two.cards[1])
    old = token_of(two.cards[1])
    post(app, f"/{two.account}/gateway", next="timeout_after_charge")
    assert pay(app, two, quote) == "pending"
    owner.get(enter(owner, card_page(owner), printed_on(two.cards[1])))
    assert token_of(two.cards[1]) != old
    assert len(attached(two)) == 3
    with pytest.raises(CardInUse):  # it is the same card, whatever its token
        cards.delete(two.account, two.cards[1])
    payments.reconcile(two.account, subscription(two), quote)
    later(two, timedelta(minutes=1))
    assert (attached(two), attempts()) == (["4242", "4444"], [])
    assert cards.delete(two.account, two.cards[1]) == "Mastercard ••••\u00a04444"
    assert attached(two) == ["4242"]


def test_stripe_keeps_only_the_newer_token(stripe_app: Flask, stripe: Stripe) -> None:
    owner = Owner(stripe_app, stripe)
    owner.enters_card("/billing/cards/new")
    first = token_of(owner.newest_card())
    assert owner.enters_card("/billing/cards/new") == "/billing"
    assert UPDATED in owner.client.get("/billing").text
    second = token_of(owner.newest_card())
    assert first != second
    assert [stripe.methods[token]["customer"] is None for token in (first, second)] == [True, False]
