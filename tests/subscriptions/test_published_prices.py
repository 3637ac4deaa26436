"""Prices that are published from a day on: a period is sold at the prices of its first day."""

import json
from collections.abc import Callable
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask, current_app
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from tests.support.world import dump, pay, post, quoted, signed_in, state, statements, subscription
from webapp.db import db, new_id, transaction
from webapp.domain.pricing import PRICE_NOTICE
from webapp.domain.refusals import QuoteMoved
from webapp.models.mail import Message
from webapp.models.prices import LaterPrices, PriceList, Publication
from webapp.purchases import quotes
from webapp.renewals import sweep
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCard
from webapp.subscriptions import loading, prices, service, summary
from webapp.subscriptions.cost import cost, cost_of

pytestmark = pytest.mark.service
PRODUCT = "Qlik Sense Business"
DEARER = [[10, 4000], [25, 3000], [None, 2500]]  # the sandbox's tiers begin with 3000 and 2700
OLD, NEW = 10 * 3000 + 2 * 2700, 10 * 4000 + 2 * 3000  # cents a month for 12 seats
BOUNDARY = "2027-02-15"  # of the next period of `business`, 31 days after the scenario's day


@pytest.fixture
def publish(tmp_path: Path) -> Callable[..., Result]:
    def run(made: Made, day: str, tiers: Any = DEARER, **given: Any) -> Result:
        file = tmp_path / "prices.json"
        file.write_text(json.dumps({"product": PRODUCT, "currency": "EUR", "tiers": tiers} | given))
        return support("publish-prices", str(file), "--from", day, "--account", made.account)

    return run


def support(*arguments: str) -> Result:
    db.session.rollback()
    result = current_app.test_cli_runner().invoke(args=["support", *arguments, "--as", "Jeanne"])
    db.session.rollback()
    db.session.expire_all()
    return result


def published(publish: Callable[..., Result], made: Made, day: str, **given: Any) -> None:
    result = publish(made, day, **given)
    assert result.exit_code == 0, result.output


def invoice(app: Flask, made: Made) -> Any:
    return state(app, made)["invoices"][-1]


def nets(app: Flask, made: Made) -> list[int]:
    """Of the invoices that the sandbox did not make as the past."""
    return [one["net"] for one in state(app, made)["invoices"] if one["issued_on"] > "2027-01-15"]


def total(net: int) -> int:
    return net + net // 5


@pytest.mark.parametrize(
    ("day", "net"), [("2027-02-14", NEW), (BOUNDARY, NEW), ("2027-02-16", OLD)], ids=["before", "on", "after"]
)
def test_the_sweep_charges_the_prices_of_the_first_day(
    app: Flask, business: Made, publish: Callable[..., Result], day: str, net: int
) -> None:
    published(publish, business, day)
    assert summary.summary(loading.load(business.account, subscription(business))).next_total.amount == total(net)
    post(app, f"/{business.account}/clock", to=f"{BOUNDARY}T08:00:00")
    assert nets(app, business) == [net]
    post(app, f"/{business.account}/clock", to="2027-03-15T08:00:00")
    assert nets(app, business) == [net, NEW]


def test_an_annual_term_keeps_its_prices_to_its_end(app: Flask, publish: Callable[..., Result]) -> None:
    made = scenarios.make("business-annual")
    published(publish, made, "2027-03-01")
    post(app, f"/{made.account}/clock", to="2027-03-02T08:00:00")
    with app.test_request_context():
        quote = quotes.quote_addition(made.account, subscription(made), 13)
        row = quotes.load_quote(made.account, subscription(made), quote)
        assert row.lines[0]["monthly"] == 2700, "a seat is added at the prices of the period"
    post(app, f"/{made.account}/clock", to="2028-01-15T08:00:00")
    assert nets(app, made) == [12 * NEW]


