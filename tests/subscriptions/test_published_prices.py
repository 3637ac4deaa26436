"""Prices that are published from a day on: a period is sold at the prices of its first day."""

from datetime import date
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from tests.support.prices import BOUNDARY, DEARER, NEW, OLD, Publish, nets, published, support
from tests.support.world import pay, post, quoted, signed_in, state, statements, subscription
from webapp.db import db, new_id, transaction
from webapp.domain.refusals import QuoteMoved
from webapp.models.prices import LaterPrices, PriceList
from webapp.purchases import quotes
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCard
from webapp.subscriptions import loading, service, summary
from webapp.subscriptions.cost import cost, cost_of

pytestmark = pytest.mark.service


def invoice(app: Flask, made: Made) -> Any:
    return state(app, made)["invoices"][-1]


def total(net: int) -> int:
    return net + net // 5


@pytest.mark.parametrize(
    ("day", "net"), [("2027-02-14", NEW), (BOUNDARY, NEW), ("2027-02-16", OLD)], ids=["before", "on", "after"]
)
def test_the_sweep_charges_the_prices_of_the_first_day(
    app: Flask, business: Made, publish: Publish, day: str, net: int
) -> None:
    published(publish, business, day)
    assert summary.summary(loading.load(business.account, subscription(business))).next_total.amount == total(net)
    post(app, f"/{business.account}/clock", to=f"{BOUNDARY}T08:00:00")
    assert nets(app, business) == [net]
    post(app, f"/{business.account}/clock", to="2027-03-15T08:00:00")
    assert nets(app, business) == [net, NEW]


def test_an_annual_term_keeps_its_prices_to_its_end(app: Flask, publish: Publish) -> None:
    made = scenarios.make("business-annual")
    published(publish, made, "2027-03-01")
    post(app, f"/{made.account}/clock", to="2027-03-02T08:00:00")
    with app.test_request_context():
        quote = quotes.quote_addition(made.account, subscription(made), 13)
        row = quotes.load_quote(made.account, subscription(made), quote)
        assert row.lines[0]["monthly"] == 2700, "a seat is added at the prices of the period"
    post(app, f"/{made.account}/clock", to="2028-01-15T08:00:00")
    assert nets(app, made) == [12 * NEW]


def test_seats_of_a_period_at_new_prices_are_added_at_them(app: Flask, business: Made, publish: Publish) -> None:
    published(publish, business, BOUNDARY)
    post(app, f"/{business.account}/clock", to="2027-02-20T08:00:00")
    with app.test_request_context():
        quote = quotes.quote_addition(business.account, subscription(business), 13)
        (line,) = quotes.load_quote(business.account, subscription(business), quote).lines
    assert (line["monthly"], line["days_left"], line["days"]) == (3000, 23, 28)
    assert line["amount"] == (3000 * 23 * 2 + 28) // 56


def test_what_is_paid_ahead_keeps_its_prices(app: Flask, publish: Publish) -> None:
    made = scenarios.make("business-renewed")
    published(publish, made, BOUNDARY)
    with app.test_request_context():
        quote = quotes.quote_addition(made.account, subscription(made), 13)
        lines = quotes.load_quote(made.account, subscription(made), quote).lines
    assert [line["monthly"] for line in lines] == [2700, 2700], "the present period and the one paid ahead"
    post(app, f"/{made.account}/clock", to="2027-03-15T08:00:00")
    assert nets(app, made) == [NEW]


def test_renewing_before_the_day_pays_the_prices_of_the_period(app: Flask, business: Made, publish: Publish) -> None:
    published(publish, business, BOUNDARY)
    assert pay(app, business, quoted(app, business, 12)) == "captured"
    assert invoice(app, business)["net"] == NEW


def test_a_quote_of_the_day_before_is_charged_as_it_was_shown(app: Flask, business: Made, publish: Publish) -> None:
    published(publish, business, "2027-02-14")
    with transaction() as session:
        session.execute(update(SandboxCard).values(behaviour="card_declined"))
    post(app, f"/{business.account}/clock", to="2027-02-13T23:50:00")
    quote = quoted(app, business, 12)
    shown = quotes.load_quote(business.account, subscription(business), quote).total
    with transaction() as session:
        session.execute(update(SandboxCard).values(behaviour="accepted"))
    post(app, f"/{business.account}/clock", to="2027-02-14T00:05:00")
    assert pay(app, business, quote) == "captured"
    assert (invoice(app, business)["total"], shown) == (total(NEW), total(NEW))


