"""A rule's number is in one place: each test changes one and reads that every sentence follows, in both languages."""

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.support.world import post, renew_url, signed_in, state, step, subscription
from webapp import config
from webapp.access import passwords
from webapp.accounts import billing_information, cases
from webapp.db import db, transaction
from webapp.domain import access, seats
from webapp.domain import subscription as rules
from webapp.domain.checks import TaxNumber, renewal_checks
from webapp.domain.timeline import Kind, planned
from webapp.models.accounts import Member
from webapp.models.mail import Message
from webapp.models.purchases import Quote
from webapp.models.subscriptions import SubscriptionRow
from webapp.purchases import quotes
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.views import stepper

ROOT = Path(__file__).resolve().parents[2]
HX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture(autouse=True)
def _no_fragment_of_another_rule() -> None:
    stepper._rendered.cache_clear()


def words(text: str) -> str:
    """What is read of a page, in one line, with plain spaces."""
    text = re.sub(r"<script.*?</script>|<[^>]+>", " ", text, flags=re.S)
    return " ".join(text.replace("\u00a0", " ").replace("\u202f", " ").split())


def read(client: FlaskClient, path: str, locale: str, headers: dict[str, str] | None = None) -> str:
    client.set_cookie("locale", locale)
    return words(client.get(path, headers=headers).text)


def sent(client: FlaskClient, path: str, locale: str, **form: str) -> str:
    """The page that answers a form, after any redirect."""
    client.set_cookie("locale", locale)
    return words(client.post(path, data=form, follow_redirects=True).text)


def mails(kind: str) -> list[str]:
    db.session.rollback()
    found = select(Message).where(Message.about.startswith(kind)).order_by(Message.sent_at)
    return [words(mail.body) for mail in db.session.scalars(found)]


def reads(made: Made, locale: str) -> None:
    """The language of the owner's mails."""
    with transaction() as session:
        session.execute(update(Member).where(Member.account_id == made.account).values(locale=locale))


@pytest.mark.parametrize(
    ("locale", "sentences"),
    [
        (
            "en",
            ("Renew by 25 February 2027 to restore", "renew by 25 February 2027, or", "26 February 2027 The subscr"),
        ),
        (
            "fr",
            (
                "Renouvelez au plus tard le 25 février 2027 pour rétablir",
                "au plus tard le 25 février 2027, sinon",
                "26 février 2027 L’abonnement prend fin",
            ),
        ),
    ],
)
def test_how_long_a_lapsed_subscription_can_be_brought_back(
    app: Flask, monkeypatch: pytest.MonkeyPatch, locale: str, sentences: tuple[str, ...]
) -> None:
    """The last refused attempt was on 12 January: the tile, the checks and the timeline count from that day."""
    monkeypatch.setattr(rules, "LAPSE_DAYS", 45)
    made = scenarios.make("business-lapsed")
    client = signed_in(app, made)
    page = read(client, f"/subscriptions/{subscription(made)}", locale)
    assert [sentence for sentence in sentences if sentence not in page] == []
    assert sentences[0] in read(client, "/subscriptions", locale)
    post(app, f"/{made.account}/clock", to="2027-02-25T23:00:00")
    assert state(app, made)["subscriptions"][0]["status"] == "lapsed"
    post(app, f"/{made.account}/clock", to="2027-02-26T00:00:00")
    assert state(app, made)["subscriptions"][0]["status"] == "ended"


@pytest.mark.parametrize(
    ("locale", "retry", "last"),
    [
        (
            "en",
            "We will try again on 17 January 2027.",
            "That was the last attempt. Renew in My Qlik by 17 February 2027",
        ),
        ("fr", "17 janvier 2027", "renouvelez-le dans My Qlik au plus tard le 17 février 2027."),
    ],
)
def test_the_mail_of_each_refused_attempt(
    app: Flask, monkeypatch: pytest.MonkeyPatch, locale: str, retry: str, last: str
) -> None:
    monkeypatch.setattr(rules, "ATTEMPT_DAYS", (0, 2, 4))
    made = scenarios.make("business-past-due")
    reads(made, locale)
    for to in ("2027-01-15T09:01:00", "2027-01-31T00:00:00"):
        post(app, f"/{made.account}/clock", to=to)
    bodies = mails("refused/")
    assert len(bodies) == 3
    assert retry in bodies[0]
    assert last in bodies[-1]


@pytest.mark.parametrize(
    ("attempts", "en", "fr"),
    [
        (
            (0, 2, 4),
            "If declined: 2 further attempts by 19 February 2027.",
            "En cas de refus : 2 nouvelles tentatives d’ici au 19 février 2027.",
        ),
        (
            (0, 9),
            "If declined: 1 further attempt by 24 February 2027.",
            "En cas de refus : 1 nouvelle tentative d’ici au 24 février 2027.",
        ),
        ((0,), "", ""),
    ],
)
def test_when_a_refused_renewal_is_tried_again(
    client: FlaskClient, business: Made, monkeypatch: pytest.MonkeyPatch, attempts: tuple[int, ...], en: str, fr: str
) -> None:
    monkeypatch.setattr(rules, "ATTEMPT_DAYS", attempts)
    for locale, sentence in (("en", en), ("fr", fr)):
        page = read(client, f"/subscriptions/{subscription(business)}", locale)
        assert sentence in page
        assert ("If declined" in page or "En cas de refus" in page) == bool(sentence)