def test_seats_of_a_period_at_new_prices_are_added_at_them(
    app: Flask, business: Made, publish: Callable[..., Result]
) -> None:
    published(publish, business, BOUNDARY)
    post(app, f"/{business.account}/clock", to="2027-02-20T08:00:00")
    with app.test_request_context():
        quote = quotes.quote_addition(business.account, subscription(business), 13)
        (line,) = quotes.load_quote(business.account, subscription(business), quote).lines
    assert (line["monthly"], line["days_left"], line["days"]) == (3000, 23, 28)
    assert line["amount"] == (3000 * 23 * 2 + 28) // 56


def test_what_is_paid_ahead_keeps_its_prices(app: Flask, publish: Callable[..., Result]) -> None:
    made = scenarios.make("business-renewed")
    published(publish, made, BOUNDARY)
    with app.test_request_context():
        quote = quotes.quote_addition(made.account, subscription(made), 13)
        lines = quotes.load_quote(made.account, subscription(made), quote).lines
    assert [line["monthly"] for line in lines] == [2700, 2700], "the present period and the one paid ahead"
    post(app, f"/{made.account}/clock", to="2027-03-15T08:00:00")
    assert nets(app, made) == [NEW]


def test_renewing_before_the_day_pays_the_prices_of_the_period(
    app: Flask, business: Made, publish: Callable[..., Result]
) -> None:
    published(publish, business, BOUNDARY)
    assert pay(app, business, quoted(app, business, 12)) == "captured"
    assert invoice(app, business)["net"] == NEW


def test_a_quote_of_the_day_before_is_charged_as_it_was_shown(
    app: Flask, business: Made, publish: Callable[..., Result]
) -> None:
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


def test_a_quote_before_the_telling_is_asked_again(app: Flask, business: Made, publish: Callable[..., Result]) -> None:
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
    app: Flask, business: Made, publish: Callable[..., Result]
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


def test_both_readings_of_the_cost_agree_with_the_quote(
    app: Flask, business: Made, publish: Callable[..., Result]
) -> None:
    for day, monthly in (("2027-02-16", OLD), (BOUNDARY, NEW)):
        published(publish, business, day)
        loaded = loading.load(business.account, subscription(business))
        with statements() as asked:
            shown = cost(business.account, subscription(business), 12)
        assert len(asked) == 1
        assert shown == cost_of(loaded, 12, loaded.facts.last_paid)
        quote = quotes.draft(loaded, "renewal", 12, loaded.account.local(scenarios.START.astimezone()))
        assert (shown.monthly, shown.due.net, quote.net) == (monthly, monthly, monthly)


def test_fewer_seats_are_priced_as_the_first_unpaid_period(
    app: Flask, business: Made, publish: Callable[..., Result]
) -> None:
    published(publish, business, BOUNDARY)
    preview = service.preview_reduction(loading.load(business.account, subscription(business)), 10)
    assert (preview.cost, preview.saved) == (40_000, NEW - 40_000)


