"""Contact: a message becomes one case and one mail, and is text wherever it is read."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.support.world import dump, post, signed_in, subscription
from webapp.accounts import cases as rules
from webapp.db import db, transaction
from webapp.models.accounts import Account
from webapp.models.activity import Activity, Case
from webapp.models.mail import Message
from webapp.models.subscriptions import SubscriptionRow
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

MESSAGE = "We would like 300 seats."
LENGTH = f"Write a message of {rules.SHORTEST} to {rules.LONGEST:,} characters."


def send(client: FlaskClient, **given: str) -> Any:
    return client.post("/contact", data={"subject": "renewal", "subscription": "", "message": MESSAGE, **given})


def cases() -> list[Case]:
    db.session.rollback()
    return list(db.session.scalars(select(Case)))


def test_a_message_is_a_case_a_mail_and_an_activity(client: FlaskClient, business: Made) -> None:
    answer = send(client, subscription=subscription(business))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/contact")
    (case,) = cases()
    assert re.fullmatch(r"C-[2-9A-HJKMNP-TV-Z]{8}", case.number)
    assert (case.subject, case.message, case.subscription_id) == ("renewal", MESSAGE, subscription(business))
    mail = db.session.scalars(select(Message)).one()
    assert mail.recipient == "sophie.laurent@example.test"
    assert mail.subject == f"Dossier {case.number} : Renouvellement – Ateliers Beaumont SARL".replace(" :", "\u00a0:")
    for text in (case.number, business.email, "Qlik Sense Business", f"> {MESSAGE}"):
        assert text in mail.body
    row = db.session.scalars(select(Activity).order_by(Activity.id.desc()).limit(1)).one()
    assert (row.what, row.by, row.subscription_id) == ("case_opened", "Camille Martin", subscription(business))
    assert row.after == {"number": case.number, "subject": "renewal"}


def test_the_page_gives_the_number_and_lists_the_cases(client: FlaskClient, business: Made) -> None:
    send(client, subscription=subscription(business))
    (case,) = cases()
    page = client.get("/contact").text
    assert f"Your case number is {case.number}." in page
    row = page.split('<th scope="row">')[1]
    for text in (case.number, "15\u00a0January\u00a02027", "Renewal", "Qlik Sense Business"):
        assert text in row
    assert "Your case number is" not in client.get("/contact").text


def test_the_mail_is_in_the_language_of_the_documents(client: FlaskClient, business: Made) -> None:
    with transaction() as session:
        session.execute(update(Account).values(document_locale="en"))
    send(client)
    mail = db.session.scalars(select(Message)).one()
    assert re.fullmatch(r"Case C-\w{8}: Renewal – Ateliers Beaumont SARL", mail.subject)
    assert mail.body.startswith("Hello Sophie Laurent,")


def test_sent_twice_within_a_minute_is_one_case_and_later_another(
    app: Flask, client: FlaskClient, business: Made
) -> None:
    for _ in range(2):
        assert send(client).status_code == 303
    assert len(cases()) == len(db.session.scalars(select(Message)).all()) == 1
    assert f"Your case number is {cases()[0].number}." in client.get("/contact").text
    send(client, message=MESSAGE + " Soon.")
    send(client, subject="other")
    send(client, subscription=subscription(business))
    assert len(cases()) == 4
    post(app, f"/{business.account}/clock", advance="PT1M")
    send(client)
    assert len(cases()) == 5


def test_the_same_message_of_another_account_is_its_own_case(app: Flask, client: FlaskClient) -> None:
    other = signed_in(app, scenarios.make("enterprise"))
    send(client)
    send(other)
    mine, theirs = (re.findall(r'row"><code>(C-\w+)', page.get("/contact").text) for page in (client, other))
    assert len(mine) == len(theirs) == 1
    assert mine != theirs


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"subject": ""}, "Choose a subject."),
        ({"subject": "refund"}, "Choose a subject."),
        ({"message": "é" * (rules.SHORTEST - 1)}, LENGTH),
        ({"message": " " * 20 + "\r\n" * 20}, LENGTH),
        ({"message": "é" * (rules.LONGEST + 1)}, LENGTH),
        ({"message": "a\u202e" + MESSAGE}, "Remove the invisible characters"),
        ({"message": "a\0" + MESSAGE}, "Remove the invisible characters"),
    ],
)
def test_what_is_no_message_is_refused_at_its_field(client: FlaskClient, given: dict[str, str], sentence: str) -> None:
    before = dump()
    answer = send(client, **given)
    assert (answer.status_code, answer.text.count(sentence)) == (422, 2)
    assert "<title>Error: " in answer.text
    assert dump() == before


@pytest.mark.parametrize("message", ["0123456789", "é\r\n" * 1333 + "é", "👨‍👩‍👧 et\tune tabulation"])
def test_any_message_of_ten_to_four_thousand_characters_is_sent(client: FlaskClient, message: str) -> None:
    assert send(client, message=message).status_code == 303
    assert cases()[0].message == message.replace("\r\n", "\n")


def test_another_accounts_subscription_is_404_like_one_that_never_was(app: Flask, client: FlaskClient) -> None:
    other = scenarios.make("business")
    before = dump()
    for foreign in (subscription(other), "nothing"):
        assert send(client, subscription=foreign).status_code == 404
    assert dump() == before


def test_the_address_chooses_subject_and_subscription(app: Flask) -> None:
    made, other = scenarios.make("both"), scenarios.make("business")
    client, mine = signed_in(app, made), made.subscriptions["enterprise"]
    page = client.get(f"/contact?subject=upgrade&subscription={mine}").text
    assert '<option selected value="upgrade">' in page
    assert f'<option selected value="{mine}">' in page
    for unknown in ("subject=%3Cscript%3E&subscription=x", f"subscription={subscription(other)}"):
        answer = client.get(f"/contact?{unknown}")
        assert answer.status_code == 200
        assert '<option selected value="' not in answer.text.replace('<option selected value="">', "")
        assert f'value="{subscription(other)}"' not in answer.text


def test_a_reseller_is_named_as_who_manages_the_subscription(client: FlaskClient, business: Made) -> None:
    assert "was bought through" not in client.get("/contact").text
    with transaction() as session:
        session.execute(update(SubscriptionRow).values(reseller="Data & Co <b>"))
    assert "bought through Data &amp; Co &lt;b&gt;, who manages it" in client.get("/contact").text
    send(client, subscription=subscription(business))
    assert "Data & Co <b>" in db.session.scalars(select(Message.body)).one()


def test_hostile_text_is_text_in_page_and_mail(client: FlaskClient, business: Made) -> None:
    hostile = "<script>alert(1)</script> {{7*7}} {% raise %}\r\n\r\nBcc: all@example.test\r\n=1+1"
    with transaction() as session:
        session.execute(update(Account).values(legal_name="A\r\nBcc: all@example.test", manager_name="<b>S</b>"))
    refusal = send(client, message=hostile, subject="no").text
    assert "<script>alert" not in refusal
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{7*7}}" in refusal
    assert send(client, message=hostile).status_code == 303
    assert "<b>S</b>" not in client.get("/contact").text
    mail = db.session.scalars(select(Message)).one()
    assert len(mail.subject.splitlines()) == 1
    assert mail.subject.endswith("A Bcc: all@example.test")
    for line in hostile.split("\r\n"):
        assert f"\n> {line}\n" in mail.body


def test_a_message_needs_the_forms_token_and_an_owner(app: Flask, business: Made) -> None:
    assert send(app.test_client()).status_code == 303
    app.config["WTF_CSRF_ENABLED"] = True
    client = app.test_client()
    token = re.search(
        r'csrf_token" value="([^"]+)"|csrf_token" type="hidden" value="([^"]+)"', client.get("/sign-in").text
    )
    assert token
    answer = client.post(
        "/sign-in", data={"email": business.email, "password": business.password, "csrf_token": token[1] or token[2]}
    )
    assert answer.status_code == 303
    assert send(client).status_code == 400
    assert cases() == []
