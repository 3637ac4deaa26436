"""The active users of each day: how they are counted, what the page shows, and the suggestion of fewer seats."""

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import delete, select, update

from tests.support.world import post, signed_in, state, subscription, words
from webapp.db import NotFound, db, transaction
from webapp.domain import right_sizing
from webapp.domain.refusals import PlanForbids
from webapp.models.subscriptions import ActiveUsersOfDay, SubscriptionRow
from webapp.ports import ActiveUsers
from webapp.purchases import quotes
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import COUNTED_DAYS, SCENARIOS, Made
from webapp.subscriptions import active_users, loading, seat_use
from webapp.subscriptions.seat_use import Month, Stretch

pytestmark = pytest.mark.service
PARIS = ZoneInfo("Europe/Paris")
TODAY = date(2027, 1, 15)


def by_day(made: Made) -> dict[date, int]:
    db.session.rollback()
    query = select(ActiveUsersOfDay.day, ActiveUsersOfDay.active).where(
        ActiveUsersOfDay.account_id == made.account, ActiveUsersOfDay.subscription_id == subscription(made)
    )
    return {row.day: row.active for row in db.session.execute(query.order_by(ActiveUsersOfDay.day))}


def forget(made: Made, since: date = date(2000, 1, 1)) -> None:
    with transaction() as session:
        mine = ActiveUsersOfDay.account_id == made.account, ActiveUsersOfDay.day >= since
        session.execute(delete(ActiveUsersOfDay).where(*mine))


def count(made: Made, active: int, at: datetime) -> None:
    with transaction():
        active_users.store_count(loading.load(made.account, subscription(made)), ActiveUsers(active, at))


def page(app: Flask, made: Made, locale: str = "en") -> str:
    client = signed_in(app, made)
    client.set_cookie("locale", locale)
    answer = client.get(f"/subscriptions/{subscription(made)}")
    assert answer.status_code == 200
    return answer.text


def test_the_highest_count_of_a_day_stays_and_the_newest_is_the_rules(business: Made) -> None:
    noon = datetime(2027, 1, 16, 12, tzinfo=PARIS)
    for hours, active in enumerate((7, 9, 6)):
        count(business, active, noon + timedelta(hours=hours))
    assert by_day(business)[noon.date()] == 9
    assert loading.load(business.account, subscription(business)).active_users == 6


@pytest.mark.parametrize(("zone", "day"), [("Europe/Paris", date(2027, 2, 1)), ("America/New_York", date(2027, 1, 31))])
def test_a_day_is_one_of_the_accounts_zone(app: Flask, zone: str, day: date) -> None:
    made = scenarios.make("business", zone=zone)
    count(made, 8, datetime(2027, 1, 31, 23, 30, tzinfo=ZoneInfo("UTC")))
    assert max(by_day(made)) == day


def test_what_asks_the_tenant_counts_the_day(app: Flask, business: Made) -> None:
    forget(business)
    quotes.quote_renewal(business.account, subscription(business), 14)
    assert by_day(business) == {TODAY: 5}
    post(app, f"/{business.account}/users", active=8)
    post(app, f"/{business.account}/clock", advance="P31D")  # the sweep counts at the renewal
    assert by_day(business) == {TODAY: 5, date(2027, 2, 14): 8}, "two minutes before midnight"


def test_a_tenant_that_does_not_answer_counts_nothing(app: Flask, business: Made) -> None:
    post(app, f"/{business.account}/users", directory="down")
    before = by_day(business)
    quotes.quote_addition(business.account, subscription(business), 14)
    assert by_day(business) == before


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "enterprise"])
def test_a_scenario_has_a_plausible_past_and_nothing_else(app: Flask, name: str) -> None:
    made = scenarios.make(name)
    days = by_day(made)
    facts = loading.load(made.account, subscription(made)).facts
    assert len(days) == COUNTED_DAYS + 1
    assert (max(days), days[max(days)]) == (made.now.date(), facts.active_users)
    assert max(days.values()) <= 12
    weekends = [active for day, active in days.items() if day.isoweekday() > 5 and day != made.now.date()]
    assert max(weekends) < max(days.values())
    told = state(app, made)
    assert (told["messages"], told["gateway"]["charges"]) == ([], [])


def test_a_day_without_a_count_keeps_the_last_one(business: Made) -> None:
    day = timedelta(days=1)
    first = seat_use.since(TODAY) + day
    counts = {first + 10 * day: 5, first + 11 * day: 5, first + 40 * day: 9, TODAY: 4}
    use = seat_use.seat_use(loading.load(business.account, subscription(business)), counts, TODAY)
    assert use.active == [
        Stretch(first + 10 * day, first + 40 * day, 5),
        Stretch(first + 40 * day, TODAY, 9),
        Stretch(TODAY, TODAY + day, 4),
    ]
    assert use.paid == [Stretch(first, TODAY + day, 12)]
    assert (use.uncounted, use.suggestion) == (True, None)
    assert use.months == [
        Month(date(2026, 10, 1), 12, 5),
        Month(date(2026, 11, 1), 12, 9),
        Month(date(2026, 12, 1), 12, None),
        Month(date(2027, 1, 1), 12, 4),
    ]


@pytest.mark.parametrize("ago", [0, 1, 45, 88, 89, 90, 91, 200])
def test_the_picture_ends_with_the_subscription(app: Flask, business: Made, ago: int) -> None:
    with transaction() as session:
        ended = update(SubscriptionRow).where(SubscriptionRow.id == subscription(business))
        session.execute(ended.values(ended_on=TODAY - timedelta(days=ago)))
    shown = page(app, business)
    assert ('class="seat-use"' in shown) is (ago < 89)
    assert ("Seats and active users" in shown) is (ago < 89)


