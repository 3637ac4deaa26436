"""The portal as an owner meets it where Stripe is the gateway: each page, each way back, and what is stored."""

import logging
import re
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import select

from tests.servers.stripe_server import SECRET_KEY, WEBHOOK_SECRET, Stripe
from tests.support.stripe_owner import Owner
from tests.support.world import dump, signed_in, subscription
from webapp.adapters.clock import machine_now
from webapp.db import db
from webapp.models.invoices import Invoice
from webapp.models.mail import Message
from webapp.models.purchases import Payment
from webapp.renewals import sweep
from webapp.sandbox import scenarios


def test_a_renewal_with_a_card_that_is_entered_at_stripe(owner: Owner, stripe: Stripe) -> None:
    receipt = owner.pays()
    assert receipt.endswith("/receipt")
    page = owner.client.get(receipt)
    assert (page.status_code, "€489.60" in page.text) == (200, True)
    assert (owner.payments(), owner.renewals(), stripe.captured()) == (["captured"], 1, [48_960])
    owner.client.post(receipt.replace("receipt", "pay"), data={"attempt": 1})
    assert stripe.captured() == [48_960]


def test_an_owner_who_gives_up_the_card_page_is_back_at_the_purchase(owner: Owner, stripe: Stripe) -> None:
    payment = owner.quoted()
    owner.client.post(f"{payment}/new-card")
    (session,) = stripe.sessions.values()
    back = urlsplit(session["cancel_url"])
    assert owner.follow(owner.client.get(f"{back.path}?{back.query}")) == payment
    assert owner.newest_card() == ""


def test_another_account_cannot_use_the_way_back(owner: Owner, stripe: Stripe, stripe_app: Flask) -> None:
    owner.client.post("/billing/cards/new")
    (session,) = stripe.sessions.values()
    stripe.enter_card(session["id"])
    back = urlsplit(session["success_url"])
    stranger = signed_in(stripe_app, scenarios.make("business", now=machine_now()))
    assert stranger.get(f"{back.path}?{back.query}").status_code == 404
    assert owner.newest_card() == ""


@pytest.mark.parametrize(("confirmed", "state"), [(True, "captured"), (False, "declined")])
def test_the_bank_asks_and_the_owner_comes_back(owner: Owner, stripe: Stripe, confirmed: bool, state: str) -> None:
    asked = owner.pays("challenge")
    assert asked.endswith("/authentication")
    page = owner.client.get(asked).text
    (bank,) = re.findall(r'href="(https://hooks\.stripe\.com/[^"]+)"', page)
    (intent,) = stripe.intents.values()
    back = urlsplit(intent["next_action"]["redirect_to_url"]["return_url"])
    stripe.authenticate(bank, confirmed)
    for _ in range(2):
        after = owner.follow(owner.client.get(back.path))
    assert after.endswith("/receipt")
    assert (owner.payments(), owner.renewals()) == ([state], int(confirmed))
    if not confirmed:
        payment = owner.follow(owner.client.get(after))
        assert "Your identity could not be confirmed with the bank." in owner.client.get(payment).text


def test_a_challenge_that_the_owner_gives_up_is_cancelled_at_stripe(owner: Owner, stripe: Stripe) -> None:
    asked = owner.pays("challenge")
    (bank,) = re.findall(r'href="(https://hooks[^"]+)"', owner.client.get(asked).text)
    owner.client.post(asked.replace("authentication", "abandon"))
    stripe.authenticate(bank, True)
    assert (owner.payments(), stripe.captured()) == (["cancelled"], [])


def test_a_refusal_is_told_and_another_card_pays(owner: Owner, stripe: Stripe) -> None:
    payment = owner.pays("insufficient_funds")
    assert "insufficient funds" in owner.client.get(payment).text
    assert (owner.payments(), owner.renewals(), stripe.captured()) == (["declined"], 0, [])
    owner.enters_card(payment)
    card = owner.newest_card()
    overview = owner.follow(owner.client.post(payment, data={"card": card}))
    owner.client.post(overview.replace("overview", "pay"), data={"attempt": 2, "card": card})
    assert (owner.payments(), owner.renewals(), stripe.captured()) == (["declined", "captured"], 1, [48_960])


@pytest.mark.usefixtures("quick")
def test_an_outcome_that_stripe_keeps_to_itself_is_found_by_the_sweep(owner: Owner, stripe: Stripe) -> None:
    stripe.fail("silent_after", "/confirm")
    receipt = owner.pays()
    assert "waiting for your bank" in owner.client.get(receipt).text
    assert (owner.payments(), owner.renewals()) == (["pending"], 0)
    assert sweep.sweep(owner.made.account) == 0
    assert (owner.payments(), owner.renewals(), stripe.captured()) == (["captured"], 1, [48_960])


