"""The activity: filtered by subject, and readable."""

import csv
import io
import re
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.support import team
from tests.support.world import post, signed_in, words
from webapp.accounts import activity
from webapp.db import db, transaction
from webapp.models.activity import Activity
from webapp.ports import ports
from webapp.purchases import cards, wallet
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sentences.labels import (
    ACTIVITIES,
    ACTIVITY_SUBJECTS,
    SECURITY_EVENTS,
    SECURITY_SUBJECT_OF,
    SECURITY_SUBJECTS,
    SUBJECTS,
)


def test_each_kind_of_record_has_a_subject() -> None:
    assert ACTIVITY_SUBJECTS.keys() == ACTIVITIES.keys()
    assert set(ACTIVITY_SUBJECTS.values()) == SUBJECTS.keys()
    assert SECURITY_SUBJECT_OF.keys() == SECURITY_EVENTS.keys()
    assert set(SECURITY_SUBJECT_OF.values()) == SECURITY_SUBJECTS.keys()


def shown(client: FlaskClient, about: str) -> str:
    return words(client.get(f"/activity?about={about}").text.split("<ol")[-1])


def test_it_is_filtered_by_subject_and_a_subject_that_is_none_filters_nothing(
    client: FlaskClient, business: Made
) -> None:
    client.get("/contact")
    message = {"subject": "other", "message": "A question for you.", "csrf_token": token(client)}
    assert client.post("/contact", data=message).status_code == 303
    assert "Message to the account manager" in shown(client, "messages")
    assert "Message to the account manager" not in shown(client, "payments")
    assert "Nothing of this kind." in words(client.get("/activity?about=payments").text)
    assert shown(client, "nonsense") == shown(client, "")


def test_a_card_is_told_on_one_line(app: Flask, business: Made) -> None:
    made = scenarios.make("business-two-cards")
    other = next(own.card for own in wallet.cards_of(made.account) if not own.is_default)
    cards.make_default(made.account, other.id)
    client = signed_in(app, made)
    assert "Card: Visa •••• 4242 → Mastercard •••• 4444" in shown(client, "cards").replace("\xa0", " ")


def test_a_case_has_a_page_of_its_own_and_nobody_elses(client: FlaskClient, business: Made) -> None:
    message = {"subject": "other", "message": "First line\nsecond line", "csrf_token": token(client)}
    client.post("/contact", data=message)
    listed = client.get("/contact").text
    address = listed.split('<th scope="row"><a href="')[1].split('"')[0]
    assert address.startswith("/contact/C-")
    page = client.get(address).text
    assert "First line\nsecond line" in page
    assert client.get("/contact/C-NOTTHERE").status_code == 404


def token(client: FlaskClient) -> str:
    return client.get("/contact").text.split('name="csrf_token" ')[1].split('value="')[1].split('"')[0]


HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


def case(client: FlaskClient, message: str) -> None:
    sent = {"subject": "other", "message": message, "csrf_token": token(client)}
    assert client.post("/contact", data=sent).status_code == 303


def listed(client: FlaskClient, query: str, path: str = "/activity") -> str:
    """What the list has, without the filters."""
    answer = client.get(f"{path}?{query}")
    assert answer.status_code == 200
    return words(answer.text.partition('id="listed"')[2])


def test_it_says_who_did_it_and_in_which_browser(app: Flask, business: Made, client: FlaskClient) -> None:
    firefox = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/140.0"}
    sent = {"subject": "other", "message": "A question for you.", "csrf_token": token(client)}
    assert client.post("/contact", data=sent, headers=firefox).status_code == 303
    assert "· Camille Martin · Firefox, Windows" in listed(client, "")
    row = db.session.scalars(select(Activity).where(Activity.what == "case_opened")).one()
    assert (row.browser, row.system) == ("Firefox", "Windows")
    db.session.rollback()


def test_it_is_filtered_by_person(app: Flask, business: Made, client: FlaskClient) -> None:
    manager = team.add(business, "manager", name="Nadia Petit")
    case(client, "From the owner to you.")
    case(team.browser(app, manager), "From the manager to you.")
    page = client.get("/activity").text
    assert f'<option value="{manager.id}" >Nadia Petit</option>' in page
    theirs = listed(client, f"person={manager.id}")
    assert ("Nadia Petit" in theirs, "Camille Martin" in theirs) == (True, False)
    everyone = listed(client, "person=nobody")
    assert ("Nadia Petit" in everyone, "Camille Martin" in everyone) == (True, True)


