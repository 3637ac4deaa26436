"""Rolling over: ends, reductions, automatic renewals, retries, lapses and notices; repeating changes nothing."""

import pytest
from flask import Flask
from sqlalchemy import select, update

from tests.support.world import dump, pay, post, signed_in, state, subscription, words
from webapp.db import db, transaction
from webapp.models.purchases import Quote
from webapp.purchases import payments, quotes
from webapp.renewals import sweep
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCard
from webapp.subscriptions import loading, service

pytestmark = pytest.mark.service


def until(app: Flask, made: Made, to: str) -> dict[str, object]:
    """Moves the clock and returns the first subscription's state; a second sweep changes nothing."""
    post(app, f"/{made.account}/clock", to=to)
    before = dump()
    assert sweep.sweep() == 0
    assert {name: rows for name, rows in dump().items() if name != "sandbox_account"} == {
        name: rows for name, rows in before.items() if name != "sandbox_account"
    }
    tile: dict[str, object] = state(app, made)["subscriptions"][0]
    return tile


def charges(app: Flask, made: Made) -> list[tuple[int, str]]:
    return [(payment["amount"], payment["state"]) for payment in state(app, made)["payments"]]


def subjects(app: Flask, made: Made) -> list[tuple[str, str]]:
    return [(mail["sent_at"][:10], mail["subject"].split("\u00a0:")[0]) for mail in state(app, made)["messages"]]


def test_it_renews_itself_at_the_boundary(app: Flask, business: Made) -> None:
    assert until(app, business, "2027-02-14T23:59:00")["period_end"] == "2027-02-15"
    tile = until(app, business, "2027-02-15T00:00:00")
    assert (tile["status"], tile["period_start"], tile["seats"]) == ("active", "2027-02-15", 12)
    assert charges(app, business) == [(42_480, "captured")]
    assert state(app, business)["invoices"][-1]["issued_on"] == "2027-02-15"


def test_missed_periods_are_caught_up_one_by_one(app: Flask, business: Made) -> None:
    tile = until(app, business, "2027-06-20T09:00:00")
    assert [period["ordinal"] for period in tile["periods"]] == list(range(11))  # type: ignore[attr-defined]
    assert charges(app, business) == [(42_480, "captured")] * 5
    issued = [invoice["issued_on"] for invoice in state(app, business)["invoices"][-5:]]
    assert issued == [f"2027-0{month}-15" for month in range(2, 7)]


def test_a_reduction_is_applied_with_the_capture(app: Flask) -> None:
    made = scenarios.make("business-reduction-pending")
    tile = until(app, made, "2027-02-15T08:00:00")
    assert (tile["seats"], tile["changes"][0]["state"]) == (8, "applied")  # type: ignore[index]
    assert charges(app, made) == [(28_800, "captured")]


def test_a_cancellation_ends_it_and_nothing_is_charged(app: Flask) -> None:
    made = scenarios.make("business-reduction-pending")
    service.cancel(made.account, subscription(made))
    tile = until(app, made, "2027-03-20T08:00:00")
    assert tile["status"] == "ended"
    assert [change["state"] for change in tile["changes"]] == ["superseded", "applied"]  # type: ignore[attr-defined]
    assert charges(app, made) == []
    assert subjects(app, made)[-1] == ("2027-02-15", "Votre abonnement a pris fin")


def test_a_period_paid_ahead_is_not_charged_again(app: Flask) -> None:
    made = scenarios.make("business-renewed")
    assert until(app, made, "2027-02-20T08:00:00")["period_start"] == "2027-02-15"
    assert charges(app, made) == []


def test_a_refused_card_is_tried_again_and_then_the_subscription_lapses_and_ends(app: Flask, business: Made) -> None:
    with transaction() as session:
        session.execute(update(SandboxCard).values(behaviour="card_declined"))
    for day, tries, status in (
        ("15", 1, "past_due"),
        ("16", 2, "past_due"),
        ("17", 2, "past_due"),
        ("18", 3, "past_due"),
        ("20", 4, "past_due"),
        ("21", 4, "past_due"),
        ("22", 5, "lapsed"),
        ("28", 5, "lapsed"),
    ):
        tile = until(app, business, f"2027-02-{day}T12:00:00")
        assert (len(charges(app, business)), tile["status"], tile["seats"]) == (tries, status, 12), day
    assert until(app, business, "2027-03-23T23:00:00")["status"] == "lapsed"
    assert until(app, business, "2027-03-24T00:00:00")["status"] == "ended"
    refusals = [day for day, subject in subjects(app, business) if subject == "Votre paiement a été refusé"]
    assert refusals == [f"2027-02-{day}" for day in (15, 16, 18, 20, 22)]
    lapses = [act["at"][:10] for act in state(app, business)["activity"] if act["what"] == "lapsed"]
    assert lapses == ["2027-02-22"]
    page = words(signed_in(app, business).get(f"/subscriptions/{subscription(business)}").text)
    assert "23 March 2027 Subscription ended" in page


def test_a_retry_that_works_pays_the_owed_period(app: Flask, business: Made) -> None:
    post(app, f"/{business.account}/gateway", next="decline")
    assert until(app, business, "2027-02-15T01:00:00")["status"] == "past_due"
    tile = until(app, business, "2027-02-16T01:00:00")
    assert (tile["status"], tile["period_start"]) == ("active", "2027-02-15")
    assert [state for _, state in charges(app, business)] == ["declined", "captured"]


