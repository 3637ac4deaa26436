"""What the pages explain: the cost of a number, what is ahead, whether the renewal will succeed."""

import re
from datetime import date
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, update

from tests.support.world import dump, pay, post, quoted, signed_in, state, statements, subscription, words
from webapp.access import members
from webapp.db import transaction
from webapp.domain.seats import MAX_SEATS
from webapp.models.accounts import Account, Member
from webapp.models.cards import DefaultCard
from webapp.models.prices import PriceList
from webapp.models.subscriptions import SubscriptionRow
from webapp.purchases import quotes
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import service

HX = {"HX-Request": "true", "HX-Request-Type": "partial"}


def page(client: FlaskClient, made: Made, locale: str = "en", name: str = "") -> str:
    client.set_cookie("locale", locale)
    answer = client.get(f"/subscriptions/{subscription(made)}{name}")
    assert answer.status_code == 200
    return words(answer.text)


@pytest.mark.parametrize(
    ("locale", "sentences"),
    [
        (
            "en",
            (
                "One more seat: +€27.00 a month",
                "Today 12 €354.00",
                "Next period 14 €408.00",
                "Difference +2 +€54.00",
                "11–14 4 × €27.00 €108.00",
                "not those who are invited or disabled",
                "Counted at 08:58. After removing users, wait",
            ),
        ),
        (
            "fr",
            (
                "Une licence de plus : + 27,00 € par mois",
                "Aujourd’hui 12 354,00 €",
                "Période suivante 14 408,00 €",
                "Différence + 2 + 54,00 €",
                "11–14 4 × 27,00 € 108,00 €",
                "pas les utilisateurs invités ou désactivés",
                "Décompte à 08:58. Après un retrait d’utilisateurs, attendez deux minutes.",
            ),
        ),
    ],
)
def test_the_stepper_explains_its_cost_and_its_floor(
    client: FlaskClient, business: Made, locale: str, sentences: tuple[str, ...]
) -> None:
    text = page(client, business, locale, "/renew?seats=14")
    assert [sentence for sentence in sentences if sentence not in text] == []


def test_the_picture_says_in_words_what_it_shows(client: FlaskClient, business: Made) -> None:
    text = client.get(f"/subscriptions/{subscription(business)}/renew?seats=14", headers=HX).text
    assert 'role="img" aria-label="10 × €30.00, 4 × €27.00"' in text
    assert ">14</text>" in text


def test_seats_taken_away_are_a_difference_below_nothing(client: FlaskClient, business: Made) -> None:
    assert "Next period 8 €240.00 Difference −4 −€114.00" in page(client, business, name="/reduce?seats=8")


def test_an_addition_is_compared_with_the_period_that_it_adds_to(app: Flask, business: Made) -> None:
    pay(app, business, quoted(app, business, 14))
    client = signed_in(app, business)
    text = client.get(f"/subscriptions/{subscription(business)}/add?seats=15").text
    assert "Today 12 €354.00 After the addition 15 €435.00 Difference +3 +€81.00" in words(text)
    asked = re.search(r'hx-get="([^"]+\?ordinal=5&[^"]+)"', text)
    assert asked
    assert "+3" in client.get(unescape(asked[1]) + "&seats=15", headers=HX).text


def test_what_is_paid_is_compared_at_the_price_that_it_was_paid(client: FlaskClient, business: Made) -> None:
    with transaction() as session:
        session.add(PriceList(id="dearer", currency="EUR", rows=[[None, 4000]]))
        session.flush()
        session.execute(update(SubscriptionRow).values(price_list_id="dearer"))
    assert "Today 12 €354.00 Next period 12 €480.00 Difference 0 +€126.00" in page(client, business, name="/renew")


@pytest.mark.parametrize("ordinal", ["", "x", "-1", "999999", "9" * 30])
def test_a_period_that_is_none_is_no_fault(client: FlaskClient, business: Made, ordinal: str) -> None:
    where = f"/subscriptions/{subscription(business)}/renew?seats=14&ordinal={ordinal}"
    assert client.get(where, headers=HX).status_code == 200


