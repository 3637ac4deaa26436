"""An automatic renewal that the bank wants confirmed: by day, with another card, by cancelling, or not at all."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.support.log_lines import Lines
from tests.support.world import dump, pay, post, renew_url, signed_in, state, step, subscription, words
from webapp.db import db, transaction
from webapp.domain.refusals import PaymentPending, QuoteMoved
from webapp.models.mail import Message
from webapp.models.purchases import Payment, Quote
from webapp.ports import Cancelled, ports
from webapp.purchases import payments, quotes
from webapp.renewals import sweep
from webapp.sandbox import scenarios
from webapp.sandbox.clock import set_clock
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCard, SandboxCharge
from webapp.subscriptions import loading, service

pytestmark = pytest.mark.service
MIDNIGHT = "2027-02-15T00:00:00"  # the renewal of every account here is due


def challenge_default(made: Made) -> None:
    """Makes the bank ask for a confirmation of every payment with the first card."""
    with transaction() as session:
        tokens = select(SandboxCard.token).where(SandboxCard.customer == made.account).limit(1)
        session.execute(
            update(SandboxCard).where(SandboxCard.token.in_(tokens.scalar_subquery())).values(behaviour="challenge")
        )


@pytest.fixture
def challenged(app: Flask, business: Made) -> Made:
    """The bank was asked at midnight, and waits."""
    challenge_default(business)
    post(app, f"/{business.account}/clock", to=MIDNIGHT)
    return business


def at(app: Flask, made: Made, to: str) -> None:
    post(app, f"/{made.account}/clock", to=to)


def automatic_quote() -> str:
    return db.session.scalars(select(Quote.id).where(Quote.automatic).order_by(Quote.created_at.desc())).first() or ""


def payment_states(app: Flask, made: Made) -> list[str]:
    return [payment["state"] for payment in state(app, made)["payments"]]


def bank_states(made: Made) -> list[str]:
    db.session.rollback()
    rows = select(SandboxCharge.state).where(
        SandboxCharge.customer == made.account,
        SandboxCharge.key.in_(select(Payment.key).where(Payment.subscription_id == subscription(made))),
    )
    return list(db.session.scalars(rows))


def status(app: Flask, made: Made) -> str:
    return str(state(app, made)["subscriptions"][0]["status"])


def mails(made: Made) -> list[tuple[str, str]]:
    """Each mail about a payment: its day and what it is about."""
    db.session.rollback()
    account = loading.load(made.account, subscription(made)).account
    zone = ports().clock.now(account).tzinfo
    rows = db.session.scalars(select(Message).where(Message.account_id == made.account).order_by(Message.sent_at)).all()
    about = [(row.sent_at.astimezone(zone).date().isoformat(), row.about.split("/")[0]) for row in rows]
    return [mail for mail in about if mail[1] in ("confirm", "refused", "not_made")]


def bank_page(client: FlaskClient, made: Made) -> str:
    """The address of the bank's page, from the page that the mail links."""
    page = client.get(step(made, automatic_quote(), "authentication")).text
    return re.findall(r'href="http://[^"/]+(/sandbox/gateway/challenges/[^"]+)"', page)[0]


def quote_with_other_card(made: Made, card: str, seats: int = 12) -> str:
    quote = quotes.quote_renewal(made.account, subscription(made), seats)
    quotes.choose_card(made.account, subscription(made), quote, card)
    return quote


def cancel(client: FlaskClient, made: Made) -> int:
    return client.post(f"/subscriptions/{subscription(made)}/cancel", data={"understood": "y"}).status_code


@pytest.mark.parametrize("when", ["2027-02-15T08:30:00", "2027-02-16T08:30:00", "2027-02-16T23:59:00"])
def test_the_link_of_the_mail_works_until_the_end_of_the_next_day(
    app: Flask, client: FlaskClient, challenged: Made, when: str
) -> None:
    at(app, challenged, when)
    assert payment_states(app, challenged) == ["pending"]
    client.post(bank_page(client, challenged), data={"answer": "confirm"})
    client.get(step(challenged, automatic_quote(), "authenticated"))
    assert (payment_states(app, challenged), status(app, challenged)) == (["captured"], "active")
    assert [about for _, about in mails(challenged)] == ["confirm"]