def test_a_lapsed_subscription_is_never_charged_and_renew_pays_the_days_left(app: Flask) -> None:
    made = scenarios.make("business-lapsed")
    assert until(app, made, "2027-01-20T09:00:00")["status"] == "lapsed"
    with transaction() as session:
        session.execute(update(SandboxCard).values(behaviour="accepted"))
    quote = quotes.quote_renewal(made.account, subscription(made), 12)
    quotes.choose_card(made.account, subscription(made), quote, made.cards[0])
    with app.test_request_context():
        payments.pay(made.account, subscription(made), quote, 1, "http://localhost/back")
    account_state = state(app, made)
    net = (35_400 * 16 * 2 + 31) // (2 * 31)  # 20 January to 4 February of 31 days
    assert (account_state["subscriptions"][0]["status"], account_state["invoices"][-1]["net"]) == ("active", net)


def test_no_card_and_an_expired_card_count_as_refusals(app: Flask) -> None:
    made = scenarios.make("expiring-card")
    assert until(app, made, "2027-02-15T01:00:00")["status"] == "past_due"
    assert state(app, made)["gateway"]["charges"] == []
    assert charges(app, made) == [(42_480, "declined")]


@pytest.mark.parametrize("fault", ["timeout", "timeout_after_charge", "error"])
def test_an_unknown_outcome_waits_and_is_charged_once(app: Flask, business: Made, fault: str) -> None:
    post(app, f"/{business.account}/gateway", next=fault)
    post(app, f"/{business.account}/clock", to="2027-02-15T00:00:05")
    post(app, f"/{business.account}/clock", advance="PT1M")
    account_state = state(app, business)
    assert account_state["subscriptions"][0]["period_start"] == "2027-02-15"
    assert [charge["state"] for charge in account_state["gateway"]["charges"]] == ["captured"]


def test_a_challenge_that_nobody_answers_is_a_refusal(app: Flask, business: Made) -> None:
    post(app, f"/{business.account}/gateway", next="challenge")
    post(app, f"/{business.account}/clock", to="2027-02-16T23:59:50")
    assert charges(app, business) == [(42_480, "pending")]
    until(app, business, "2027-02-17T00:00:00")
    assert charges(app, business) == [(42_480, "declined")]


def test_the_notice_is_sent_once_seven_days_ahead(app: Flask, business: Made) -> None:
    until(app, business, "2027-02-07T23:00:00")
    assert subjects(app, business) == []
    until(app, business, "2027-02-12T09:00:00")
    assert [day for day, _ in subjects(app, business)] == ["2027-02-08"]


def test_an_annual_notice_is_sent_thirty_and_seven_days_ahead(app: Flask) -> None:
    made = scenarios.make("business-annual")
    until(app, made, "2028-01-14T09:00:00")
    assert [day for day, _ in subjects(app, made)] == ["2027-12-16", "2028-01-08"]


@pytest.mark.parametrize("scenario", ["enterprise", "third-party"])
def test_what_somebody_else_bills_goes_on_without_a_payment(app: Flask, scenario: str) -> None:
    made = scenarios.make(scenario)
    tile = until(app, made, "2029-03-01T09:00:00")
    assert tile["status"] == "active"
    assert charges(app, made) == []


def test_the_end_of_the_month_comes_back(app: Flask) -> None:
    made = scenarios.make("month-end")
    tile = until(app, made, "2027-05-05T09:00:00")
    starts = [period["start"] for period in tile["periods"]][-4:]  # type: ignore[attr-defined]
    assert starts == ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"]


def test_one_bad_subscription_does_not_stop_the_others(app: Flask, business: Made) -> None:
    from webapp.models.subscriptions import SubscriptionRow

    other = scenarios.make("business")
    with transaction() as session:  # a price list that cannot be read
        from webapp.models.prices import PriceList

        bad = PriceList(id="bad", currency="EUR", rows=[[5, 1]])
        session.add(bad)
        session.flush()
        session.execute(
            update(SubscriptionRow).where(SubscriptionRow.id == subscription(other)).values(price_list_id="bad")
        )
    for made in (business, other):
        from webapp.sandbox.clock import set_clock

        set_clock(made.account, made.now.replace(month=2, day=15))
    assert sweep.sweep() == 1
    assert state(app, business)["subscriptions"][0]["period_start"] == "2027-02-15"


def automatic_quote() -> str:
    return db.session.scalars(select(Quote.id).where(Quote.automatic)).one()


def test_what_the_owner_tries_with_the_quote_of_the_sweep_is_none_of_its_attempts(app: Flask, business: Made) -> None:
    post(app, f"/{business.account}/gateway", next="decline")
    until(app, business, "2027-02-15T00:05:00")
    post(app, f"/{business.account}/gateway", next="decline")
    assert pay(app, business, automatic_quote(), 2) == "declined"
    assert loading.load(business.account, subscription(business)).facts.refused == 1


def test_a_challenge_of_the_sweep_that_the_owner_gives_up_is_a_refusal(app: Flask, business: Made) -> None:
    post(app, f"/{business.account}/gateway", next="challenge")
    until(app, business, "2027-02-15T00:05:00")
    payments.abandon(business.account, subscription(business), automatic_quote())
    assert until(app, business, "2027-02-15T00:10:00")["status"] == "past_due"
    assert charges(app, business) == [(42_480, "declined")]