def test_a_refund_by_command_goes_back_once(owner: Owner, stripe: Stripe, stripe_app: Flask) -> None:
    owner.pays()
    db.session.rollback()
    number = db.session.scalars(select(Invoice.number).where(Invoice.payment_key.is_not(None))).one()
    db.session.rollback()
    command = ["credit-note", "--account", owner.made.account, number]
    done = stripe_app.test_cli_runner().invoke(args=[*command, "--net", "10000"])
    assert (done.exit_code, "of 120.00 EUR with tax" in done.output) == (0, True), done.output
    rest = stripe_app.test_cli_runner().invoke(args=command)
    assert rest.exit_code == 0, rest.output
    assert [row["amount"] for row in stripe.refunds.values()] == [12_000, 36_960]
    assert stripe_app.test_cli_runner().invoke(args=command).exit_code == 1


def test_a_card_is_made_default_and_deleted_here_and_at_stripe(owner: Owner, stripe: Stripe) -> None:
    for brand, last4 in (("visa", "4242"), ("amex", "0005")):
        assert owner.enters_card("/billing/cards/new", brand=brand, last4=last4) == "/billing"
    page = owner.client.get("/billing").text
    assert "American Express" in page
    card = owner.newest_card()
    assert owner.client.post(f"/billing/cards/{card}/delete").status_code == 303
    assert [method["card"]["last4"] for method in stripe.methods.values() if method["customer"] is None] == ["0005"]


@pytest.mark.parametrize(("behaves", "states"), [("accepted", ["captured"]), ("challenge", ["pending"])])
def test_a_renewal_by_itself_charges_without_the_owner(
    stripe_app: Flask, stripe: Stripe, behaves: str, states: list[str]
) -> None:
    owner = Owner(stripe_app, stripe, "business-past-due")
    owner.enters_card("/billing/cards/new", behaves)
    owner.client.post(f"/billing/cards/{owner.newest_card()}/default")
    db.session.rollback()
    assert sweep.sweep(owner.made.account) == 0
    off_session = [asked.params["off_session"] for asked in stripe.asked if asked.path.endswith("/confirm")]
    assert (owner.payments(), off_session) == (states, ["true"] if behaves == "accepted" else ["true", "false"])
    if behaves == "challenge":
        page = db.session.scalars(select(Payment.action_url)).one() or ""
        mails = db.session.scalars(select(Message.about)).all()
        told = sorted(about.partition("/")[0] for about in mails)
        assert told == ["confirm", "security", "security"], "the card is new, and the default"
        (intent,) = stripe.intents.values()
        back = urlsplit(intent["next_action"]["redirect_to_url"]["return_url"])
        stripe.authenticate(page, True)
        db.session.rollback()
        owner.client.get(back.path)
        assert (owner.payments(), len(stripe.captured())) == (["captured"], 1)


def test_the_pages_may_lead_to_stripe_and_nowhere_else(owner: Owner) -> None:
    policy = owner.client.get("/billing").headers["Content-Security-Policy"]
    assert "form-action 'self' https://checkout.stripe.com https://hooks.stripe.com;" in policy


def test_there_is_no_sandbox_beside_stripe(owner: Owner) -> None:
    for path in ("/sandbox", f"/sandbox/accounts/{owner.made.account}/state"):
        assert owner.client.get(path).status_code == 404


@pytest.mark.parametrize("behaves", ["accepted", "challenge", "stolen_card"])
def test_no_secret_and_no_more_of_a_card_than_is_needed_is_kept_shown_or_logged(
    owner: Owner, stripe: Stripe, caplog: pytest.LogCaptureFixture, behaves: str
) -> None:
    with caplog.at_level(logging.DEBUG):
        shown = owner.client.get(owner.pays(behaves)).text + owner.client.get("/billing").text
    kept = repr(dump())
    for secret in (SECRET_KEY, WEBHOOK_SECRET, "mToisGZ01V71BCos", "camille@example.test", "stolen_card"):
        assert secret not in caplog.text + shown + kept
    assert "_secret_" not in caplog.text
    assert subscription(owner.made) in kept


def test_nothing_is_held_of_the_database_while_stripe_is_asked(owner: Owner, stripe: Stripe) -> None:
    held: list[int] = []
    pool = db.engine.pool
    db.session.rollback()
    stripe.during = lambda: held.append(pool.checkedout())  # type: ignore[attr-defined]
    asked = owner.pays("challenge")
    db.session.rollback()
    owner.client.post(asked.replace("authentication", "abandon"))
    owner.client.post("/billing/cards/new")
    assert len(held) >= 8
    assert set(held) == {0}