class TestTelling:
    def test_it_tells_old_and_new_price_once_in_the_readers_language(
        self, app: Flask, business: Made, publish: Callable[..., Result]
    ) -> None:
        published(publish, business, "2027-02-20")
        (mail,) = state(app, business)["messages"]
        for told in ("À compter du 15 mars 2027", "460,00", "354,00", "12 licences"):
            assert told in mail["text"].replace("\u00a0", " "), told
        again = publish(business, "2027-02-20")
        assert "0 subscriptions were told of the prices from 2027-02-20, 1 knew already." in again.output
        assert len(state(app, business)["messages"]) == 1

    def test_the_pages_tell_it(self, app: Flask, business: Made, publish: Callable[..., Result]) -> None:
        published(publish, business, "2027-02-20")
        client, here = signed_in(app, business), f"/subscriptions/{subscription(business)}"
        sentence = "New prices from 15 March 2027: €460.00 a month before tax instead of €354.00."
        for path in ("/subscriptions", here):
            assert sentence in " ".join(client.get(path).text.split()), path
        assert "The amounts below are at the prices until then." in client.get(f"{here}/renew").text
        assert "New prices" not in client.get(f"{here}/add").text
        post(app, f"/{business.account}/clock", to="2027-02-15T08:00:00")
        assert "The amounts below are at them already." in client.get(f"{here}/renew").text
        post(app, f"/{business.account}/clock", to="2027-03-15T08:00:00")
        assert "New prices from" not in client.get(here).text

    def test_too_early_is_refused_with_the_earliest_day(
        self, app: Flask, business: Made, publish: Callable[..., Result]
    ) -> None:
        before = dump()
        result = publish(business, "2027-02-13")
        assert f"told {PRICE_NOTICE.days} days before: 2027-02-14 is the earliest day." in result.output
        assert (result.exit_code, dump() == before) == (1, True)
        assert publish(business, "2027-02-14").exit_code == 0

    @pytest.mark.parametrize(
        ("given", "faults"),
        [
            ({"tiers": []}, ["tiers: there is no tier"]),
            ({"tiers": [[10, -1], [5, 0], [None, 10]]}, ["tier 1 costs -1", "tier 2 costs 0", "tier 2 ends at 5"]),
            ({"tiers": [[10, 3000]]}, ["tier 1 ends at 10 seats, and more have no price"]),
            ({"tiers": [[None, 3000], [10, 20]]}, ["tier 1 has no limit", "tier 2 ends at 10"]),
            ({"tiers": [[10, 30.5]]}, ["write a list of"]),
            ({"tiers": "x", "currency": "XXX", "product": ""}, ["product: ", "currency: XXX", "write a list of"]),
            ({"tiers": [[None, 3000]], "currency": "USD"}, ["Nobody has bought"]),
            ({"tiers": [[None, 3000]], "product": "Qlik"}, ["Nobody has bought Qlik in EUR"]),
            ({"more": 1}, ["is to be an object with product, currency and tiers"]),
        ],
    )
    def test_a_bad_file_is_refused_with_each_fault(
        self, app: Flask, business: Made, publish: Callable[..., Result], given: Any, faults: list[str]
    ) -> None:
        before = dump()
        result = publish(business, "2027-03-01", **given)
        for fault in faults:
            assert fault in result.output
        assert "Nothing was changed." in result.output
        assert (result.exit_code, dump() == before) == (1, True)

    def test_others_from_the_same_day_are_refused(
        self, app: Flask, business: Made, publish: Callable[..., Result]
    ) -> None:
        published(publish, business, "2027-02-20")
        result = publish(business, "2027-02-20", tiers=[[None, 1]])
        assert (result.exit_code, "withdraw them first" in result.output) == (1, True)

    def test_another_account_and_an_unwilling_reader_are_not_told(
        self, app: Flask, business: Made, publish: Callable[..., Result]
    ) -> None:
        other = scenarios.make("business")
        published(publish, business, "2027-02-20")
        assert state(app, other)["messages"] == []
        assert loading.load(other.account, subscription(other)).later_prices == []

    def test_in_the_sandbox_an_account_is_named(self, app: Flask, business: Made, tmp_path: Path) -> None:
        file = tmp_path / "prices.json"
        file.write_text(json.dumps({"product": PRODUCT, "currency": "EUR", "tiers": DEARER}))
        result = support("publish-prices", str(file), "--from", "2027-02-20")
        assert (result.exit_code, "name one with --account" in result.output) == (1, True)

    def test_killed_it_goes_on_where_it_was_and_nobody_is_told_too_late(
        self, app: Flask, publish: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = scenarios.make("business")
        monkeypatch.setattr(prices, "tell", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert publish(made, "2027-02-14").exit_code == 1
        monkeypatch.undo()
        assert state(app, made)["messages"] == []
        post(app, f"/{made.account}/clock", to="2027-01-20T08:00:00")
        published(publish, made, "2027-02-14")
        (row,) = db.session.scalars(select(LaterPrices))
        assert (row.told_on, row.valid_from) == (date(2027, 1, 20), date(2027, 2, 19))
        post(app, f"/{made.account}/clock", to="2027-02-15T08:00:00")
        assert nets(app, made) == [OLD], "they were told too late for this period"

    def test_a_second_list_of_one_day_is_refused_by_the_schema(
        self, app: Flask, business: Made, publish: Callable[..., Result]
    ) -> None:
        published(publish, business, "2027-02-20")
        (row,) = db.session.scalars(select(LaterPrices))
        copied = {name: getattr(row, name) for name in ("account_id", "subscription_id", "price_list_id")}
        wrong = (
            [LaterPrices(**copied, valid_from=row.valid_from, told_on=row.told_on)],
            [LaterPrices(**copied, valid_from=date(2027, 5, 1), told_on=row.told_on)],
            [PriceList(id=new_id(), currency="EUR", rows=[[None, -1]])],
        )
        db.session.expunge_all()
        for rows in wrong:
            with pytest.raises(IntegrityError), transaction() as session:
                session.add_all(rows)


class TestWithdrawing:
    def test_who_was_told_is_told_again_once(self, app: Flask, business: Made, publish: Callable[..., Result]) -> None:
        published(publish, business, "2027-02-20")
        for told in (1, 0):
            result = support("withdraw-prices", PRODUCT, "--from", "2027-02-20", "--account", business.account)
            assert f"are withdrawn: {told} subscriptions were told." in result.output
        first, second = state(app, business)["messages"]
        assert "ne s’appliquera pas" in second["text"]
        assert first != second
        post(app, f"/{business.account}/clock", to="2027-03-15T08:00:00")
        assert nets(app, business) == [OLD, OLD]
        row = db.session.scalars(select(Publication)).one()
        assert (row.withdrawn_by, row.published_by) == ("Jeanne (support)", "Jeanne (support)")

    def test_published_again_it_is_told_again(self, app: Flask, business: Made, publish: Callable[..., Result]) -> None:
        published(publish, business, "2027-02-20")
        support("withdraw-prices", PRODUCT, "--from", "2027-02-20", "--account", business.account)
        published(publish, business, "2027-02-20")
        assert db.session.scalar(select(func.count()).select_from(Message)) == 3

    def test_prices_that_apply_stay(self, app: Flask, business: Made, publish: Callable[..., Result]) -> None:
        published(publish, business, "2027-02-20")
        post(app, f"/{business.account}/clock", to="2027-02-20T00:00:00")
        result = support("withdraw-prices", PRODUCT, "--from", "2027-02-20", "--account", business.account)
        assert (result.exit_code, "apply since 2027-02-20" in result.output) == (1, True)
        assert len(loading.load(business.account, subscription(business)).later_prices) == 1

    def test_who_paid_at_them_already_is_named(
        self, app: Flask, business: Made, publish: Callable[..., Result]
    ) -> None:
        published(publish, business, BOUNDARY)
        pay(app, business, quoted(app, business, 12))
        result = support("withdraw-prices", PRODUCT, "--from", BOUNDARY, "--account", business.account)
        assert f"Account {business.account} has paid a period at them" in result.output
        assert db.session.scalars(select(LaterPrices)).all() == []

    def test_unknown_ones_are_refused(self, app: Flask, business: Made) -> None:
        result = support("withdraw-prices", PRODUCT, "--from", BOUNDARY, "--account", business.account)
        assert (result.exit_code, "No prices of" in result.output) == (1, True)


def test_removing_the_account_of_a_tester_removes_them(
    app: Flask, business: Made, publish: Callable[..., Result]
) -> None:
    published(publish, business, "2027-02-20")
    assert sweep.sweep() == 0
    from webapp.models.accounts import Account
    from webapp.sandbox.removal import remove_account

    remove_account(db.session.get_one(Account, business.account))
    for table in (Publication, LaterPrices, PriceList):
        assert db.session.scalars(select(table)).all() == []
