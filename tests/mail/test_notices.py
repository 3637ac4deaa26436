"""Notices before and at a boundary: an expiring card, refused payments, more active users than seats."""

import pytest
from flask import Flask
from sqlalchemy import delete, update

from tests.support.mails import kinds, sent, until
from tests.support.world import post, state, subscription
from webapp.db import transaction
from webapp.models.cards import Card
from webapp.purchases import cards
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCard, SandboxHeadcount


def test_a_card_is_told_of_once_for_each_renewal_and_again_when_another_expires_too(app: Flask) -> None:
    made = scenarios.make("business-two-cards")
    with transaction() as session:
        for row in (Card, SandboxCard):
            session.execute(update(row).values(exp_year=2027, exp_month=1))
    until(app, made, "2027-02-07T23:59:00")
    assert kinds() == []
    until(app, made, "2027-02-09T09:00:00")
    until(app, made, "2027-02-10T09:00:00")
    (first,) = sent("card_expires")
    for fact in (
        "Visa ••••\u00a04242",
        "01/2027",
        "15\u00a0février\u00a02027",
        "424,80\u00a0€",
        "http://localhost/billing",
    ):
        assert fact in first.body
    cards.make_default(made.account, made.cards[1])
    until(app, made, "2027-02-11T09:00:00")
    assert len(sent("card_expires")) == 2
    assert len(sent("renewal")) == 1


def test_a_card_that_expires_before_an_annual_renewal_is_told_of_thirty_days_ahead_and_no_more(app: Flask) -> None:
    made = scenarios.make("business-annual")
    with transaction() as session:
        session.execute(update(Card).values(exp_year=2027, exp_month=12))
    until(app, made, "2028-01-14T09:00:00")
    assert kinds() == ["card_expires", "renewal", "renewal"]


@pytest.mark.parametrize("scenario", ["enterprise", "third-party", "business-cancellation-pending"])
def test_no_card_is_told_of_where_none_is_charged(app: Flask, scenario: str) -> None:
    made = scenarios.make(scenario)
    with transaction() as session:
        session.execute(update(Card).values(exp_year=2027, exp_month=1))
    until(app, made, "2028-03-01T09:00:00")
    assert sent("card_expires") == sent("renewal") == []


def test_more_active_users_than_seats_at_the_boundary_are_told_once(app: Flask) -> None:
    made = scenarios.make("business-reduction-pending")
    post(app, f"/{made.account}/users", active=11)  # the sweep asks the tenant, as no page did
    until(app, made, "2027-02-15T00:05:00")
    until(app, made, "2027-03-14T09:00:00")
    (mail,) = sent("over_seats")
    assert "Licences utilisateur\u00a0: 8" in mail.body
    assert "Utilisateurs actifs\u00a0: 11" in mail.body
    assert f"/subscriptions/{subscription(made)}/add" in mail.body
    assert len(sent("receipt")) == 1


def test_as_many_active_users_as_seats_are_no_news(app: Flask, business: Made) -> None:
    post(app, f"/{business.account}/users", active=12)
    until(app, business, "2027-02-15T00:05:00")
    assert sent("over_seats") == []


def test_a_directory_that_fails_does_not_hold_up_a_payment(app: Flask, business: Made) -> None:
    with transaction() as session:
        session.execute(delete(SandboxHeadcount))
    until(app, business, "2027-02-15T00:05:00")
    assert state(app, business)["subscriptions"][0]["period_start"] == "2027-02-15"
    assert len(sent("receipt")) == 1


def test_the_last_refusal_says_so_and_names_no_next_try(app: Flask, business: Made) -> None:
    with transaction() as session:
        session.execute(update(SandboxCard).values(behaviour="card_declined"))
    until(app, business, "2027-02-22T09:00:00")
    mails = sent("refused")
    assert [("Prochaine tentative" in mail.body) for mail in mails] == [True] * 4 + [False]
    assert "C’était la dernière tentative" in mails[-1].body