def test_a_quote_before_the_telling_is_asked_again(app: Flask, business: Made, publish: Publish) -> None:
    quote = quoted(app, business, 12)
    published(publish, business, BOUNDARY)
    with pytest.raises(QuoteMoved):
        pay(app, business, quote)
    assert state(app, business)["payments"] == []


def told_before(made: Made, day: date) -> None:
    """The customer was told in December of prices that apply from that day on."""
    with transaction() as session:
        other = PriceList(id=new_id(), currency="EUR", rows=DEARER)
        session.add(other)
        session.flush()
        session.add(
            LaterPrices(
                account_id=made.account,
                subscription_id=subscription(made),
                valid_from=day,
                price_list_id=other.id,
                told_on=date(2026, 12, 1),
            )
        )


@pytest.mark.parametrize(
    ("day", "now", "monthly"),
    [("2027-02-05", "2027-02-04", OLD), ("2027-02-05", "2027-02-05", NEW), ("2027-02-06", "2027-02-08", OLD)],
)
def test_a_lapsed_one_pays_the_prices_of_the_first_day_of_the_period(
    app: Flask, day: str, now: str, monthly: int
) -> None:
    """Its periods begin on the fifth. The first unpaid one began in January."""
    made = scenarios.make("business-lapsed")
    told_before(made, date.fromisoformat(day))
    with transaction() as session:
        session.execute(update(SandboxCard).values(behaviour="accepted"))
    post(app, f"/{made.account}/clock", to=f"{now}T09:00:00")
    client, here = signed_in(app, made), f"/subscriptions/{subscription(made)}/renew"
    page = client.get(here).text
    address = unescape(page.split('hx-get="')[1].split('"')[0])
    fragment = client.get(f"{address}&seats=12", headers={"HX-Request": "true", "HX-Request-Type": "partial"}).text
    shown = f"€{monthly / 100:.2f}"
    assert (shown in page.split('id="cost"')[1], shown in fragment) == (True, True)
    quote = quoted(app, made, 12)
    (line,) = quotes.load_quote(made.account, subscription(made), quote).lines
    assert (line["kind"], line["monthly"]) == ("proration", monthly)
    assert pay(app, made, quote) == "captured"
    assert invoice(app, made)["net"] == line["amount"]


def test_invoices_show_the_prices_of_their_period_and_a_credit_is_of_them(
    app: Flask, business: Made, publish: Publish
) -> None:
    published(publish, business, "2027-02-20")
    post(app, f"/{business.account}/clock", to="2027-03-16T08:00:00")
    old, new = state(app, business)["invoices"][-2:]
    for one, first, second in ((old, 3000, 2700), (new, 4000, 3000)):
        tiers = [(line["first"], line["last"], line["unit"]) for line in _lines(business, one["number"])]
        assert tiers == [(1, 10, first), (11, 12, second)]
    result = support("credit", business.account, old["number"], "--reason", "A gesture")
    assert result.exit_code == 0, result.output
    note = invoice(app, business)
    assert (note["kind"], note["total"]) == ("credit_note", total(OLD))


def _lines(made: Made, number: str) -> Any:
    from webapp.models.invoices import Invoice

    row = db.session.scalars(select(Invoice).where(Invoice.account_id == made.account, Invoice.number == number)).one()
    return row.snapshot["lines"]


def test_both_readings_of_the_cost_agree_with_the_quote(app: Flask, business: Made, publish: Publish) -> None:
    for day, monthly in (("2027-02-16", OLD), (BOUNDARY, NEW)):
        published(publish, business, day)
        loaded = loading.load(business.account, subscription(business))
        with statements() as asked:
            shown = cost(business.account, subscription(business), 12)
        assert len(asked) == 1
        assert shown == cost_of(loaded, 12, loaded.facts.last_paid)
        quote = quotes.draft(loaded, "renewal", 12, loaded.account.local(scenarios.START.astimezone()))
        assert (shown.monthly, shown.due.net, quote.net) == (monthly, monthly, monthly)


def test_fewer_seats_are_priced_as_the_first_unpaid_period(app: Flask, business: Made, publish: Publish) -> None:
    published(publish, business, BOUNDARY)
    preview = service.preview_reduction(loading.load(business.account, subscription(business)), 10)
    assert (preview.cost, preview.saved) == (40_000, NEW - 40_000)
