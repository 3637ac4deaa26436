"""A tenant that does not answer: only what needs its number of active users is refused."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.support.world import (
    RETURN_URL,
    dump,
    pay,
    post,
    quoted,
    renew_url,
    signed_in,
    state,
    step,
    subscription,
    words,
)
from webapp.db import db, transaction
from webapp.domain.refusals import ActiveUsersUnknown
from webapp.ports import ActiveUsers, TenantDirectory, ports
from webapp.purchases import payments, quotes
from webapp.renewals import rollover, sweep
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxAccount
from webapp.subscriptions import loading, service

SENTENCES = {
    "en": "The tenant is not responding, so its active users cannot be counted at the moment. "
    "Last known count: 5 active users, on 15 January 2027 at 08:5",
    "fr": "Le client (tenant) ne répond pas : ses utilisateurs actifs ne peuvent pas être comptés pour le moment. "
    "Dernier décompte connu : 5 utilisateurs actifs, le 15 janvier 2027 à 08:5",
}


def directory(app: Flask, made: Made, word: str) -> None:
    assert post(app, f"/{made.account}/users", directory=word) == {"directory": word}


@pytest.mark.parametrize("locale", ["en", "fr"])
@pytest.mark.parametrize("procedure", ["renew", "reduce"])
def test_a_number_that_cannot_be_compared_is_refused_at_its_field(
    app: Flask, client: FlaskClient, business: Made, procedure: str, locale: str
) -> None:
    client.set_cookie("locale", locale)
    directory(app, business, "down")
    before, url = dump(), f"/subscriptions/{subscription(business)}/{procedure}"
    answer = client.post(url, data={"seats": "8"})
    assert (answer.status_code, dump()) == (503, before)
    assert SENTENCES[locale] in words(answer.text)
    assert 'value="8"' in answer.text
    assert 'href="/contact"' in answer.text.split('id="seats-error"')[1].split("</p>")[0]
    directory(app, business, "up")
    assert client.post(url, data={"seats": "8"}).status_code == 303


def test_pay_and_confirm_are_refused_on_a_page_that_says_why(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business)
    directory(app, business, "down")
    before = dump()
    reduce = f"/subscriptions/{subscription(business)}/reduce/confirm"
    for url, form in ((step(business, quote, "pay"), {"attempt": "1"}), (reduce, {"seats": "8", "understood": "y"})):
        answer = client.post(url, data=form)
        assert (answer.status_code, dump()) == (503, before), url
        assert "<h1>The tenant is not responding</h1>" in answer.text
        assert SENTENCES["en"] in words(answer.text)
    directory(app, business, "up")
    assert pay(app, business, quote) == "captured"


def test_what_needs_no_number_goes_on(app: Flask, client: FlaskClient, business: Made) -> None:
    directory(app, business, "down")
    quote = quotes.quote_addition(business.account, subscription(business), 14)
    quotes.choose_card(business.account, subscription(business), quote, business.cards[0])
    assert pay(app, business, quote) == "captured"
    service.cancel(business.account, subscription(business))
    (change,) = loading.load(business.account, subscription(business)).open_changes
    service.withdraw(business.account, subscription(business), change.id)
    for url in ("/subscriptions", f"/subscriptions/{subscription(business)}", renew_url(business)):
        assert client.get(url).status_code == 200


def test_a_quote_that_was_paid_answers_with_its_payment(app: Flask, business: Made) -> None:
    quote = quoted(app, business)
    assert pay(app, business, quote) == "captured"
    directory(app, business, "down")
    assert pay(app, business, quote) == "captured"


def test_the_wait_for_fewer_users_says_that_nobody_knows(app: Flask, client: FlaskClient, business: Made) -> None:
    directory(app, business, "down")
    before = dump()
    url = f"/subscriptions/{subscription(business)}/active-users?seats=9&since=1800000000&procedure=renew"
    text = words(client.get(url).text)
    assert "The tenant is not responding: its active users cannot be counted at the moment." in text
    assert "The tenant has 5 active users, counted at 08:5" in text
    assert "you can continue" not in text
    assert dump() == before


def test_an_automatic_renewal_goes_by_what_was_told_last(app: Flask) -> None:
    made = scenarios.make("business-reduction-pending")  # to 8
    post(app, f"/{made.account}/users", active=11)
    post(app, f"/{made.account}/clock", advance="PT3M")
    quoted(app, made)
    directory(app, made, "down")
    post(app, f"/{made.account}/users", active=3)
    post(app, f"/{made.account}/clock", to="2027-02-15T00:05:00")
    account_state = state(app, made)
    assert (account_state["subscriptions"][0]["period_start"], account_state["subscriptions"][0]["seats"]) == (
        "2027-02-15",
        8,
    )
    assert account_state["payments"][0]["state"] == "captured"
    stored = loading.load(made.account, subscription(made))
    assert (stored.active_users, stored.active_users_as_of.month) == (11, 1)
    assert [mail for mail in account_state["messages"] if "Utilisateurs actifs\u00a0: 11" in mail["text"]]


def test_a_sweep_asks_no_more_tenants_once_three_in_a_row_did_not_answer(app: Flask) -> None:
    made = [scenarios.make("business") for _ in range(5)]
    for change in made:
        directory(app, change, "down")
    with transaction() as session:
        for account in session.scalars(select(SandboxAccount)):
            account.set_to += timedelta(days=31)
    watched = Watched(ports().directory)
    app.extensions["ports"] = replace(ports(), directory=watched)
    assert sum(sweep.run(), rollover.Tally()) == rollover.Tally(seen=5, renewed=5, uncounted=3)
    assert len(watched.open) == 3


def test_both_can_be_set_at_once_and_a_slip_changes_nothing(app: Flask, business: Made) -> None:
    user_count = post(app, f"/{business.account}/users", active=9, directory="down")
    assert set(user_count) == {"active", "seen_at"}
    with pytest.raises(ActiveUsersUnknown):
        quoted(app, business)
    directory(app, business, "up")
    post(app, f"/{business.account}/clock", advance="PT3M")
    assert quoted(app, business, 9)
    before = dump()
    for form in ({"directory": "sideways"}, {"directory": "up", "active": "x"}):
        headers = {"Accept": "application/json"}
        answer = app.test_client().post(f"/sandbox/accounts/{business.account}/users", data=form, headers=headers)
        assert (answer.status_code, dump()) == (422, before)


class Watched:
    """A directory that records whether a transaction was open at each call; the real one answers."""

    def __init__(self, real: TenantDirectory) -> None:
        self.real = real
        self.open: list[bool] = []

    def active_users(self, tenant: str) -> ActiveUsers:
        self.open.append(db.session().in_transaction())
        return self.real.active_users(tenant)


def test_the_directory_is_never_asked_while_a_transaction_is_open(app: Flask, business: Made) -> None:
    watched = Watched(ports().directory)
    app.extensions["ports"] = replace(ports(), directory=watched)
    client, here = signed_in(app, business), f"/subscriptions/{subscription(business)}"

    def asks(times: int, answer: Any = None) -> Any:
        assert watched.open == [False] * times
        watched.open.clear()
        return answer

    client.get(f"{here}/active-users?seats=9&since=1800000000&procedure=renew")
    asks(1)
    client.post(f"{here}/reduce", data={"seats": "8"})
    asks(1)
    client.post(f"{here}/reduce/confirm", data={"seats": "8", "understood": "y"})
    asks(1)
    client.post(f"{here}/renew", data={"seats": "14"})
    asks(1)
    quote = asks(1, quoted(app, business))
    client.post(f"{renew_url(business)}/{quote}/pay", data={"attempt": "1"})
    asks(1)
    with app.test_request_context():
        payments.pay(business.account, subscription(business), quote, 1, RETURN_URL)
    asks(0)
    post(app, f"/{business.account}/clock", to="2027-03-15T00:05:00")
    asks(1)
    assert sweep.sweep(business.account) == 0
    asks(0)
    for url in ("/subscriptions", here, f"{here}/renew", f"{here}/reduce", f"{here}/add", f"{here}/manage"):
        client.get(url)
        asks(0)