def test_the_notices_before_a_renewal(client: FlaskClient, business: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "NOTICE_DAYS", {1: (9,), 12: (40,)})
    page = f"/subscriptions/{subscription(business)}"
    assert "6 February 2027 Reminder e-mail, 9 days before renewal" in read(client, page, "en")
    assert "6 février 2027 E-mail de rappel, 9 jours avant le renouvellement" in read(client, page, "fr")


@pytest.mark.parametrize(("most", "en", "fr"), [(250, "250", "250"), (12_345, "12,345", "12 345")])
def test_the_largest_number_of_seats(
    client: FlaskClient, business: Made, monkeypatch: pytest.MonkeyPatch, most: int, en: str, fr: str
) -> None:
    monkeypatch.setattr(seats, "MAX_SEATS", most)
    for locale, sentence in (
        ("en", f"Enter a whole number from 1 to {en}."),
        ("fr", f"Saisissez un nombre entier de 1 à {fr}."),
    ):
        too_many = f"{renew_url(business)}?seats={most + 1}"
        assert sentence in read(client, too_many, locale)
        assert sentence in read(client, too_many, locale, HX)
        assert sent(client, renew_url(business), locale, seats=str(most + 1)).count(sentence) >= 2
        assert sentence in read(client, f"/subscriptions/{subscription(business)}/reduce?seats={most + 1}", locale)
    assert "This is the maximum." in read(client, f"{renew_url(business)}?seats={most}", "en", HX)