def test_the_fragment_as_the_page_asks_for_it_is_small_and_asks_twice(client: FlaskClient, business: Made) -> None:
    with statements() as asked:
        answer = client.get(f"/subscriptions/{subscription(business)}/renew?ordinal=5&seats=60", headers=HX)
    assert len(asked) == 2
    assert len(answer.data) <= 1400


@pytest.mark.parametrize("seats", ["", "0", str(MAX_SEATS)])
def test_a_number_without_a_price_or_a_next_one_says_so(client: FlaskClient, business: Made, seats: str) -> None:
    text = client.get(f"/subscriptions/{subscription(business)}/renew?seats={seats}", headers=HX).text
    assert "One more seat" not in text
    assert ("This is the maximum." in text) == (seats == str(MAX_SEATS))


@pytest.mark.parametrize(
    ("scenario", "en", "fr"),
    [
        ("business", "Yes, everything is in order.", "Oui, tout est en ordre."),
        ("expiring-card", "The default card expires before the next renewal.", "La carte par défaut expire"),
        (
            "business-cancellation-pending",
            "There will be no renewal: cancellation has been requested, and the subscription "
            "ends on 14 February 2027. Undo the cancellation",
            "Il n’y aura pas de renouvellement",
        ),
        (
            "business-lapsed",
            "renew by 10 February 2027, or the subscription will end. Renew now",
            "Renouveler maintenant",
        ),
        ("business-reduction-pending", "Reduction: 12 → 8 seats Undo the reduction", "Annuler la réduction"),
        ("business-at-floor", "12 seats cover your active users (12).", "12 licences utilisateur suffisent"),
    ],
)
def test_each_scenario_says_whether_it_will_be_renewed(app: Flask, scenario: str, en: str, fr: str) -> None:
    made = scenarios.make(scenario)
    client = signed_in(app, made)
    before = dump()
    assert en in page(client, made)
    assert fr in page(client, made, "fr")
    assert dump() == before


def test_a_refused_default_card_stays_doubtful_when_another_card_has_paid(app: Flask) -> None:
    made = scenarios.make("business-two-cards")
    post(app, f"/{made.account}/gateway", next="decline")
    post(app, f"/{made.account}/clock", to="2027-02-15T09:00:00")
    quote = quotes.quote_renewal(made.account, subscription(made), 12)
    quotes.choose_card(made.account, subscription(made), quote, made.cards[1])
    assert pay(app, made, quote) == "captured"
    client = signed_in(app, made)
    doubt = "The bank declined the last charge of the default card: the renewal may fail. Choose another card"
    assert doubt in page(client, made)
    assert doubt in words(client.get("/subscriptions").text)
    past = page(client, made).split("History")[1]
    assert past.index("Renewal paid") < past.index("Payment declined"), "the newest first"
    post(app, f"/{made.account}/clock", to="2027-03-15T09:00:00")  # the same card is accepted
    assert "Yes, everything is in order." in page(client, made)


def test_a_reduction_is_promised_nothing_while_the_subscription_ends(app: Flask) -> None:
    made = scenarios.make("business-reduction-pending")
    client = signed_in(app, made)
    service.cancel(made.account, subscription(made))
    tile = client.get("/subscriptions").text
    assert "It only takes effect if the cancellation is undone." in words(tile)
    dialog = client.get(re.findall(r'href="([^"]+/undo-reduction/[^"]+)"', tile)[0]).text
    assert "The cancellation remains: the subscription still ends on 14 February 2027." in words(dialog)
    assert "You keep" not in dialog
    assert "It will not renew, as you asked." in page(client, made)


def test_the_timeline_tells_of_the_backup_card(app: Flask) -> None:
    made = scenarios.make("business-backup-card")
    text = page(signed_in(app, made), made)
    assert "If declined: Mastercard •••• 4444, the backup card, on the same day." in text


