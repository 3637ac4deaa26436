"""Cards: listed, added, deleted and made the default; what is refused, and that a refusal changes nothing."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from e2e.portal import running_portal, token
from tests.support.browsing import Browser
from tests.support.world import CARD, card_page, dump, pay, post, quoted, signed_in, state, stored, subscription
from webapp.db import NotFound, db, transaction
from webapp.domain import refusals
from webapp.domain import subscription as rules
from webapp.models.activity import Activity
from webapp.models.cards import Card, DefaultCard
from webapp.models.purchases import Payment, Quote
from webapp.purchases import cards, payments, quotes
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCard
from webapp.subscriptions import loading, service

pytestmark = pytest.mark.service

VISA, MASTERCARD = {"brand": "Visa", "last4": "4242"}, {"brand": "Mastercard", "last4": "4444"}


@pytest.fixture
def owner(app: Flask, two: Made) -> FlaskClient:
    return signed_in(app, two)


def list_invoices(app: Flask, made: Made) -> list[tuple[str, bool]]:
    return [(card["last4"], card["default"]) for card in state(app, made)["cards"]]


def url(card_id: str, what: str) -> str:
    return f"/billing/cards/{card_id}/{what}"


def activity_of(made: Made) -> list[tuple[str, str | None, object, object]]:
    """The account's activity: what was done, by whom, and the values before and after."""
    db.session.rollback()
    rows = db.session.scalars(select(Activity).where(Activity.account_id == made.account).order_by(Activity.id))
    return [(row.what, row.by, row.before, row.after) for row in rows]


def expire(card_id: str, year: int, month: int) -> None:
    with transaction() as session:
        session.execute(update(Card).where(Card.id == card_id).values(exp_year=year, exp_month=month))


# The list
def test_the_default_is_first_and_alone_cannot_be_made_the_default(owner: FlaskClient, two: Made) -> None:
    page = owner.get("/billing").text.split("<h2")[1]
    rows = page.split("<li")[1:]
    assert [("4242" in row, "Default" in row, "Set as default" in row) for row in rows] == [
        (True, True, False),
        (False, False, True),
    ]
    assert page.count('aria-label="More actions"') == 2
    assert "add its replacement, make it the default, then delete the old one" in page


def test_an_account_without_a_card_is_told_what_to_do(app: Flask, client: FlaskClient, business: Made) -> None:
    with transaction() as session:
        session.execute(delete(DefaultCard))
        session.execute(delete(Card))
    page = client.get("/billing").text
    assert "You have no card yet." in page
    assert "Add credit card" in page
    assert "More actions" not in page


@pytest.mark.parametrize(
    ("year", "month", "sentence"),
    [(2026, 12, "This card has expired"), (2027, 1, "expires before the next renewal, on 15"), (2027, 2, None)],
)
def test_a_card_that_ends_before_the_next_charge_is_flagged(
    owner: FlaskClient, two: Made, year: int, month: int, sentence: str | None
) -> None:
    """The renewal is on 15 February 2027. The tile shows the same warning for the default card."""
    expire(two.cards[0], year, month)
    page = owner.get("/billing").text
    assert [text in page for text in ("This card has expired", "expires before")] == [
        sentence is not None and sentence.startswith(text) for text in ("This card has expired", "expires before")
    ]
    assert sentence is None or sentence in page
    assert ("expires before the next renewal" in owner.get("/subscriptions").text) == (sentence is not None)


def test_no_card_is_flagged_for_a_renewal_that_will_not_be_charged(app: Flask, owner: FlaskClient, two: Made) -> None:
    expire(two.cards[0], 2027, 1)
    assert "expires before" in owner.get("/billing").text
    service.cancel(two.account, subscription(two))
    assert "expires before" not in owner.get("/billing").text
    enterprise = scenarios.make("enterprise")
    expire(enterprise.cards[0], 2027, 1)
    assert "expires before" not in signed_in(app, enterprise).get("/billing").text


# Add
def test_an_added_card_is_listed_told_of_and_no_default(app: Flask, owner: FlaskClient, two: Made) -> None:
    back = owner.post(card_page(owner), data=CARD | {"number": "4000000000000341"}).headers["Location"]
    page = owner.get(back.removeprefix("http://localhost"), follow_redirects=True).text
    assert "Visa ••••\u00a00341 has been saved." in page
    owner.get(back.removeprefix("http://localhost"))
    assert list_invoices(app, two) == [("4242", True), ("4444", False), ("0341", False)]
    assert activity_of(two) == [("card_added", "Camille Martin", {}, {"brand": "Visa", "last4": "0341"})]


