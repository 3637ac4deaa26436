"""Days begin and end at midnight in the account's time zone, also on the nights when clocks change.

The machine's time is fixed in these tests, so that instants are exact; expectations are in UTC, counted by hand.
"""

from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from tests.support.world import pay, post, stored, subscription
from webapp.db import db
from webapp.domain.refusals import QuoteMoved
from webapp.models.accounts import Account
from webapp.models.invoices import Invoice
from webapp.models.purchases import Payment, Quote
from webapp.ports import ports
from webapp.purchases import quotes
from webapp.renewals import sweep
from webapp.sandbox import clock, scenarios
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import loading

INSTANT = timedelta(microseconds=1)


@pytest.fixture(autouse=True)
def _the_machine_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime(2026, 6, 1, tzinfo=UTC)
    for reader in (clock, scenarios):
        monkeypatch.setattr(reader, "machine_now", lambda: at)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sweep_at(made: Made, to: datetime) -> int:
    """Sweeps at exactly this instant; returns how many subscriptions failed."""
    clock.set_clock(made.account, to)
    return sweep.sweep(made.account)


def paid(made: Made) -> list[tuple[str, date]]:
    """The payments so far, with the day of each invoice."""
    db.session.rollback()
    query = select(Payment.state, Invoice.issued_on).join(Invoice, Invoice.payment_key == Payment.key)
    rows = db.session.execute(query.where(Invoice.account_id == made.account).order_by(Invoice.number))
    return [(state, issued_on) for state, issued_on in rows]


MIDNIGHTS = [  # zone, a day of the account's, the boundary a month later, its instant, the date there at that instant
    ("Europe/Paris", "2027-01-15", "2027-02-15", "2027-02-14T23:00", "2027-02-15"),
    ("Europe/Paris", "2028-02-26", "2028-03-26", "2028-03-25T23:00", "2028-03-26"),  # opens a day of 23 hours
    ("Europe/Paris", "2028-02-27", "2028-03-27", "2028-03-26T22:00", "2028-03-27"),  # closes it
    ("Europe/Paris", "2028-09-29", "2028-10-29", "2028-10-28T22:00", "2028-10-29"),  # opens a day of 25 hours
    ("Europe/Paris", "2028-09-30", "2028-10-30", "2028-10-29T23:00", "2028-10-30"),  # closes it
    ("Pacific/Pago_Pago", "2027-01-15", "2027-02-15", "2027-02-15T11:00", "2027-02-15"),
    ("Pacific/Niue", "2027-12-01", "2028-01-01", "2028-01-01T11:00", "2028-01-01"),
    ("Pacific/Kiritimati", "2027-01-15", "2027-02-15", "2027-02-14T10:00", "2027-02-15"),
    ("Pacific/Kiritimati", "2027-12-01", "2028-01-01", "2027-12-31T10:00", "2028-01-01"),
    ("Asia/Kathmandu", "2027-01-15", "2027-02-15", "2027-02-14T18:15", "2027-02-15"),
    ("America/Santiago", "2028-08-03", "2028-09-03", "2028-09-03T04:00", "2028-09-03"),  # a day that begins at 01:00
    ("America/Santiago", "2028-03-02", "2028-04-02", "2028-04-02T04:00", "2028-04-02"),  # 23:00 comes twice before
    ("Pacific/Apia", "2011-11-30", "2011-12-30", "2011-12-30T10:00", "2011-12-31"),  # a day that was left out
]


@pytest.mark.parametrize(("zone", "day", "boundary", "instant", "issued_on"), MIDNIGHTS)
def test_it_renews_itself_at_local_midnight_and_not_an_instant_before(
    app: Flask, zone: str, day: str, boundary: str, instant: str, issued_on: str
) -> None:
    made = scenarios.make("business", datetime.fromisoformat(f"{day}T09:00"), zone)
    assert sweep_at(made, utc(instant) - INSTANT) == 0
    assert paid(made) == []
    assert sweep_at(made, utc(instant)) == 0
    assert paid(made) == [("captured", date.fromisoformat(issued_on))]
    facts = loading.load(made.account, subscription(made)).facts
    assert facts.period(facts.last_paid).start == date.fromisoformat(boundary)


@pytest.mark.parametrize(("zone", "day", "_", "instant", "issued_on"), MIDNIGHTS)
def test_a_clock_that_is_moved_past_midnight_stops_there(
    app: Flask, zone: str, day: str, _: str, instant: str, issued_on: str
) -> None:
    made = scenarios.make("business", datetime.fromisoformat(f"{day}T09:00"), zone)
    post(app, f"/{made.account}/clock", to=(utc(instant) + timedelta(hours=36)).isoformat())
    assert paid(made) == [("captured", date.fromisoformat(issued_on))]
    assert [payment.created_at for payment in db.session.scalars(select(Payment))] == [utc(instant)]


def quote(made: Made, kind: str) -> Quote:
    ask = quotes.quote_renewal if kind == "renewal" else quotes.quote_addition
    key = ask(made.account, subscription(made), 14)
    quotes.choose_card(made.account, subscription(made), key, made.cards[0])
    return stored(Quote, key)


