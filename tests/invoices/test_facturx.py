"""Factur-X documents: every rule of EN 16931, French law and PDF/A holds, and all amounts agree."""

import random
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree
from sqlalchemy import select, update

from tests.support.document_faults import amounts_of, broken_rules, faults, text_of, texts_at, wrong_container
from tests.support.random_invoices import drawn
from tests.support.world import (
    buyer,
    invoice_of,
    pay,
    pdf_url,
    quoted,
    rewrite,
    signed_in,
    state,
    stored,
    subscription,
    xml_url,
)
from webapp.db import db, new_id, transaction
from webapp.invoices import documents
from webapp.invoices.bill import spans_of
from webapp.invoices.printing import own_characters
from webapp.models.accounts import Account
from webapp.models.invoices import Invoice
from webapp.purchases import refunds
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import loading


def credited(made: Made, **content: Any) -> Invoice:
    """Adds a credit note for the whole of the newest invoice."""
    invoice = invoice_of(made)
    note = Invoice(
        id=new_id(),
        issuer_id=invoice.issuer_id,
        account_id=invoice.account_id,
        kind="credit_note",
        status="credit_note",
        subscription_id=invoice.subscription_id,
        credits_id=invoice.id,
        number="AV-2027-000001",
        issued_on=invoice.issued_on + timedelta(1),
        currency="EUR",
        net=invoice.net,
        tax=invoice.tax,
        total=invoice.total,
        snapshot={**invoice.snapshot, **content},
    )
    with transaction() as session:
        session.add(note)
    return note


@pytest.mark.parametrize("first", range(0, 50, 10))
def test_whatever_is_invoiced_the_document_holds_to_every_rule(app: Flask, business: Made, first: int) -> None:
    wrong = {}
    for seed in range(first, first + 10):
        invoice, wanted = drawn(business, subscription(business), random.Random(seed))
        wrong[seed] = faults(invoice, wanted)
    assert {seed: faults_found for seed, faults_found in wrong.items() if faults_found} == {}


@pytest.mark.parametrize(
    ("country", "siren", "vat_number", "rate"),
    [("FR", "900300401", "FR41900300401", 120), ("DE", None, "DE136695976", 100), ("US", None, None, 100)],
)
@pytest.mark.parametrize("what", ["renewal", "addition", "addition over two periods"])
def test_quote_charge_page_pdf_and_data_are_one_amount(
    app: Flask, what: str, country: str, siren: str | None, vat_number: str | None, rate: int
) -> None:
    made = scenarios.make("business-renewed" if "two" in what else "business")
    client = signed_in(app, made)
    with transaction() as session:
        session.execute(
            update(Account)
            .where(Account.id == made.account)
            .values(country=country, siren=siren, vat_number=vat_number, purchase_order="BC-42")
        )
    command = "renew" if what == "renewal" else "add"
    url = f"/subscriptions/{subscription(made)}/{command}"
    quote = client.post(url, data={"seats": "30"}).headers["Location"].split("/")[-2]
    client.post(f"{url}/{quote}/payment", data={"card": made.cards[0]})
    overview = client.get(f"{url}/{quote}/overview").text
    assert client.post(f"{url}/{quote}/pay", data={"attempt": 1}).status_code == 303

    invoice = invoice_of(made)
    charged = state(app, made)["gateway"]["charges"][-1]["amount"]
    assert invoice.total == charged
    assert (Decimal(invoice.net) * rate / 100).quantize(Decimal(1), ROUND_HALF_UP) == charged
    shown = f"€{Decimal(charged) / 100:,.2f}"
    assert shown in overview
    assert shown in client.get(f"/billing/invoices/{invoice.id}").text
    pdf, xml = client.get(pdf_url(made)).data, client.get(xml_url(made)).data
    assert shown[1:].replace(",", " ").replace(".", ",") + " €" in text_of(pdf)
    assert Decimal(amounts_of(xml)["GrandTotalAmount"]) == Decimal(charged) / 100
    assert broken_rules(xml) + wrong_container(pdf, xml) == []
    assert texts_at(xml, "BuyerOrderReferencedDocument IssuerAssignedID") == [invoice.purchase_order] == ["BC-42"]
    assert len(texts_at(xml, "IncludedSupplyChainTradeLineItem ChargeAmount")) == (
        {"renewal": 3, "addition": 1}.get(what, 2)
    )


def test_each_line_is_for_its_own_period(app: Flask) -> None:
    made = scenarios.make("business-renewed")
    client = signed_in(app, made)
    url = f"/subscriptions/{subscription(made)}/add"
    quote = client.post(url, data={"seats": "15"}).headers["Location"].split("/")[-2]
    client.post(f"{url}/{quote}/payment", data={"card": made.cards[0]})
    client.post(f"{url}/{quote}/pay", data={"attempt": 1})
    xml = client.get(xml_url(made)).data
    days = etree.fromstring(xml).iter("{urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100}DateTimeString")
    assert [day.text for day in days if "Period" in day.getparent().getparent().tag] == [
        "20270115",
        "20270214",
        "20270215",
        "20270314",
        "20270115",
        "20270314",
    ]
    assert "15 janvier 2027 – 14 mars 2027" in text_of(client.get(pdf_url(made)).data)