def test_at_the_deadline_it_is_cancelled_at_the_gateway_and_counts_as_a_refusal(app: Flask, challenged: Made) -> None:
    at(app, challenged, "2027-02-17T00:00:00")
    assert (payment_states(app, challenged), bank_states(challenged)) == (["declined"], ["cancelled"])
    at(app, challenged, "2027-02-17T23:59:59")
    assert mails(challenged) == [("2027-02-15", "confirm"), ("2027-02-17", "refused")]
    at(app, challenged, "2027-02-18T00:00:00")
    assert payment_states(app, challenged) == ["declined", "pending"]


def test_five_unanswered_challenges_are_spread_over_days_and_then_it_lapses(app: Flask, challenged: Made) -> None:
    at(app, challenged, "2027-02-28T23:59:00")
    assert (status(app, challenged), payment_states(app, challenged)) == ("past_due", ["declined"] * 4 + ["pending"])
    at(app, challenged, "2027-03-20T00:00:00")
    assert (status(app, challenged), payment_states(app, challenged)) == ("lapsed", ["declined"] * 5)
    asked = [f"2027-02-{day}" for day in (15, 18, 21, 24, 27)]
    refused = [f"2027-02-{day}" for day in (17, 20, 23, 26)] + ["2027-03-01"]
    days = [(day, "confirm") for day in asked] + [(day, "refused") for day in refused]
    assert sorted(mails(challenged)) == sorted(days)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/New_York", "Africa/Cairo"])
def test_the_deadline_is_midnight_at_the_account_s_place(app: Flask, zone: str) -> None:
    made = scenarios.make("business", zone=zone)
    challenge_default(made)
    at(app, made, MIDNIGHT)
    at(app, made, "2027-02-16T23:59:50")
    assert payment_states(app, made) == ["pending"]
    at(app, made, "2027-02-17T00:00:00")
    assert payment_states(app, made) == ["declined"]


def test_page_and_mail_tell_the_deadline_and_lead_to_another_card(
    app: Flask, client: FlaskClient, challenged: Made
) -> None:
    page = client.get(step(challenged, automatic_quote(), "authentication")).text
    assert "16 February 2027 at 23:59" in words(page)
    assert f'action="{renew_url(challenged)}"' in page
    mail = words(state(app, challenged)["messages"][-1]["text"])
    assert "Confirm it by 16 February 2027 at 23:59." in mail
    assert "we will try again on 18 February 2027" in mail
    assert "To pay with another card" in mail


def test_the_subscription_page_tells_what_the_bank_waits_for(client: FlaskClient, challenged: Made) -> None:
    page = client.get(f"/subscriptions/{subscription(challenged)}")
    assert words(page.text).count("Your bank is waiting for your confirmation until 16 February 2027 at 23:59") == 3
    assert page.text.count(f'href="{step(challenged, automatic_quote(), "authentication")}"') == 3
    assert f'action="{renew_url(challenged)}"' in page.text
    assert "charge the card again" not in page.text


def test_another_card_pays_and_the_challenge_is_cancelled_at_the_gateway(app: Flask) -> None:
    made = scenarios.make("business-two-cards")
    challenge_default(made)
    at(app, made, "2027-02-15T09:00:00")
    quote = quote_with_other_card(made, made.cards[1])
    assert payment_states(app, made) == ["pending"]  # a quote alone gives nothing up
    assert pay(app, made, quote) == "captured"
    assert sorted(payment_states(app, made)) == ["captured", "declined"]
    assert sorted(bank_states(made)) == ["cancelled", "captured"]
    assert (status(app, made), mails(made)) == ("active", [("2027-02-15", "confirm")])


def test_the_challenge_says_so_once_another_card_has_paid_the_renewal(app: Flask) -> None:
    made = scenarios.make("business-two-cards")
    challenge_default(made)
    at(app, made, MIDNIGHT)
    automatic = automatic_quote()
    client = signed_in(app, made)
    pay(app, made, quote_with_other_card(made, made.cards[1]))
    for page in ("authenticated", "receipt", "payment", "overview"):
        answer = client.get(step(made, automatic, page), follow_redirects=True)
        assert answer.status_code == 409
        assert "already been paid: the subscription is renewed until 14 March 2027" in words(answer.text)
        assert "Try again" not in answer.text