# Delete
@pytest.mark.parametrize("scenario", ["business-two-cards", "enterprise"])
def test_a_deleted_card_is_gone_here_and_at_the_gateway(
    app: Flask, scenario: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        scenarios.SCENARIOS,
        "enterprise",
        replace(scenarios.SCENARIOS["enterprise"], cards=(scenarios.VISA, scenarios.MASTERCARD)),
    )
    made = scenarios.make(scenario)
    owner, card_id = signed_in(app, made), made.cards[1]
    page = owner.get(url(card_id, "delete")).text
    assert "<title>Delete credit card? – My Qlik</title>" in page
    assert ("••••\u00a04444" in page, "••••\u00a04242" in page) == (True, False)
    card_token = stored(Card, card_id).token
    answer = owner.post(url(card_id, "delete"))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/billing")
    assert "Mastercard ••••\u00a04444 has been deleted." in owner.get("/billing").text
    assert list_invoices(app, made) == [("4242", True)]
    assert activity_of(made) == [("card_deleted", "Camille Martin", MASTERCARD, {})]
    db.session.rollback()
    assert db.session.get_one(SandboxCard, card_token).behaviour == "detached"


def test_deleting_twice_is_a_404_and_changes_nothing_more(owner: FlaskClient, two: Made) -> None:
    owner.post(url(two.cards[1], "delete"))
    before = dump()
    assert owner.post(url(two.cards[1], "delete")).status_code == 404
    assert owner.get(url(two.cards[1], "delete")).status_code == 404
    assert dump() == before


def test_a_detached_card_is_declined_whatever_the_gateway_was_told_to_do(app: Flask, two: Made) -> None:
    quote = quoted(app, two)
    quotes.choose_card(two.account, subscription(two), quote, two.cards[1])
    with transaction() as session:
        session.execute(update(SandboxCard).where(SandboxCard.last4 == "4444").values(behaviour="detached"))
    post(app, f"/{two.account}/gateway", next="challenge")
    assert pay(app, two, quote) == "declined"


def test_a_card_that_came_back_from_the_gateway_and_was_deleted_stays_deleted(
    app: Flask, owner: FlaskClient, two: Made
) -> None:
    back = owner.post(card_page(owner), data=CARD).headers["Location"].removeprefix("http://localhost")
    owner.get(back)
    added = state(app, two)["cards"][-1]["id"]
    assert owner.post(url(added, "delete")).status_code == 303
    assert owner.get(back).status_code == 303
    assert list_invoices(app, two) == [("4242", True), ("4444", False)]


def test_a_quote_outlives_its_card_and_asks_for_another(app: Flask, owner: FlaskClient, two: Made) -> None:
    quote = quoted(app, two)
    quotes.choose_card(two.account, subscription(two), quote, two.cards[1])
    owner.post(url(two.cards[1], "delete"))
    db.session.rollback()
    assert stored(Quote, quote).card_id is None
    with pytest.raises(refusals.CardMissing):
        pay(app, two, quote)


def test_the_default_card_is_kept_and_the_way_on_is_another_default(owner: FlaskClient, two: Made) -> None:
    before = dump()
    for answer in (owner.get(url(two.cards[0], "delete")), owner.post(url(two.cards[0], "delete"))):
        assert answer.status_code == 409
        assert "<h1>Delete credit card?</h1>" in answer.text
        assert "make another card the default first" in answer.text
        assert ' href="/billing">Choose another default card</a>' in answer.text
        assert f'action="{url(two.cards[1], "default")}"' in answer.text
        assert "Make Mastercard ••••\u00a04444 the default" in answer.text
        assert f'action="{url(two.cards[0], "delete")}"' not in answer.text
    assert dump() == before
    with pytest.raises(IntegrityError), transaction() as session:  # the schema forbids it, too
        session.execute(delete(Card).where(Card.id == two.cards[0]))


def test_with_scripts_a_dialog_says_at_once_why_the_default_card_stays(owner: FlaskClient, two: Made) -> None:
    asked = url(two.cards[0], "delete")
    assert f'hx-get="{asked}"' in owner.get("/billing").text
    answer = owner.get(asked, headers={"HX-Request": "true", "HX-Request-Type": "partial"})
    assert (answer.status_code, answer.text.count("<html"), 'id="dialog-title"' in answer.text) == (409, 0, True)
    assert "make another card the default first" in answer.text
    assert "<button data-variant" not in answer.text
    assert "HX-Request" in answer.headers["Vary"]


def test_with_scripts_a_card_that_can_be_deleted_is_still_asked_for_on_its_page(app: Flask) -> None:
    made = scenarios.make("enterprise")
    asked = url(made.cards[0], "delete")
    answer = signed_in(app, made).get(asked, headers={"HX-Request": "true", "HX-Request-Type": "partial"})
    assert (answer.headers["HX-Redirect"], answer.text) == (asked, "")


def test_the_only_card_is_kept_and_the_way_on_is_to_add_one(client: FlaskClient, business: Made) -> None:
    before = dump()
    for answer in (client.get(url(business.cards[0], "delete")), client.post(url(business.cards[0], "delete"))):
        assert answer.status_code == 409
        assert "also your only card" in answer.text
        assert 'action="/billing/cards/new"' in answer.text
    assert dump() == before


