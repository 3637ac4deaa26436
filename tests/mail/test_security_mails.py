"""The mails about cards, billing e-mails and roles: to whom they go, in which words, and with which link."""

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.servers.mailserver import Post, running
from tests.support import team
from tests.support.alarms import LINK, alarm, mails, sign_in, stranger, titles
from tests.support.authenticator import halfway, is_in, with_app
from tests.support.billing_form import save
from tests.support.mails import says_the_same_twice, sent
from tests.support.outgoing import MovableClock, mails_to
from tests.support.world import CARD, card_page, signed_in
from webapp.db import db, transaction
from webapp.domain.access import HALFWAY_LIFETIME
from webapp.domain.team import MailKind
from webapp.mail import delivery
from webapp.models.accounts import Member
from webapp.models.mail import Message
from webapp.ports import ports
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

CARDS = [
    "The default card has changed",
    "A backup card has been chosen",
    "The backup card has been removed",
    "A card has been deleted",
]


@pytest.fixture
def two_cards(app: Flask) -> Made:
    return scenarios.make("business-two-cards")


def change_cards(client: FlaskClient, made: Made) -> None:
    first, second = made.cards
    for path in (f"{second}/default", f"{first}/backup", f"{first}/backup/remove", f"{first}/delete"):
        for _twice in range(1 if path.endswith("delete") else 2):
            assert client.post(f"/billing/cards/{path}").status_code == 303, path


def test_each_change_of_a_card_is_told_once_to_the_owner_who_made_it(app: Flask, two_cards: Made) -> None:
    change_cards(signed_in(app, two_cards), two_cards)
    assert titles(app, two_cards) == CARDS
    for mail in mails(app, two_cards):
        assert mail["to"] == two_cards.email
        assert ("4242" in mail["text"], bool(LINK.search(mail["text"]))) == (
            not mail["subject"].startswith("The default"),
            True,
        )


def test_a_new_card_is_told(app: Flask, business: Made, client: FlaskClient) -> None:
    page = card_page(client)
    back = client.post(page, data={**CARD, "number": "5555 5555 5555 4444"}).headers["Location"]
    client.get(back.removeprefix("http://localhost"))
    client.get(back.removeprefix("http://localhost"))
    (mail,) = mails(app, business)
    assert mail["subject"].startswith("A card has been added")
    assert "4444" in mail["text"]


def test_the_owner_is_told_of_what_an_accountant_did(app: Flask, two_cards: Made) -> None:
    accountant = team.add(two_cards, "accountant", unwanted=list(MailKind), name="Nadia Benali")
    with transaction() as session:
        session.execute(update(Member).values(locale="en"))
    change_cards(team.browser(app, accountant), two_cards)
    assert titles(app, two_cards, accountant.email) == CARDS, "they come whatever the member does without"
    assert titles(app, two_cards, two_cards.email) == CARDS
    for mail in mails(app, two_cards):
        own = mail["to"] == accountant.email
        assert (bool(LINK.search(mail["text"])), "Done by: Nadia Benali" in mail["text"]) == (own, not own)


def test_what_a_link_ends_is_the_access_of_who_did_it(app: Flask, two_cards: Made) -> None:
    client, accountant = signed_in(app, two_cards), team.add(two_cards, "accountant")
    browser = team.browser(app, accountant)
    change_cards(browser, two_cards)
    stranger(app).post(alarm_to(app, two_cards, accountant.email))
    assert (is_in(client), is_in(browser)) == (True, False)


def alarm_to(app: Flask, made: Made, email: str) -> str:
    text = [mail["text"] for mail in mails(app, made) if mail["to"] == email][-1]
    found = LINK.search(text)
    assert found
    return found[1]


def test_changed_billing_emails_are_told_to_the_old_ones_too(app: Flask, business: Made, client: FlaskClient) -> None:
    save(client, billing_emails="compta@example.test\nachats@example.test")
    before = len(mails(app, business))
    save(client, billing_emails="mallory@example.test")
    told = mails(app, business)[before:]
    assert {mail["to"] for mail in told} == {business.email, "compta@example.test", "achats@example.test"}
    for mail in told:
        assert "mallory@example.test" in mail["text"]
        assert bool(LINK.search(mail["text"])) == (mail["to"] == business.email)
        assert mail["to"] == business.email or business.email in mail["text"], "whom to ask"