def test_it_is_filtered_by_days_of_the_accounts_zone(app: Flask, business: Made, client: FlaskClient) -> None:
    post(app, f"/{business.account}/clock", to="2027-03-10T23:30:00+01:00")
    case(client, "Late in the evening.")
    post(app, f"/{business.account}/clock", to="2027-03-11T00:30:00+01:00")
    case(client, "After midnight, in Paris.")

    def cases(query: str) -> int:
        return listed(client, f"about=messages&{query}").count("Message to the account manager")

    assert [cases(query) for query in ("", "from=2027-03-10&to=2027-03-10", "from=2027-03-11", "to=2027-03-10")] == [
        2,
        1,
        1,
        1,
    ]
    assert cases("from=2027-03-12") == 0
    assert "11 March 2027" in listed(client, "from=2027-03-11")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("from=tomorrow", "Enter a day such as 2027-01-31, or nothing."),
        ("to=2027-02-30", "Enter a day such as 2027-01-31, or nothing."),
        ("from=0001-01-01", "Enter a day such as 2027-01-31, or nothing."),
        ("to=9999-12-31", "Enter a day such as 2027-01-31, or nothing."),
        ("from=2027-03-02&to=2027-03-01", "The last day comes before the first: choose a later one."),
    ],
)
@pytest.mark.parametrize("path", ["/activity", "/activity/security", "/activity/changes.csv", "/activity/security.csv"])
def test_a_day_that_is_none_is_told_at_its_field(
    client: FlaskClient, business: Made, path: str, query: str, sentence: str
) -> None:
    answer = client.get(f"{path}?{query}")
    assert (answer.status_code, sentence in unescape(answer.text)) == (422, True)
    assert answer.text.count('aria-invalid="true"') == 1
    part = client.get(f"{path}?{query}", headers=HTMX)
    assert (part.status_code, sentence in unescape(part.text), "<html" in part.text) == (422, True, False)


def test_a_filter_asks_for_the_list_alone_and_names_it_in_the_address(client: FlaskClient, business: Made) -> None:
    part = client.get("/activity/security?about=sign-ins&from=2026-01-01&to=", headers=HTMX)
    assert ("<html" in part.text, 'hx-target="#listed"' in part.text) == (False, True)
    assert part.headers["HX-Push-Url"] == "/activity/security?about=sign-ins&from=2026-01-01"


def test_paging_keeps_the_filter(app: Flask, business: Made, client: FlaskClient) -> None:
    with transaction():
        for number in range(120):
            after = {"number": f"N{number:03}"}
            activity.record(business.account, "case_opened", ports().clock.system_now(), {}, after)
    seen: list[str] = []
    address = "/activity?about=messages&from=2020-01-01"
    for _ in range(3):
        page = client.get(address).text
        seen += re.findall(r"N\d{3}", page)
        older = re.search(r'href="(/activity\?before=[^"]+)"', page)
        address = unescape(older[1]) if older else ""
    assert seen == [f"N{number:03}" for number in reversed(range(120))]
    assert address == ""


def test_the_file_has_the_filtered_list_and_no_formula(app: Flask, business: Made, client: FlaskClient) -> None:
    with transaction():
        for number in range(600):
            after = {"purchase_order": f"=cmd|{number}"}
            at = ports().clock.system_now()
            activity.record(business.account, "billing_information_changed", at, {}, after, by="=SUM(A1)")
        activity.record(business.account, "exported", ports().clock.system_now())
    answer = client.get("/activity/changes.csv?about=billing")
    assert answer.content_type == "text/csv; charset=utf-8"
    assert 'filename="activity.csv"' in answer.headers["Content-Disposition"]
    text = answer.get_data().decode("utf-8-sig")
    assert answer.get_data().startswith(b"\xef\xbb\xbf")
    lines = list(csv.reader(io.StringIO(text)))
    assert lines[0] == ["Date", "Time", "What", "Who", "Browser", "Details"]
    assert len(lines) == 601
    assert lines[1][2:] == ["Billing information changed", "'=SUM(A1)", "", "Purchase order: =cmd|599"]
    assert int(answer.headers["Content-Length"]) == len(answer.get_data())
    assert client.head("/activity/changes.csv").status_code == 200
    client.set_cookie("locale", "fr")
    french = client.get("/activity/changes.csv?about=billing").get_data().decode("utf-8-sig")
    assert french.splitlines()[0] == "Date;Heure;Objet;Auteur;Navigateur;Détails"
