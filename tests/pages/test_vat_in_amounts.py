"""« TTC » and "incl. VAT" are said of an amount only where VAT is in it: on every page, in every mail and document."""

import re
import zipfile
from datetime import date
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.support.mails import read
from tests.support.world import invoice_of, move_to, pay, post, quoted, signed_in, step, subscription, words
from webapp.db import db, transaction
from webapp.domain.money import Money
from webapp.invoices.bill import bill_of
from webapp.invoices.wording import page_of
from webapp.mail.messages import renewals
from webapp.models.activity import Activity
from webapp.models.cards import Card
from webapp.models.mail import Message
from webapp.purchases import refunds
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import loading

pytestmark = pytest.mark.service
WITH_VAT = re.compile(r"TTC|incl\. VAT|with tax")
BUYERS = {  # country, VAT number, whether VAT is in the amounts
    "mainland": ("FR", None, True),
    "overseas with VAT": ("RE", None, True),
    "no VAT number": ("DE", None, True),
    "overseas without VAT": ("GF", None, False),
    "reverse charge": ("DE", "DE136695976", False),
    "outside the EU": ("US", None, False),
}
LOCALES = ("en", "fr")


@pytest.fixture(params=BUYERS)
def buyer(request: pytest.FixtureRequest) -> tuple[str, str | None, bool]:
    return BUYERS[request.param]


def moved(scenario: str, buyer: tuple[str, str | None, bool]) -> Made:
    made = scenarios.make(scenario)
    move_to(made, country=buyer[0], vat_number=buyer[1], siren=None)
    return made


def said(text: str) -> bool:
    return WITH_VAT.search(text) is not None


def in_each_language(client: FlaskClient, path: str) -> list[bool]:
    """Whether the page says it, in each language. History before is left out: it had the tax of its day."""
    answers = []
    for locale in LOCALES:
        client.set_cookie("locale", locale)
        answer = client.get(path)
        assert answer.status_code == 200, path
        answers.append(said(words(answer.text.split('id="past"')[0])))
    return answers


def test_pages_of_a_renewal(app: Flask, buyer: tuple[str, str | None, bool]) -> None:
    made, wanted = moved("business", buyer), [buyer[2]] * 2
    client = signed_in(app, made)
    assert in_each_language(client, "/subscriptions") == wanted
    assert in_each_language(client, f"/subscriptions/{subscription(made)}") == wanted
    assert in_each_language(client, f"/subscriptions/{subscription(made)}/renew") == wanted
    quote = quoted(app, made)
    for name in ("payment", "overview"):
        assert in_each_language(client, step(made, quote, name)) == wanted, name
    assert pay(app, made, quote) == "captured"
    assert in_each_language(client, step(made, quote, "receipt")) == wanted
    assert in_each_language(client, f"/billing/invoices/{invoice_of(made).id}") == wanted
    for path in ("/billing", "/billing/invoices", "/activity"):
        assert in_each_language(client, path) == [False, False]


def test_the_printed_document(app: Flask, buyer: tuple[str, str | None, bool]) -> None:
    made = moved("business", buyer)
    assert pay(app, made, quoted(app, made)) == "captured"
    with app.test_request_context():
        assert said(page_of(bill_of(invoice_of(made), None))["total"][0]) == buyer[2]


@pytest.mark.parametrize("locale", LOCALES)
def test_mails(app: Flask, buyer: tuple[str, str | None, bool], locale: str) -> None:
    """The notice, the receipt, the document and the credit note; a refusal and a payment that was not made."""
    made = moved("business", buyer)
    move_to(made, document_locale=locale)
    read(made, locale)
    post(app, f"/{made.account}/clock", to="2027-02-08T09:00:00")
    quote = quoted(app, made)
    post(app, f"/{made.account}/gateway", next="timeout")
    assert pay(app, made, quote) == "pending"
    post(app, f"/{made.account}/clock", advance="PT2M")
    post(app, f"/{made.account}/gateway", next="decline")
    post(app, f"/{made.account}/clock", to="2027-02-15T01:00:00")
    post(app, f"/{made.account}/gateway", next="challenge")
    post(app, f"/{made.account}/clock", to="2027-02-16T00:05:00")
    post(app, f"/{made.account}/clock", to="2027-02-25T09:00:00")
    refunds.credit(made.account, invoice_of(made).number, 1000)
    db.session.rollback()
    mails = db.session.scalars(select(Message).where(Message.account_id == made.account)).all()
    kinds = {mail.about.split("/")[0] for mail in mails}
    assert kinds >= {"renewal", "not_made", "refused", "confirm", "receipt", "document", "credited"}
    told = {(mail.about.split("/")[0], said(mail.body), said(words(mail.html or ""))) for mail in mails}
    assert told == {(kind, buyer[2], buyer[2]) for kind in kinds}


def test_the_mail_about_an_expiring_card(app: Flask, buyer: tuple[str, str | None, bool]) -> None:
    made = moved("business", buyer)
    with app.test_request_context():
        loaded, card = loading.load(made.account, subscription(made)), db.session.scalars(select(Card)).one()
        mail = renewals.card_expires(loaded, Money(100, "EUR"), card, date(2027, 2, 15))
    assert said(str(mail.facts)) == buyer[2]


def test_a_refused_payment_on_the_timeline_keeps_the_terms_of_its_day(app: Flask) -> None:
    made = moved("business-past-due", BUYERS["outside the EU"])
    post(app, f"/{made.account}/clock", advance="PT1H")
    move_to(made, country="FR")
    client = signed_in(app, made)
    past = words(client.get(f"/subscriptions/{subscription(made)}").text).split("History")[1]
    assert "Payment declined €354.00 · Visa •••• 0341" in past


def test_an_older_refusal_without_its_rate_has_that_of_the_account(app: Flask) -> None:
    made = moved("business-past-due", BUYERS["mainland"])
    post(app, f"/{made.account}/clock", advance="PT1H")
    with transaction() as session:
        row = session.scalars(select(Activity).where(Activity.what == "payment_refused")).one()
        row.after = {name: value for name, value in row.after.items() if name != "tax_rate"}
    client = signed_in(app, made)
    past = words(client.get(f"/subscriptions/{subscription(made)}").text).split("History")[1]
    assert "Payment declined €424.80 incl. VAT · Visa •••• 0341" in past


def test_the_journal_of_a_year_names_its_total_without_vat(app: Flask, client: FlaskClient, business: Made) -> None:
    """It may hold documents with VAT and others without."""
    client.set_cookie("locale", "fr")
    archive = zipfile.ZipFile(BytesIO(client.get("/billing/invoices/2026.zip").data))
    journal = next(archive.read(name) for name in archive.namelist() if name.endswith(".csv"))
    header = journal.decode("utf-8-sig").splitlines()[0].split(";")
    assert ("Total" in header, said(";".join(header))) == (True, False)
