"""« Renvoyer par e-mail »: a document's mail is sent again, and its page says what became of each mail."""

from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.servers.mailserver import Post
from tests.support.world import dump, invoice_of, pay, quoted, signed_in, words
from webapp.access import limits
from webapp.db import db, new_id, transaction
from webapp.invoices import documents, listing
from webapp.mail import delivery
from webapp.models.accounts import Account
from webapp.models.mail import Message
from webapp.purchases import refunds
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

EMAILS = ["compta@example.test", "Second@Example.test", "second@example.test"]


def page_of(made: Made, number: str = "") -> str:
    invoices = listing.invoices_of(made.account)
    invoice_id = next(invoice.id for invoice in invoices if not number or invoice.number == number)
    db.session.rollback()
    return f"/billing/invoices/{invoice_id}"


def bill_to(made: Made, *emails: str) -> None:
    with transaction() as session:
        session.get_one(Account, made.account).billing_emails = list(emails)


def written(made: Made) -> list[Message]:
    db.session.rollback()
    about = Message.about.startswith("document/")
    return list(db.session.scalars(select(Message).where(Message.account_id == made.account, about)))


def test_each_billing_address_gets_the_document_again_and_the_activity_says_so(
    client: FlaskClient, business: Made
) -> None:
    bill_to(business, *EMAILS)
    page = page_of(business)
    answer = client.post(f"{page}/send", data={"shown": 0})
    assert (answer.status_code, answer.headers["Location"]) == (303, page)
    mails = written(business)
    assert sorted(mail.recipient for mail in mails) == ["compta@example.test", "second@example.test"]
    assert {mail.attached_id for mail in mails} == {page.rpartition("/")[2]}
    assert {mail.subject.replace("\u00a0", " ") for mail in mails} == {"Facture : MQ-2027-000001"}
    shown = words(client.get(page).text)
    assert "The document is on its way to compta@example.test, second@example.test." in shown
    activity = words(client.get("/activity").text)
    for text in ("Document sent again by e-mail", "MQ-2027-000001", "compta@example.test, second@example.test"):
        assert text in activity


def test_a_form_that_is_sent_twice_sends_once(client: FlaskClient, business: Made) -> None:
    page = page_of(business)
    client.post(f"{page}/send", data={"shown": 0})
    before = dump()
    client.post(f"{page}/send", data={"shown": 0})
    assert dump() == before
    assert "Nothing was sent: this document was already sent again." in client.get(page).text
    count = len(written(business))
    client.post(f"{page}/send", data={"shown": count})
    assert len(written(business)) == 2 * count


@pytest.mark.parametrize("form", [{}, {"shown": "x"}, {"shown": "-1"}, {"shown": "7"}])
def test_a_wrong_form_sends_nothing(client: FlaskClient, business: Made, form: dict[str, str]) -> None:
    before = dump()
    assert client.post(f"{page_of(business)}/send", data=form).status_code == 303
    assert dump() == before


def test_the_document_of_another_account_is_not_there(app: Flask, client: FlaskClient) -> None:
    page, before = page_of(scenarios.make("business")), dump()
    assert client.post(f"{page}/send", data={"shown": 0}).status_code == 404
    assert app.test_client().post(f"{page}/send", data={"shown": 0}).status_code == 303
    assert dump() == before


def test_it_has_a_limit(client: FlaskClient, business: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(limits.LIMITS, "send", "2 per hour")
    page = page_of(business)
    statuses = [client.post(f"{page}/send", data={"shown": 0}).status_code for _ in range(3)]
    assert statuses == [303, 303, 429]


def test_a_credit_note_is_sent_in_its_own_words(app: Flask, client: FlaskClient, business: Made) -> None:
    assert pay(app, business, quoted(app, business)) == "captured"
    refunds.credit(business.account, "MQ-2027-000002", 1_000)
    page, before = page_of(business, "MQ-2027-000003"), {mail.id for mail in written(business)}
    client.post(f"{page}/send", data={"shown": client.get(page).text.split('name="shown" value="')[1].split('"')[0]})
    again = [mail for mail in written(business) if mail.id not in before]
    assert [mail.subject.replace("\u00a0", " ") for mail in again] == ["Avoir : MQ-2027-000003"]
    assert "Credit note" in words(client.get("/activity").text)


@pytest.mark.service
def test_the_mail_server_gets_the_pdf_and_the_page_says_when(
    app: Flask, office: int, post: Post, business: Made
) -> None:
    client, page = signed_in(app, business), page_of(business)
    client.post(f"{page}/send", data={"shown": 0})
    assert "Waiting It is sent within a few minutes." in words(client.get(page).text)
    assert delivery.send_due() == {"sent": 1}
    (mail,) = post.taken
    (attached,) = mail.iter_attachments()
    assert attached.get_content() == documents.pdf_of(invoice_of(business))
    assert "Sent on" in words(client.get(page).text)


@pytest.mark.service
@pytest.mark.parametrize(
    ("command", "answer", "sentence"),
    [
        ("RCPT", "550 5.1.1 No such user", "Rejected The mail server localhost refused it: 550 5.1.1 No such user"),
        ("RCPT", "450 4.2.1 Greylisted", "Not sent yet The mail server did not accept it. We try again automatically."),
    ],
)
def test_the_page_says_who_refused_a_mail(
    app: Flask, office: int, post: Post, business: Made, command: str, answer: str, sentence: str
) -> None:
    client, page = signed_in(app, business), page_of(business)
    client.post(f"{page}/send", data={"shown": 0})
    post.answers = {command: answer}
    delivery.send_due()
    assert sentence in words(client.get(page).text)


def test_each_mail_is_told_newest_first_in_the_accounts_zone(client: FlaskClient, business: Made) -> None:
    invoice_id = page_of(business).rpartition("/")[2]
    at = datetime(2027, 1, 15, 23, 30, tzinfo=UTC)
    told: dict[str, dict[str, Any]] = {
        "a@example.test": {"delivery": "sent", "delivered_at": at},
        "b@example.test": {"delivery": "given_up", "fault": "the mail server was not reached: secret <b>"},
        "c@example.test": {"delivery": "given_up", "fault": "550 <b>no</b>"},
        "d@example.test": {"delivery": "kept"},
    }
    with transaction() as session:
        for recipient, columns in told.items():
            texts = {"subject": "Facture", "body": "Bonjour", "about": f"document/{new_id()}"}
            session.add(
                Message(
                    account_id=business.account,
                    recipient=recipient,
                    attached_id=invoice_id,
                    sent_at=business.now,
                    **texts,
                    **columns,
                )
            )
    text = client.get(page_of(business)).text
    shown = words(text)
    assert "a@example.test Sent on 16 January 2027 at 00:30" in shown
    assert "b@example.test Not sent It could not be delivered. Check the address, then send it again." in shown
    assert "secret" not in text
    assert "c@example.test Rejected The mail server refused it: 550 <b>no</b>" in shown
    assert "<b>no</b>" not in text
    assert "d@example.test Kept" in shown
    assert text.index("a@example.test") < text.index("d@example.test")


def test_a_document_without_mails_says_so(client: FlaskClient, business: Made) -> None:
    assert "No e-mail with this document is on record." in client.get(page_of(business)).text
