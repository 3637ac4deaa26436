"""The backup card: chosen by the owner, one for an account, and never the default."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from tests.support.world import dump, post, signed_in, state, words
from webapp.db import NotFound, transaction
from webapp.domain.refusals import CardExpired, DefaultIsNoBackup
from webapp.models.cards import Card, DefaultCard
from webapp.purchases import cards
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service


@pytest.fixture
def owner(app: Flask, two: Made) -> FlaskClient:
    return signed_in(app, two)


def roles(app: Flask, made: Made) -> list[tuple[str, bool, bool]]:
    return [(card["last4"], card["default"], card["backup"]) for card in state(app, made)["cards"]]


def url(card_id: str, what: str) -> str:
    return f"/billing/cards/{card_id}/{what}"


def test_a_card_becomes_the_backup_and_stops_to_be_it(app: Flask, owner: FlaskClient, two: Made) -> None:
    assert "Use as backup card" in owner.get("/billing").text
    for _ in range(2):
        assert owner.post(url(two.cards[1], "backup")).status_code == 303
    page = words(owner.get("/billing").text)
    assert "Mastercard •••• 4444 is now the backup card: it is charged if the default card is declined." in page
    assert "Backup card: charged if the default card is declined" in page
    assert ("Stop using as backup card" in page, "Use as backup card" in page) == (True, False)
    assert roles(app, two) == [("4242", True, False), ("4444", False, True)]
    for _ in range(2):
        assert owner.post(url(two.cards[1], "backup/remove")).status_code == 303
    assert "Mastercard ••••\u00a04444 is no longer the backup card." in owner.get("/billing").text
    assert roles(app, two) == [("4242", True, False), ("4444", False, False)]
    activity = words(owner.get("/activity").text)
    assert [activity.count(f"Backup card {what}") for what in ("chosen", "removed")] == [1, 1]


def test_the_default_is_no_backup_and_the_schema_refuses_it_too(owner: FlaskClient, two: Made) -> None:
    before = dump()
    with pytest.raises(DefaultIsNoBackup):
        cards.make_backup(two.account, two.cards[0])
    answer = owner.post(url(two.cards[0], "backup"))
    assert (answer.status_code, "cannot be the backup card" in answer.text) == (409, True)
    assert dump() == before
    with pytest.raises(IntegrityError), transaction() as session:
        session.execute(update(DefaultCard).values(backup_id=two.cards[0]))


def test_another_accounts_card_is_no_backup(app: Flask, owner: FlaskClient, two: Made) -> None:
    theirs = scenarios.make("business-backup-card")
    before = dump()
    for card_id in (*theirs.cards, "never"):
        for what in ("backup", "backup/remove"):
            assert owner.post(url(card_id, what)).status_code == 404
    with pytest.raises(NotFound):
        cards.remove_backup(two.account, theirs.cards[1])
    assert dump() == before
    with pytest.raises(IntegrityError), transaction() as session:
        session.execute(
            update(DefaultCard).where(DefaultCard.account_id == two.account).values(backup_id=theirs.cards[1])
        )


def test_the_backup_that_becomes_the_default_leaves_none(app: Flask, owner: FlaskClient, two: Made) -> None:
    cards.make_backup(two.account, two.cards[1])
    assert owner.post(url(two.cards[1], "default")).status_code == 303
    page = words(owner.get("/billing").text)
    assert "Mastercard •••• 4444 is now the default payment method. There is no longer a backup card." in page
    assert roles(app, two) == [("4444", True, False), ("4242", False, False)]


def test_another_default_keeps_the_backup(app: Flask, owner: FlaskClient, two: Made) -> None:
    made = scenarios.make("business-backup-card")
    client = signed_in(app, made)
    with transaction() as session:
        card = session.get_one(Card, (made.account, made.cards[0]))
        columns = {name: getattr(card, name) for name in ("brand", "exp_year", "exp_month", "holder", "added_at")}
        session.add(Card(account_id=made.account, id="third", token="third", last4="0341", **columns))
    client.post(url("third", "default"))
    assert "There is no longer a backup card" not in client.get("/billing").text
    assert roles(app, made) == [("0341", True, False), ("4444", False, True), ("4242", False, False)]


def test_a_deleted_backup_is_told_of_on_the_page_and_leaves_none(app: Flask, owner: FlaskClient, two: Made) -> None:
    cards.make_backup(two.account, two.cards[1])
    page = words(owner.get(url(two.cards[1], "delete")).text)
    assert "This is your backup card: without it, there will be none." in page
    assert owner.post(url(two.cards[1], "delete")).status_code == 303
    assert roles(app, two) == [("4242", True, False)]


def test_an_expired_card_is_no_backup_and_one_that_expires_says_so(app: Flask, owner: FlaskClient, two: Made) -> None:
    cards.make_backup(two.account, two.cards[1])
    with transaction() as session:
        session.execute(update(Card).where(Card.id == two.cards[1]).values(exp_year=2026, exp_month=12))
    page = words(owner.get("/billing").text)
    assert "This backup card has expired: it will not be charged." in page
    assert "The backup card will have expired by the next renewal: it will not be charged." in words(
        owner.get(f"/subscriptions/{two.subscriptions['business']}").text
    )
    cards.remove_backup(two.account, two.cards[1])
    assert "Use as backup card" not in owner.get("/billing").text
    with pytest.raises(CardExpired):
        cards.make_backup(two.account, two.cards[1])
    answer = owner.post(url(two.cards[1], "backup"))
    assert (answer.status_code, "This card has expired." in answer.text) == (422, True)


def test_the_notice_names_the_card_and_its_backup(app: Flask) -> None:
    made = scenarios.make("business-backup-card")
    post(app, f"/{made.account}/clock", to="2027-02-08T09:00:00")
    (notice,) = state(app, made)["messages"]
    assert "Carte : Visa •••• 4242" in words(notice["text"])
    assert "Carte de secours, si la première est refusée : Mastercard •••• 4444" in words(notice["text"])