def test_when_the_other_card_is_refused_the_sweep_tries_again_on_a_later_day(app: Flask) -> None:
    made = scenarios.make("business-two-cards")
    challenge_default(made)
    at(app, made, "2027-02-16T09:00:00")
    post(app, f"/{made.account}/gateway", next="decline")
    assert pay(app, made, quote_with_other_card(made, made.cards[1])) == "declined"
    at(app, made, "2027-02-16T23:59:00")
    assert payment_states(app, made) == ["declined", "declined"]
    at(app, made, "2027-02-17T00:00:00")
    assert payment_states(app, made) == ["declined", "declined", "pending"]
    assert loading.load(made.account, subscription(made)).facts.refused == 1


def test_the_last_challenge_is_replaced_at_the_price_of_the_whole_period(app: Flask) -> None:
    """Paying comes before the lapse, after which only the days left would be charged."""
    made = scenarios.make("business-two-cards")
    challenge_default(made)
    at(app, made, "2027-02-27T09:00:00")
    assert payment_states(app, made) == ["declined"] * 4 + ["pending"]
    assert pay(app, made, quote_with_other_card(made, made.cards[1])) == "captured"
    assert (status(app, made), state(app, made)["invoices"][-1]["net"]) == ("active", 35_400)


def test_a_payment_that_cannot_be_made_leaves_the_challenge_open(app: Flask) -> None:
    made = scenarios.make("business-two-cards")
    challenge_default(made)
    at(app, made, "2027-02-15T09:00:00")
    quote = quote_with_other_card(made, made.cards[1])
    at(app, made, "2027-02-15T09:31:00")
    with pytest.raises(QuoteMoved):
        pay(app, made, quote)
    assert (payment_states(app, made), bank_states(made)) == (["pending"], ["challenged"])


@pytest.mark.parametrize("day", ["15", "27"])
def test_cancelling_ends_it_and_the_bank_can_no_longer_charge(
    app: Flask, client: FlaskClient, challenged: Made, day: str
) -> None:
    """On the 27th the fifth and last challenge is open."""
    at(app, challenged, f"2027-02-{day}T09:00:00")
    bank, before = bank_page(client, challenged), mails(challenged)
    assert "ends immediately" in client.get(f"/subscriptions/{subscription(challenged)}/cancel").text
    assert cancel(client, challenged) == 303
    client.post(bank, data={"answer": "confirm"})
    at(app, challenged, "2027-03-20T00:00:00")
    assert (status(app, challenged), bank_states(challenged)[-1]) == ("ended", "cancelled")
    assert "pending" not in payment_states(app, challenged)
    assert mails(challenged) == before


@pytest.mark.parametrize("command", ["cancel", "pay"])
def test_while_the_gateway_is_silent_nothing_changes(app: Flask, client: FlaskClient, command: str) -> None:
    made = scenarios.make("business-two-cards")
    challenge_default(made)
    at(app, made, "2027-02-15T09:00:00")
    quote = quote_with_other_card(made, made.cards[1])
    post(app, f"/{made.account}/gateway", next="down")
    owner = signed_in(app, made)
    before = dump()
    if command == "cancel":
        answer = cancel(owner, made)
    else:
        answer = owner.post(step(made, quote, "pay"), data={"attempt": 1}).status_code
    assert answer == 503
    after = dump()
    assert {name for name in after if after[name] != before[name]} <= {"subscription", "session", "quiet"}


def test_cancelling_after_the_bank_was_answered_keeps_the_period_that_is_paid(
    app: Flask, client: FlaskClient, challenged: Made
) -> None:
    client.post(bank_page(client, challenged), data={"answer": "confirm"})  # the owner does not come back
    assert cancel(client, challenged) == 303
    assert (payment_states(app, challenged), status(app, challenged)) == (["captured"], "ending")