QUOTES = [  # zone, kind, instant of the quote, instant from which it is over
    ("Europe/Paris", "renewal", "2028-06-01T10:00", "2028-06-01T10:30"),
    ("Europe/Paris", "renewal", "2028-06-01T21:45", "2028-06-01T22:15"),  # across midnight: a whole period's price
    ("Europe/Paris", "addition", "2028-06-01T21:30", "2028-06-01T22:00"),
    ("Europe/Paris", "addition", "2028-06-01T21:45", "2028-06-01T22:00"),  # midnight
    ("Europe/Paris", "addition", "2028-03-26T00:45", "2028-03-26T01:15"),  # 01:45, then 03:15
    ("Europe/Paris", "addition", "2028-03-25T22:50", "2028-03-25T23:00"),  # the midnight that opens the short day
    ("Europe/Paris", "addition", "2028-03-26T21:50", "2028-03-26T22:00"),  # the one that closes it
    ("Europe/Paris", "addition", "2028-10-29T00:10", "2028-10-29T00:40"),  # 02:10 for the first time
    ("Europe/Paris", "addition", "2028-10-29T00:50", "2028-10-29T01:20"),  # 02:50, then 02:20 again
    ("Europe/Paris", "addition", "2028-10-29T01:10", "2028-10-29T01:40"),  # 02:10 for the second time
    ("Europe/Paris", "addition", "2028-10-29T01:50", "2028-10-29T02:20"),  # 02:50 for the second time, then 03:20
    ("Europe/Paris", "addition", "2028-10-28T21:50", "2028-10-28T22:00"),  # the midnight that opens the long day
    ("Europe/Paris", "addition", "2028-10-29T22:50", "2028-10-29T23:00"),  # the one that closes it
    ("Europe/Paris", "renewal", "2028-10-29T00:50", "2028-10-29T01:20"),
    ("Pacific/Pago_Pago", "addition", "2028-06-02T10:45", "2028-06-02T11:00"),
    ("Pacific/Kiritimati", "addition", "2028-06-01T09:45", "2028-06-01T10:00"),
    ("Pacific/Kiritimati", "addition", "2028-06-01T23:45", "2028-06-02T00:15"),  # midnight in London is noon and more
    ("America/Santiago", "addition", "2028-09-03T03:50", "2028-09-03T04:00"),  # the midnight that is not there
    ("America/Santiago", "addition", "2028-04-02T02:50", "2028-04-02T03:20"),  # 23:50 for the first time
    ("America/Santiago", "addition", "2028-04-02T03:50", "2028-04-02T04:00"),  # 23:50 for the second time
]


@pytest.mark.parametrize(("zone", "kind", "asked", "over"), QUOTES)
def test_a_quote_is_over_after_half_an_hour_and_an_addition_at_midnight_at_the_latest(
    app: Flask, zone: str, kind: str, asked: str, over: str
) -> None:
    made = scenarios.make("business", utc(asked), zone)
    bought = quote(made, kind)
    key = bought.id
    assert bought.expires_at == utc(over)
    clock.set_clock(made.account, utc(over))
    with pytest.raises(QuoteMoved) as moved:
        pay(app, made, key)
    assert moved.value.changes["expires_at"][0] == utc(over)
    assert paid(made) == []


@pytest.mark.parametrize(("zone", "kind", "asked", "over"), QUOTES)
def test_a_quote_is_good_until_its_last_instant_and_the_invoice_is_of_that_day(
    app: Flask, zone: str, kind: str, asked: str, over: str
) -> None:
    made = scenarios.make("business", utc(asked), zone)
    key = quote(made, kind).id
    clock.set_clock(made.account, utc(over) - INSTANT)
    assert pay(app, made, key) == "captured"
    account = db.session.get_one(Account, made.account)
    assert paid(made) == [("captured", ports().clock.now(account).date())]


@pytest.mark.parametrize(
    ("zone", "instant", "day", "year"),
    [
        ("Pacific/Pago_Pago", "2028-01-01T10:59:59", "2027-12-31", 2027),
        ("Pacific/Pago_Pago", "2028-01-01T11:00:00", "2028-01-01", 2028),
        ("Pacific/Kiritimati", "2027-12-31T09:59:59", "2027-12-31", 2027),
        ("Pacific/Kiritimati", "2027-12-31T10:00:00", "2028-01-01", 2028),
        ("Europe/Paris", "2027-12-31T22:59:59", "2027-12-31", 2027),
        ("Europe/Paris", "2027-12-31T23:00:00", "2028-01-01", 2028),
    ],
)
def test_an_invoices_date_and_the_year_of_its_number_are_local(
    app: Flask, zone: str, instant: str, day: str, year: int
) -> None:
    made = scenarios.make("business", utc(instant), zone)
    assert pay(app, made, quote(made, "renewal").id) == "captured"
    assert paid(made) == [("captured", date.fromisoformat(day))]
    numbers = db.session.scalars(select(Invoice.number).where(Invoice.payment_key.is_not(None))).all()
    assert [number.split("-")[1] for number in numbers] == [str(year)]


@pytest.mark.parametrize(
    ("asked", "days_left"),
    [
        ("2028-03-25T22:59", 15),  # 25 March at 23:59
        ("2028-03-25T23:00", 14),
        ("2028-03-26T21:59", 14),  # an hour less, and still one day
        ("2028-03-26T22:00", 13),
        ("2028-10-28T22:00", 16),
        ("2028-10-29T22:59", 16),  # an hour more
        ("2028-10-29T23:00", 15),
    ],
)
def test_a_day_counts_as_one_whatever_its_hours(app: Flask, asked: str, days_left: int) -> None:
    start = {3: "2028-03-09T09:00", 10: "2028-10-14T09:00"}[utc(asked).month]
    made = scenarios.make("business", datetime.fromisoformat(start))
    clock.set_clock(made.account, utc(asked))
    assert [line["days_left"] for line in quote(made, "addition").lines] == [days_left]
