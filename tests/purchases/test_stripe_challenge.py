"""An automatic renewal at Stripe that the bank wants confirmed: replaced by another card, or by cancelling."""

import pytest
from flask import Flask
from sqlalchemy import select

from tests.servers.stripe_server import Stripe
from tests.support.stripe_owner import Owner
from tests.support.world import renew_url, stored, subscription
from webapp.db import db
from webapp.models.purchases import Payment
from webapp.models.subscriptions import SubscriptionRow
from webapp.renewals import sweep


@pytest.fixture
def challenged(stripe_app: Flask, stripe: Stripe) -> Owner:
    owner = Owner(stripe_app, stripe, "business-past-due")
    owner.enters_card("/billing/cards/new", "challenge")
    owner.client.post(f"/billing/cards/{owner.newest_card()}/default")
    db.session.rollback()
    assert sweep.sweep(owner.made.account) == 0
    assert owner.payments() == ["pending"]
    return owner


def bank_page() -> str:
    page = db.session.scalars(select(Payment.action_url)).first() or ""
    db.session.rollback()
    return page


def statuses(stripe: Stripe) -> list[str]:
    return [intent["status"] for intent in stripe.intents.values()]


def pays_otherwise(owner: Owner) -> str:
    """Renews with a new card; gives the page where paying leads."""
    payment = owner.follow(owner.client.post(renew_url(owner.made), data={"seats": 12}))
    assert owner.enters_card(payment) == payment
    card = owner.newest_card()
    overview = owner.follow(owner.client.post(payment, data={"card": card}))
    assert "will be cancelled when you pay" in owner.client.get(overview).text
    return owner.follow(owner.client.post(overview.replace("overview", "pay"), data={"attempt": 1, "card": card}))


def test_another_card_pays_once_the_first_intent_is_cancelled(challenged: Owner, stripe: Stripe) -> None:
    bank = bank_page()
    assert pays_otherwise(challenged).endswith("/receipt")
    stripe.authenticate(bank, True)
    assert statuses(stripe) == ["canceled", "succeeded"]
    assert (sorted(challenged.payments()), challenged.renewals()) == (["captured", "declined"], 1)


def test_cancelling_cancels_the_intent(challenged: Owner, stripe: Stripe) -> None:
    bank = bank_page()
    answer = challenged.client.post(f"/subscriptions/{subscription(challenged.made)}/cancel", data={"understood": "y"})
    assert answer.status_code == 303
    stripe.authenticate(bank, True)
    assert (statuses(stripe), challenged.payments()) == (["canceled"], ["declined"])
    assert stored(SubscriptionRow, subscription(challenged.made)).ended_on
    db.session.rollback()


@pytest.mark.usefixtures("quick")
def test_while_stripe_keeps_silent_the_challenge_stays(challenged: Owner, stripe: Stripe) -> None:
    stripe.fail("silent", "/cancel")
    answer = challenged.client.post(f"/subscriptions/{subscription(challenged.made)}/cancel", data={"understood": "y"})
    assert (answer.status_code, challenged.payments()) == (503, ["pending"])