def test_paying_after_the_bank_was_answered_charges_nothing_more(app: Flask) -> None:
    made = scenarios.make("business-two-cards")
    challenge_default(made)
    at(app, made, "2027-02-15T09:00:00")
    quote = quote_with_other_card(made, made.cards[1])
    with transaction() as session:
        session.execute(update(SandboxCharge).values(state="captured"))
    with pytest.raises(QuoteMoved):
        pay(app, made, quote)
    assert (payment_states(app, made), bank_states(made)) == (["captured"], ["captured"])


def test_a_challenge_that_was_not_cancelled_at_the_gateway_is_never_replaced(app: Flask, challenged: Made) -> None:
    """As when it is opened between the cancellation of another one and the command's own transaction."""
    for given_up in (None, "another.1"):
        with pytest.raises(PaymentPending):
            service.cancel(challenged.account, subscription(challenged), given_up)
    quote = quote_with_other_card(challenged, challenged.cards[0])
    for given_up in (None, "another.1"):
        with pytest.raises(PaymentPending):
            payments._begin_attempt(challenged.account, subscription(challenged), quote, 1, None, None, given_up)
    assert payment_states(app, challenged) == ["pending"]


def test_a_process_that_dies_after_cancelling_at_the_gateway_leaves_a_refused_attempt(
    app: Flask, challenged: Made
) -> None:
    key = payments.cancel_challenge(challenged.account, subscription(challenged))
    assert key
    assert sweep.sweep() == 0
    assert (payment_states(app, challenged), ports().gateway.find(challenged.account, key)) == (
        ["declined"],
        Cancelled(),
    )
    at(app, challenged, "2027-02-15T23:59:00")
    assert payment_states(app, challenged) == ["declined"]


@pytest.mark.parametrize("command", ["reduce", "add"])
def test_any_other_command_waits(client: FlaskClient, challenged: Made, command: str) -> None:
    answer = client.get(f"/subscriptions/{subscription(challenged)}/{command}")
    assert (answer.status_code, f'href="{step(challenged, automatic_quote(), "authentication")}"' in answer.text) == (
        409,
        True,
    )


def test_each_sweep_asks_and_none_reports_a_challenge_that_is_open_for_a_day(
    app: Flask, challenged: Made, log: Lines
) -> None:
    set_clock(
        challenged.account,
        ports().clock.now(loading.load(challenged.account, subscription(challenged)).account) + timedelta(hours=30),
    )
    with transaction() as session:
        session.execute(update(SandboxCharge).values(state="captured"))
    assert sweep.sweep() == 0
    assert payment_states(app, challenged) == ["captured"]
    assert "look it up" not in str(log)


def test_an_unheard_of_charge_is_asked_for_after_seconds_when_days_pass_at_once(app: Flask, business: Made) -> None:
    post(app, f"/{business.account}/gateway", next="timeout_after_charge")
    at(app, business, "2027-02-18T09:00:00")
    assert state(app, business)["invoices"][-1]["issued_on"] == "2027-02-15"


def test_an_addition_s_challenge_ends_at_midnight_and_the_owner_is_told(
    app: Flask, client: FlaskClient, business: Made
) -> None:
    """The price of an addition holds for the day; an owner's challenge is not kept open like one of the sweep."""
    at(app, business, "2027-01-20T23:50:00")
    quote = quotes.quote_addition(business.account, subscription(business), 14)
    quotes.choose_card(business.account, subscription(business), quote, business.cards[0])
    post(app, f"/{business.account}/gateway", next="challenge")
    assert pay(app, business, quote) == "pending"
    base = f"/subscriptions/{subscription(business)}/add/{quote}"
    assert "20 January 2027 at 23:59" in words(client.get(f"{base}/authentication").text)
    at(app, business, "2027-01-21T00:05:00")
    assert (payment_states(app, business), bank_states(business)) == (["cancelled"], ["cancelled"])
    page = client.get(f"{base}/authenticated", follow_redirects=True).text
    assert "The payment was not completed. Nothing was charged." in words(page)
    answer = client.post(f"{base}/pay", data={"attempt": 2})
    assert (answer.status_code, "Your quote had expired: this is a new one." in answer.text) == (409, True)
    assert "The price before tax goes from" in answer.text