@pytest.mark.parametrize(("locale", "title", "name"), [("fr", "Avoir", "avoir"), ("en", "Credit note", "credit-note")])
def test_a_credit_note_names_its_invoice(
    client: FlaskClient, business: Made, locale: str, title: str, name: str
) -> None:
    note = credited(business, locale=locale, reason="Erreur de <commande>")
    answer = client.get(f"/billing/invoices/{note.id}/download")
    assert f'filename="{name}-AV-2027-000001.pdf"' in answer.headers["Content-Disposition"]
    text, xml = text_of(answer.data), documents.xml_of(stored(Invoice, note.id))
    assert text.startswith(title)
    assert "MQ-2027-000001" in text
    assert "Erreur de <commande>" in text
    assert ("Remboursé le 16 janvier 2027" if locale == "fr" else "Refunded on 16 January 2027") in text
    assert "Payée" not in text
    assert texts_at(xml, "InvoiceReferencedDocument IssuerAssignedID") == ["MQ-2027-000001"]
    assert broken_rules(xml) + wrong_container(answer.data, xml) == []


def test_the_credit_notes_of_refunds_hold_to_every_rule_and_come_to_the_invoice(app: Flask, business: Made) -> None:
    pay(app, business, quoted(app, business, 30))
    invoice = invoice_of(business)
    for net in (1, 33_333, None):
        refunds.credit(business.account, invoice.number, net, "Geste <commercial> & Co")
    notes = db.session.scalars(select(Invoice).where(Invoice.credits_id == invoice.id)).all()
    xmls = [documents.xml_of(note) for note in notes]
    assert [broken_rules(xml) for xml in xmls] == [[], [], []]
    assert [wrong_container(documents.pdf_of(note), xml) for note, xml in zip(notes, xmls, strict=True)] == [[], [], []]
    assert [sum(getattr(note, part) for note in notes) for part in ("net", "tax", "total")] == [82_500, 16_500, 99_000]
    for note, xml in zip(notes, xmls, strict=True):
        assert amounts_of(xml)["GrandTotalAmount"] == f"{Decimal(note.total) / 100:.2f}"
        assert texts_at(xml, "TypeCode")[0] == "381"


def test_a_reason_of_controls_alone_leaves_no_empty_note(app: Flask, business: Made) -> None:
    note = credited(business, reason="\x00\x01\ufffe")
    xml = documents.xml_of(note)
    assert broken_rules(xml) == []
    assert None not in texts_at(xml, "IncludedNote Content")


def test_the_option_for_debits_is_told(app: Flask, business: Made) -> None:
    rewrite(business, vat_on_debits=True)
    invoice = invoice_of(business)
    assert "Option pour le paiement de la taxe d’après les débits." in text_of(documents.pdf_of(invoice))
    assert texts_at(documents.xml_of(invoice), "ApplicableTradeTax DueDateTypeCode") == ["5"]


def test_an_address_of_delivery_is_told_where_it_is_another(app: Flask, business: Made) -> None:
    rewrite(business, delivery=buyer(business, street="3 quai du Port", country="BE"))
    invoice = invoice_of(business)
    text, xml = text_of(documents.pdf_of(invoice)), documents.xml_of(invoice)
    assert "Livré à" in text
    assert "3 quai du Port" in text
    assert texts_at(xml, "ShipToTradeParty LineOne") == ["3 quai du Port"]
    assert broken_rules(xml) == []


def test_a_customer_outside_the_union_is_not_subject_and_the_seller_still_tells_its_vat_number(
    app: Flask, business: Made
) -> None:
    swiss = buyer(business, country="CH", siren=None, vat_number="CHE107787577MWST")
    rewrite(business, tax_treatment="outside_eu", tax_rate=0, buyer=swiss)
    xml = documents.xml_of(invoice_of(business))
    assert set(texts_at(xml, "ApplicableTradeTax CategoryCode")) == {"O"}
    assert texts_at(xml, "SellerTradeParty Description")[0].endswith("· FR83900100207")  # type: ignore[union-attr]
    assert texts_at(xml, "SpecifiedTaxRegistration ID") == []


def test_every_letter_that_is_printed_has_a_shape_in_both_weights(app: Flask, business: Made) -> None:
    every = sorted(own_characters())
    assert len(every) > 900
    rewrite(business, buyer=buyer(business, legal_name=" ".join(every), street=" ".join(every)))
    text = text_of(documents.pdf_of(invoice_of(business)))
    assert "é" in text
    assert "Ж" in text


def test_a_letter_without_a_shape_is_the_plain_one_or_a_box_and_itself_in_the_data(app: Flask, business: Made) -> None:
    rewrite(business, buyer=buyer(business, legal_name="ﬁn Ａ① 日本", city="\u202eLyon\x00\ufffe\ud800"))
    invoice = invoice_of(business)
    assert "fin A1 □□" in text_of(documents.pdf_of(invoice))
    assert texts_at(documents.xml_of(invoice), "BuyerTradeParty Name") == ["ﬁn Ａ① 日本"]
    assert texts_at(documents.xml_of(invoice), "BuyerTradeParty CityName") == ["Lyon"]


def test_the_days_of_a_quote_that_is_prorated_are_the_last_of_its_period(app: Flask, business: Made) -> None:
    facts = loading.load(business.account, subscription(business)).facts
    line = {"kind": "proration", "days_left": 21}
    spans = spans_of([line, line], facts, 5)  # type: ignore[list-item]
    assert spans == [(date(2027, 1, 25), date(2027, 2, 15)), (date(2027, 2, 22), date(2027, 3, 15))]