@pytest.mark.parametrize(
    ("locale", "heading", "sentence", "link", "hidden"),
    [
        (
            "en",
            "Seats and active users",
            "You had at most 7 active users in the last 90 days, for 12 seats. "
            "Reducing to 7 seats from 15 February 2027 would save €144.00 a month, before tax.",
            "Reduce to 7 seats",
            "Hide until the next period",
        ),
        (
            "fr",
            "Licences et utilisateurs actifs",
            "Vous avez eu au plus 7 utilisateurs actifs ces 90 derniers jours, pour 12 licences utilisateur. "
            "Passer à 7 licences dès le 15 février 2027 vous ferait économiser 144,00 € HT par mois.",
            "Réduire à 7 licences",
            "Masquer jusqu’à la prochaine période",
        ),
    ],
)
def test_the_page_shows_the_picture_and_says_what_fewer_seats_save(
    app: Flask, business: Made, locale: str, heading: str, sentence: str, link: str, hidden: str
) -> None:
    shown = page(app, business, locale)
    assert heading in words(shown)
    assert sentence in words(shown)
    assert f"{link} {hidden}" in words(shown)
    assert f'href="/subscriptions/{subscription(business)}/reduce?seats=7"' in shown
    assert len(re.findall(r'<path class="(?:active|paid)" d="M', shown)) == 2


@pytest.mark.parametrize(
    ("locale", "heading", "sentence"),
    [("en", "Last 70 days", "in the last 70 days"), ("fr", "70 derniers jours", "ces 70 derniers jours")],
)
def test_the_sentences_take_the_number_of_days_from_the_rule(
    app: Flask, business: Made, monkeypatch: pytest.MonkeyPatch, locale: str, heading: str, sentence: str
) -> None:
    monkeypatch.setattr(right_sizing, "WINDOW_DAYS", 70)
    shown = words(page(app, business, locale))
    assert heading in shown
    assert sentence in shown


def test_the_stepper_opens_with_the_suggested_number(app: Flask, business: Made) -> None:
    stepper = signed_in(app, business).get(f"/subscriptions/{subscription(business)}/reduce?seats=7").text
    assert re.search(r'<input[^>]*name="seats"[^>]*value="7"', stepper)


@pytest.mark.parametrize(
    ("locale", "sentence"),
    [
        ("en", "The picture begins with the first count."),
        ("fr", "Le graphique commencera au premier décompte."),
    ],
)
def test_before_the_first_count_there_is_a_sentence_and_no_picture(
    app: Flask, business: Made, locale: str, sentence: str
) -> None:
    forget(business)
    shown = page(app, business, locale)
    assert sentence in words(shown)
    assert 'class="seat-use"' not in shown


def test_a_subscription_that_others_manage_and_nobody_counted_has_no_such_part(app: Flask) -> None:
    made = scenarios.make("both")
    enterprise = signed_in(app, made).get(f"/subscriptions/{made.subscriptions['enterprise']}").text
    assert "Seats and active users" not in enterprise


@pytest.mark.parametrize(
    ("scenario", "suggested"),
    [
        ("business", True),
        ("business-annual", True),
        ("business-renewed", True),
        ("business-at-floor", False),
        ("business-reduction-pending", False),
        ("business-cancellation-pending", False),
        ("business-past-due", False),
        ("business-lapsed", False),
        ("third-party", False),
    ],
)
def test_fewer_seats_are_suggested_where_the_owner_can_ask_for_them(app: Flask, scenario: str, suggested: bool) -> None:
    assert ("Hide until the next period" in page(app, scenarios.make(scenario))) is suggested


def hide(app: Flask, made: Made, of: str, period: object) -> int:
    return signed_in(app, made).post(f"/subscriptions/{of}/hide-suggestion", data={"period": period}).status_code


def test_hidden_it_comes_back_with_the_next_period(app: Flask, business: Made) -> None:
    period = loading.load(business.account, subscription(business)).facts.last_paid
    assert hide(app, business, subscription(business), period) == 303
    assert "Hide until" not in page(app, business)
    assert 'class="seat-use"' in page(app, business)
    post(app, f"/{business.account}/clock", to="2027-02-14T23:00:00")
    assert "Hide until" not in page(app, business)
    post(app, f"/{business.account}/clock", to="2027-02-15T09:00:00")
    assert "Hide until" in page(app, business)


@pytest.mark.parametrize("period", [4, 6, "", "x", "9999999"])
def test_only_the_current_period_can_be_hidden(app: Flask, business: Made, period: object) -> None:
    assert hide(app, business, subscription(business), period) == 303
    shown = page(app, business)
    assert "Hide until" in shown
    assert "The suggestion is hidden" not in shown


def test_only_the_owner_hides_it_and_only_where_it_can_be_shown(app: Flask, business: Made) -> None:
    other = scenarios.make("both")
    assert hide(app, other, subscription(business), 5) == 404
    enterprise = str(other.subscriptions["enterprise"])
    assert hide(app, other, enterprise, 1) == 403
    with app.test_request_context():
        with pytest.raises(NotFound):
            seat_use.hide_suggestion(other.account, subscription(business), 5)
        with pytest.raises(PlanForbids):
            seat_use.hide_suggestion(other.account, enterprise, 1)
    assert loading.load(business.account, subscription(business)).suggestion_hidden is None


def test_a_stranger_hides_nothing(app: Flask, business: Made) -> None:
    app.test_client().post(f"/subscriptions/{subscription(business)}/hide-suggestion", data={"period": 5})
    assert loading.load(business.account, subscription(business)).suggestion_hidden is None