def test_an_account_file_has_the_same_limits(app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file's model takes the largest number of seats when it is imported, so that number is not changed here."""
    monkeypatch.setattr(billing_information, "MAX_EMAILS", 3)
    app.config["SANDBOX"] = False
    given: dict[str, Any] = json.loads((ROOT / "docs/account.example.json").read_text())
    given["subscriptions"][0]["seats"] = seats.MAX_SEATS + 1
    given["organisation"]["billing_emails"] = [f"a{n}@example.test" for n in range(4)]
    path = tmp_path / "account.json"
    path.write_text(json.dumps(given))
    told = app.test_cli_runner().invoke(args=["add-account", str(path)]).output
    assert f"seats: Input should be less than or equal to {seats.MAX_SEATS}." in told
    assert "billing_emails: Write 1 to 3 e-mail addresses." in told


@pytest.mark.parametrize(
    ("minutes", "en", "fr"),
    [
        (2, "two minutes", "deux minutes"),
        (5, "five minutes", "cinq minutes"),
        (1, "one minute", "une minute"),
        (12, "12 minutes", "12 minutes"),
    ],
)
def test_how_long_the_owner_waits_for_the_active_users(
    app: Flask, monkeypatch: pytest.MonkeyPatch, minutes: int, en: str, fr: str
) -> None:
    monkeypatch.setattr(rules, "ACTIVE_USERS_LAG", timedelta(minutes=minutes))
    made = scenarios.make("business-at-floor")
    client = signed_in(app, made)
    since = int(made.now.timestamp())
    watch = f"/subscriptions/{subscription(made)}/active-users?procedure=renew&seats=9&since={since}"
    tenant = f"/sandbox/tenants/{db.session.scalars(select(SubscriptionRow.tenant)).one()}"
    for locale, wait, floor, hint, left, later in (
        ("en", en, "wait at least", "After removing users, wait", f"within {minutes} min 00 s", "later"),
        (
            "fr",
            fr,
            "attendez au moins",
            "Après un retrait d’utilisateurs, attendez",
            f"{minutes} min 00 s",
            "plus tard",
        ),
    ):
        refused = sent(client, renew_url(made), locale, seats="9")
        assert f"{floor} {wait}" in refused
        assert left in refused
        assert f"{hint} {wait}" in read(client, renew_url(made), locale)
        assert f"{wait} {later}" in read(client, tenant, locale)
        assert f"{wait} {later}" in read(client, f"/sandbox?account={made.account}", locale)
    assert f'value="PT{minutes}M"' in client.get(f"/sandbox?account={made.account}").text
    post(app, f"/{made.account}/users", active=9)
    post(app, f"/{made.account}/clock", advance=f"PT{minutes - 1}M50S")
    assert "has 12 active users" in read(client, watch, "en")
    post(app, f"/{made.account}/clock", advance="PT20S")
    assert "now has 9 active users" in read(client, watch, "en")


@pytest.mark.parametrize(
    ("locale", "works", "older"),
    [
        ("en", "The link works for 45 minutes.", "is more than 45 minutes old."),
        ("fr", "Il est valable 45 minutes.", "date de plus de 45 minutes."),
    ],
)
def test_how_long_a_password_link_works(
    app: Flask, business: Made, monkeypatch: pytest.MonkeyPatch, locale: str, works: str, older: str
) -> None:
    monkeypatch.setattr(access, "RESET_LIFETIME", timedelta(minutes=45))
    client = app.test_client()
    reads(business, locale)
    assert works in sent(client, "/password/forgotten", locale, email=business.email)
    assert "45 minutes" in mails("password_reset")[0]
    assert older in read(client, "/password/reset", locale)


@pytest.mark.parametrize(
    ("locale", "hint", "short", "long"),
    [
        ("en", "15 characters or more, such as", "Enter 15 characters or more.", "Enter 20 characters or fewer."),
        ("fr", "15 caractères au moins, par exemple", "Saisissez au moins 15 caractères.", "20 caractères"),
    ],
)
def test_the_length_of_a_password(
    client: FlaskClient, business: Made, monkeypatch: pytest.MonkeyPatch, locale: str, hint: str, short: str, long: str
) -> None:
    monkeypatch.setattr(passwords, "SHORTEST", 15)
    monkeypatch.setattr(passwords, "LONGEST", 20)
    assert hint in read(client, "/password", locale)
    for new, sentence in (("abcdefghijklmn", short), ("abcdefghijklmnopqrstu", long)):
        assert sentence in sent(client, "/password", locale, current=business.password, new=new, again=new)


@pytest.mark.parametrize(
    ("locale", "hint", "refusal"),
    [
        ("en", "20 to 5,000 characters", "Write a message of 20 to 5,000 characters."),
        ("fr", "20 à 5 000 caractères", "Écrivez un message de 20 à 5 000 caractères."),
    ],
)
def test_the_length_of_a_message(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, locale: str, hint: str, refusal: str
) -> None:
    monkeypatch.setattr(cases, "SHORTEST", 20)
    monkeypatch.setattr(cases, "LONGEST", 5_000)
    assert hint in read(client, "/contact", locale)
    for message in ("é" * 19, "é" * 5_001):
        assert sent(client, "/contact", locale, subject="other", message=message).count(refusal) == 2


@pytest.mark.parametrize(
    ("locale", "hint", "refusal"),
    [
        ("en", "1 to 3, one per line", "Enter 1 to 3 e-mail addresses."),
        ("fr", "1 à 3, une adresse par ligne", "Saisissez de 1 à 3 adresses e-mail."),
    ],
)
def test_the_number_of_billing_emails(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, locale: str, hint: str, refusal: str
) -> None:
    monkeypatch.setattr(billing_information, "MAX_EMAILS", 3)
    assert hint in read(client, "/billing/information", locale)
    typed = "\n".join(f"a{n}@example.test" for n in range(4))
    assert refusal in sent(client, "/billing/information", locale, billing_emails=typed)


@pytest.mark.parametrize(("after", "expired"), [("PT9M", False), ("PT11M", True)])
def test_how_long_a_quote_is_good(
    app: Flask, client: FlaskClient, business: Made, monkeypatch: pytest.MonkeyPatch, after: str, expired: bool
) -> None:
    """No sentence says how long. The page says so once it is over."""
    monkeypatch.setattr(quotes, "QUOTE_LIFETIME", timedelta(minutes=10))
    client.post(renew_url(business), data={"seats": "14"})
    quote = db.session.scalars(select(Quote.id)).one()
    client.post(step(business, quote, "payment"), data={"card": business.cards[0]})
    post(app, f"/{business.account}/clock", advance=after)
    answer = sent(client, step(business, quote, "pay"), "en", attempt="1")
    assert ("Your quote had expired: this is a new one." in answer) == expired


def test_the_longest_time_without_use_is_the_life_of_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "SESSION_LIFETIME", timedelta(hours=3))
    monkeypatch.setenv("SESSION_IDLE_MINUTES", "181")
    with pytest.raises(config.Misconfigured, match=r"\b180\b"):
        config.from_environment()


@pytest.mark.parametrize("late", range(0, 40, 3))
def test_the_day_of_the_end_is_one(late: int) -> None:
    """Also after a sweep that was late, the end is counted from the last refused attempt."""
    facts = rules.Facts(
        rules.Plan.BUSINESS,
        date(2026, 8, 15),
        1,
        dict.fromkeys(range(6), 12),
        refused=len(rules.ATTEMPT_DAYS),
        refused_on=date(2027, 2, 22) + timedelta(days=late),
    )
    day = rules.lapse_end(facts)
    assert day == date(2027, 2, 22) + timedelta(days=late + rules.LAPSE_DAYS)
    assert rules.due(facts, day) == (rules.Due.END, day)
    assert [check.day for check in renewal_checks(facts, day, None, "FR", TaxNumber.VALID)] == [day]
    assert [(one.day, one.kind) for one in planned(facts, day)] == [(day, Kind.LAPSE_END)]