def test_a_card_that_is_being_charged_is_kept_until_the_outcome_is_known(
    app: Flask, owner: FlaskClient, two: Made
) -> None:
    quote = quoted(app, two)
    quotes.choose_card(two.account, subscription(two), quote, two.cards[1])
    post(app, f"/{two.account}/gateway", next="timeout_after_charge")
    assert pay(app, two, quote) == "pending"
    before = dump()
    for answer in (owner.get(url(two.cards[1], "delete")), owner.post(url(two.cards[1], "delete"))):
        assert answer.status_code == 409
        assert "still in progress" in answer.text
        assert f'href="/subscriptions/{subscription(two)}"' in answer.text
    assert dump() == before
    payments.reconcile(two.account, subscription(two), quote)
    assert owner.post(url(two.cards[1], "delete")).status_code == 303
    db.session.rollback()
    assert db.session.scalars(select(Payment.card_last4)).all() == ["4444"]


def test_a_card_entered_while_a_quote_is_being_charged_is_not_the_card_of_that_payment(
    app: Flask, owner: FlaskClient, two: Made
) -> None:
    quote = quoted(app, two)
    entry = owner.post(f"/subscriptions/{subscription(two)}/renew/{quote}/payment/new-card").headers["Location"]
    back = owner.post(entry.removeprefix("http://localhost"), data=CARD | {"holder": "Alix"}).headers["Location"]
    post(app, f"/{two.account}/gateway", next="timeout_after_charge")
    assert pay(app, two, quote) == "pending"
    owner.get(back.removeprefix("http://localhost"))
    added = state(app, two)["cards"][-1]["id"]
    assert stored(Quote, quote).card_id == two.cards[0]
    assert owner.post(url(added, "delete")).status_code == 303


# Default
def test_the_new_default_is_first_and_renewals_are_charged_to_it(app: Flask, owner: FlaskClient, two: Made) -> None:
    answer = owner.post(url(two.cards[1], "default"))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/billing")
    assert "Mastercard ••••\u00a04444 is now the default payment method." in owner.get("/billing").text
    assert list_invoices(app, two) == [("4444", True), ("4242", False)]
    assert activity_of(two) == [("card_made_default", "Camille Martin", VISA, MASTERCARD)]
    post(app, f"/{two.account}/clock", to="2027-02-15T10:00:00")
    db.session.rollback()
    assert db.session.scalars(select(Payment.card_last4)).all() == ["4444"]
    assert owner.post(url(two.cards[0], "delete")).status_code == 303  # the replaced card may go


def test_making_the_default_twice_is_no_error_and_one_activity(app: Flask, owner: FlaskClient, two: Made) -> None:
    for _ in range(2):
        assert owner.post(url(two.cards[1], "default")).status_code == 303
    assert list_invoices(app, two) == [("4444", True), ("4242", False)]
    assert len(activity_of(two)) == 1


# Every route
def test_foreign_cards_are_404_like_those_that_never_were(app: Flask, owner: FlaskClient) -> None:
    theirs, before = scenarios.make("business-two-cards"), None
    before = dump()
    for card_id in (*theirs.cards, "never"):
        assert owner.get(url(card_id, "delete")).status_code == 404
        assert owner.post(url(card_id, "delete")).status_code == 404
        assert owner.post(url(card_id, "default")).status_code == 404
    assert dump() == before


def test_a_get_changes_nothing_and_strangers_sign_in_first(app: Flask, owner: FlaskClient, two: Made) -> None:
    before = dump()
    for card_id in two.cards:
        assert owner.get(url(card_id, "delete")).status_code in (200, 409)
        assert owner.get(url(card_id, "default")).status_code == 405
        assert app.test_client().post(url(card_id, "default")).headers["Location"].startswith("/sign-in")
    assert dump() == before


def test_another_accounts_card_is_no_default_even_for_the_schema(app: Flask, two: Made) -> None:
    theirs = scenarios.make("business")
    with pytest.raises(NotFound):
        cards.make_default(two.account, theirs.cards[0])
    with pytest.raises(IntegrityError), transaction() as session:
        session.execute(
            update(DefaultCard).where(DefaultCard.account_id == two.account).values(card_id=theirs.cards[0])
        )


def test_the_next_charge_is_the_first_unpaid_day_of_what_renews_itself(app: Flask, two: Made) -> None:
    facts = loading.load(two.account, subscription(two)).facts
    assert rules.next_charge(facts) == date(2027, 2, 15)
    assert rules.next_charge(replace(facts, reseller="Distrib")) is None
    assert rules.next_charge(replace(facts, ended_on=date(2027, 1, 1))) is None


def test_delete_and_default_at_once_leave_exactly_one_default() -> None:
    """On the running server, one of the two wins: the card becomes the default and stays, or it is deleted."""
    with running_portal(THREADS="4") as sandbox, ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            account = sandbox.account("business-two-cards")
            owner = Browser(sandbox, account)
            form = {"csrf_token": token(owner.get("/billing")[1])}
            first, second = account["cards"]
            asked = [url(second, "default"), url(second, "delete"), url(first, "delete"), url(second, "default")]
            answers = list(pool.map(lambda path: owner.post(path, **form)[0], asked))  # noqa: B023  run in this round
            assert set(answers) <= {f"{sandbox.url}/billing", "404", "409"}, answers
            left = sandbox.state(account["account"])["cards"]
            assert [card["default"] for card in left].count(True) == 1, answers