def test_a_refused_card_is_told_on_the_tile_with_the_way_to_another(app: Flask) -> None:
    made = scenarios.make("business-past-due")
    post(app, f"/{made.account}/clock", advance="PT1H")
    client = signed_in(app, made)
    tile = client.get("/subscriptions").text
    assert "The bank declined the default card at the last attempt. Choose another card" in words(tile)
    text = page(client, made)
    assert "15 January 2027 Payment declined €424.80 incl. VAT · Visa •••• 0341 · The bank declined the card." in text
    assert "Payment attempt 2 for the renewal" in text
    assert "Last attempt: if declined, the subscription lapses" in text


def test_too_many_users_and_a_lost_vat_number_are_warned_of(app: Flask, business: Made) -> None:
    with transaction() as session:
        session.execute(update(SubscriptionRow).values(active_users=13))
        session.execute(update(Account).values(country="DE", vat_number=None))
    client = signed_in(app, business)
    text = page(client, business)
    assert "Yes, but 2 points need your attention." in text
    assert "Active users: 13, seats: 12." in text
    assert "There is no VAT number: French VAT is charged. Change billing information" in text
    assert f"/subscriptions/{subscription(business)}/add?seats=13" in client.get("/subscriptions").text


def test_a_vat_number_of_another_country_is_found(app: Flask, business: Made) -> None:
    with transaction() as session:
        session.execute(update(Account).values(country="DE"))
    assert "Your VAT number does not match your country" in page(signed_in(app, business), business)


def test_without_a_card_the_renewal_will_not_succeed(app: Flask, business: Made) -> None:
    with transaction() as session:
        session.execute(delete(DefaultCard))
    assert "No. Fix the following first." in page(signed_in(app, business), business)


def test_the_timeline_is_an_ordered_list_with_today_marked(client: FlaskClient, business: Made) -> None:
    text = client.get(f"/subscriptions/{subscription(business)}").text
    ahead, past = re.findall(r'<ol class="timeline.*?</ol>', text, re.S)
    days = re.findall(r'<time datetime="([^"]+)">', ahead)
    assert days[0] == "2027-01-15"
    assert days == sorted(days)
    assert ahead.count('aria-current="date"') == 1
    gone = re.findall(r'<time datetime="([^"]+)">', past)
    assert gone == sorted(gone, reverse=True)
    assert date.fromisoformat(gone[0]) <= date(2027, 1, 15)


def test_twelve_of_many_documents_are_told(app: Flask) -> None:
    made = scenarios.make("many-invoices")
    text = signed_in(app, made).get(f"/subscriptions/{subscription(made)}").text
    assert len(re.findall("<li", re.findall(r'<ol class="timeline past.*?</ol>', text, re.S)[0])) == 12


def test_what_others_bill_tells_its_periods_and_no_check(app: Flask) -> None:
    made = scenarios.make("third-party")
    text = page(signed_in(app, made), made)
    assert "Renewal by Nordlys Data: 12 seats" in text
    assert "Nordlys Data invoices and changes this subscription" in text
    assert state(app, made)["invoices"] == []
    assert "MQ-" not in text
    assert "Period started: 12 seats" in text
    assert "Will my renewal succeed?" not in text


def test_what_the_owner_did_and_paid_is_in_the_past(app: Flask, business: Made) -> None:
    service.reduce(business.account, subscription(business), 8)
    pay(app, business, quoted(app, business, 14))
    text = page(signed_in(app, business), business)
    assert "Reduction requested: 12 → 8 seats" in text
    assert "Renewal paid: 14 seats €489.60 incl. VAT · Visa •••• 4242 · MQ-2027-000002" in text
    assert "15 February 2027 Paid period starts: 14 seats" in text


def test_a_mail_that_went_out_is_in_the_past_once_however_many_owners_got_it(app: Flask) -> None:
    made = scenarios.make("expiring-card")
    with transaction():
        members.add_member(
            Member(
                account_id=made.account,
                role="manager",
                name="Alix",
                email="alix@example.test",
                password_hash="!",
            )
        )
    post(app, f"/{made.account}/clock", to="2027-02-09T09:00:00")
    text = page(signed_in(app, made), made).partition("History")[2]
    assert text.count("8 February 2027 Reminder e-mail, 7 days before renewal") == 1
    assert text.count("Reminder e-mail: the card expires before renewal") == 1