def test_other_billing_information_is_not_told(app: Flask, business: Made, client: FlaskClient) -> None:
    save(client)
    before = titles(app, business)
    assert save(client, city="Villeurbanne").status_code == 303
    assert titles(app, business) == before


def test_a_changed_role_is_told_to_the_member_and_to_the_owner(app: Flask, business: Made, client: FlaskClient) -> None:
    viewer = team.add(business, "viewer", name="Nadia Benali")
    assert client.post(f"/team/{viewer.id}/role", data={"role": "accountant"}).status_code == 303
    assert titles(app, business, viewer.email) == ["Your role has changed"]
    assert titles(app, business, business.email) == ["You have changed a role"]
    assert all(LINK.search(mail["text"]) for mail in mails(app, business))
    (own,) = mails(app, business, "You have")
    assert ("Nadia Benali" in own["text"], "From now on: Accountant" in own["text"]) == (True, True)


def test_both_are_told_of_a_handover_with_a_link(app: Flask, business: Made, client: FlaskClient) -> None:
    manager = team.add(business, "manager")
    client.post(f"/team/{manager.id}/handover", data={"understood": "y"})
    team.browser(app, manager).post("/team/handover", data={"understood": "y", "answer": "accept"})
    told = mails(app, business, "The account has been handed over")
    with_link = {mail["to"] for mail in told if LINK.search(mail["text"])}
    assert with_link == {business.email, manager.email}
    (manager_told,) = sent("handover_accepted/")
    assert not LINK.search(manager_told.body), "the account manager has none"


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_each_says_the_same_in_text_and_in_html(app: Flask, two_cards: Made, locale: str) -> None:
    client = signed_in(app, two_cards)
    sign_in(stranger(app), two_cards.email, two_cards.password)
    with transaction() as session:
        session.execute(update(Member).values(locale=locale))
    change_cards(client, two_cards)
    save(client)
    client.post("/account/email", data={"email": "new@example.test"})
    with_app(client)
    halfway(app, two_cards)
    stored = [mail for mail in sent() if mail.recipient == two_cards.email]
    assert len(stored) == 8
    for mail in stored[1:]:
        assert says_the_same_twice(mail, "\u00a0: " if locale == "fr" else ": "), mail.body


@pytest.fixture
def clock(app: Flask) -> MovableClock:
    clock = MovableClock()
    app.extensions["ports"] = replace(ports(), clock=clock)
    return clock


def test_a_mail_with_a_link_is_emptied_once_it_is_sent(app: Flask, business: Made, client: FlaskClient) -> None:
    with running(Post()) as port:
        mails_to(app, f"smtp://localhost:{port}")
        sign_in(stranger(app), business.email, business.password)
        delivery.send_due()
    db.session.rollback()
    assert db.session.execute(select(Message.delivery, Message.body, Message.html)).all() == [("sent", "", "")]


def test_a_missing_factor_is_mailed_when_the_attempt_has_lapsed(
    app: Flask, business: Made, client: FlaskClient, clock: MovableClock
) -> None:
    with_app(client)
    server = Post()
    with running(server) as port:
        mails_to(app, f"smtp://localhost:{port}")
        halfway(app, business)
        delivery.send_due()
        assert server.taken == []
        clock.passes(HALFWAY_LIFETIME + timedelta(seconds=1))
        delivery.send_due()
    assert [str(mail["Subject"]) for mail in server.taken] == [
        f"Your password was used without your second factor: {business.email}"
    ]


def test_the_link_is_the_last_thing_before_the_signature(app: Flask, business: Made, client: FlaskClient) -> None:
    sign_in(stranger(app), business.email, business.password)
    (mail,) = mails(app, business)
    assert mail["text"].partition("\n-- ")[0].rstrip().endswith(alarm(app, business, "Sign-in"))
