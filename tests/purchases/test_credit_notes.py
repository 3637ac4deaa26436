"""Refunds and credit notes: money goes back once, with one credit note, even if a process stops on the way."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select, update

from tests.support import invariants
from tests.support.world import dump, pay, post, quoted, state
from webapp.db import db, transaction
from webapp.domain.money import divide_half_up
from webapp.domain.tax import credited_tax
from webapp.invoices import listing
from webapp.models.accounts import Account
from webapp.models.invoices import Invoice
from webapp.models.mail import Message
from webapp.models.purchases import Refund
from webapp.purchases import refunds as refunding
from webapp.renewals import sweep
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import service

pytestmark = pytest.mark.service
NET, TAX, TOTAL = 40_800, 8_160, 48_960  # of 14 seats


@pytest.fixture
def paid(app: Flask, business: Made) -> str:
    """Pays a renewal; returns the number of its invoice."""
    assert pay(app, business, quoted(app, business, 14)) == "captured"
    return "MQ-2027-000002"


def credit(app: Flask, made: Made, number: str, *options: str) -> tuple[int, str]:
    """The command's exit status and what it said."""
    arguments = ["credit-note", "--account", made.account, *options, "--", number]
    with app.app_context():
        done = app.test_cli_runner().invoke(args=arguments)
    db.session.rollback()
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output.strip()


def notes() -> list[Invoice]:
    db.session.rollback()
    return list(db.session.scalars(select(Invoice).where(Invoice.kind == "credit_note").order_by(Invoice.number)))


def refunds() -> list[Refund]:
    db.session.rollback()
    return list(db.session.scalars(select(Refund).order_by(Refund.key)))


def amounts(invoice: Invoice) -> tuple[int, int, int]:
    return invoice.net, invoice.tax, invoice.total


def given_back(app: Flask, made: Made) -> list[int]:
    return [refund["amount"] for refund in state(app, made)["gateway"]["refunds"]]


def balanced(made: Made) -> None:
    invariants.check(invariants.read(made.account))


def test_all_that_is_left_goes_back_and_a_credit_note_says_so(app: Flask, business: Made, paid: str) -> None:
    status, said = credit(app, business, paid, "--reason", "Geste  commercial")
    assert (status, said) == (0, "Credit note MQ-2027-000003 of 489.60 EUR with tax for the invoice MQ-2027-000002.")
    (note,), invoice = notes(), listing.invoices_of(business.account)[1]
    assert amounts(note) == (NET, TAX, TOTAL)
    assert note.credits_id == invoice.id
    assert note.snapshot["credits"] == {"number": paid, "issued_on": "2027-01-15"}
    assert note.snapshot["reason"] == "Geste commercial"
    assert {name: note.snapshot[name] for name in invoice.snapshot} == invoice.snapshot
    assert (invoice.credited, invoice.status) == (TOTAL, "credited")
    account_state = state(app, business)
    assert account_state["gateway"]["refunds"] == [{"key": refunds()[0].key, "amount": TOTAL}]
    assert [invoice["kind"] for invoice in account_state["invoices"][-2:]] == ["invoice", "credit_note"]
    balanced(business)


def test_parts_come_to_the_invoice_to_the_cent_and_never_to_more(app: Flask, business: Made, paid: str) -> None:
    for net in ("1", "2", "3", "20001"):
        assert credit(app, business, paid, "--net", net)[0] == 0
    left = NET - 20_007
    assert credit(app, business, paid, "--net", str(left + 1))[0] == 1
    partly = next(document for document in listing.invoices_of(business.account) if document.number == paid)
    assert (partly.credited, partly.status) == (sum(note.total for note in notes()), "partly_credited")
    assert credit(app, business, paid)[0] == 0
    assert [note.net for note in notes()] == [1, 2, 3, 20_001, left]
    assert tuple(map(sum, zip(*map(amounts, notes()), strict=True))) == (NET, TAX, TOTAL)
    assert sum(given_back(app, business)) == TOTAL
    assert notes()[0].snapshot["lines"][0] | {"kind": "credit", "amount": 1} == notes()[0].snapshot["lines"][0]
    balanced(business)


@given(st.integers(0, 10**6), st.sampled_from((0, 550, 2000)), st.lists(st.integers(1, 10**4), max_size=30))
def test_the_tax_of_parts_is_within_a_cent_of_theirs_and_comes_to_the_whole(
    net: int, rate: int, parts: list[int]
) -> None:
    whole, before, taxed = divide_half_up(net * rate, 10_000), 0, 0
    for part in [*parts, net]:
        part = min(part, net - before)
        if part == 0:
            break
        tax = credited_tax(part, before, net, whole, rate)
        assert abs(tax * 10_000 - part * rate) <= 10_000
        assert tax >= 0
        before, taxed = before + part, taxed + tax
    assert (before, taxed) == (net, whole) or before < net


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--net", "40801"), "408.00 EUR before tax are left of the invoice MQ-2027-000002: give 1 to 40800 cents."),
        (("--net", "0"), "--net is a whole number of cents, 1 or more."),
        (("--net", "-5"), "--net is a whole number of cents, 1 or more."),
        (("--net", "1.5"), "--net is a whole number of cents, 1 or more."),
        (("--net", "１２"), "--net is a whole number of cents, 1 or more."),
        (("--net", "9" * 60), "--net is a whole number of cents, 1 or more."),
        (("--reason", "x" * 301), "The reason is one line of at most 300 letters."),
        (("--reason", "\u202egpj"), "The reason is one line of at most 300 letters."),
    ],
)
def test_what_is_off_is_refused_in_a_sentence(
    app: Flask, business: Made, paid: str, options: tuple[str, str], said: str
) -> None:
    before = dump()
    assert credit(app, business, paid, *options) == (1, f"Error: {said}")
    assert dump() == before


def test_what_cannot_be_credited_is_refused_in_a_sentence(app: Flask, business: Made, paid: str) -> None:
    other = scenarios.make("business")
    assert pay(app, other, quoted(app, other, 15)) == "captured"
    assert credit(app, business, paid)[0] == 0
    before = dump()
    for made, number, said in (
        (business, paid, f"Nothing is left to credit of the invoice {paid}."),
        (business, "MQ-2027-000003", "MQ-2027-000003 is a credit note: name the invoice that it credits."),
        (
            business,
            "MQ-2027-000001",
            "The invoice MQ-2027-000001 was not paid through the gateway: nothing can be refunded there.",
        ),
        (business, "MQ-2027-000004", f"The account {business.account} has no invoice MQ-2027-000004."),
        (other, "MQ-2027-000003", f"The account {other.account} has no invoice MQ-2027-000003."),
        (business, "--net", f"The account {business.account} has no invoice --net."),
    ):
        assert credit(app, made, number) == (1, f"Error: {said}")
    assert dump() == before


def test_an_account_that_never_was_has_no_invoice(app: Flask, business: Made, paid: str) -> None:
    nobody = Made("nobody", "", "", business.now, {}, [])
    assert credit(app, nobody, paid) == (1, f"Error: The account nobody has no invoice {paid}.")


@pytest.mark.parametrize("fault", ["timeout", "timeout_after_charge", "error"])
@pytest.mark.parametrize("again", ["command", "sweep"])
def test_an_unknown_outcome_is_one_refund_and_one_credit_note(
    app: Flask, business: Made, paid: str, fault: str, again: str
) -> None:
    post(app, f"/{business.account}/gateway", next=fault)
    status, said = credit(app, business, paid, "--net", "1000")
    assert (status, "kept as pending" in said, notes()) == (1, True, [])
    balanced(business)
    before = dump()
    status, said = credit(app, business, paid, "--net", "999")
    assert (status, "A refund of 10.00 EUR before tax is pending" in said) == (1, True)
    assert dump() == before
    if again == "command":
        assert credit(app, business, paid)[0] == 0
    else:
        assert sweep.sweep(business.account) == 0
    assert sweep.sweep() == 0
    assert [amounts(note) for note in notes()] == [(1000, 200, 1200)]
    assert [refund.state for refund in refunds()] == ["made"]
    assert given_back(app, business) == [1200]
    balanced(business)


def test_while_the_gateway_is_down_a_refund_waits_and_a_day_later_a_person_is_called(
    app: Flask, business: Made, paid: str, caplog: pytest.LogCaptureFixture
) -> None:
    post(app, f"/{business.account}/gateway", next="down")
    assert credit(app, business, paid)[0] == 1
    post(app, f"/{business.account}/clock", advance="PT23H")
    assert "has been pending" not in caplog.text
    post(app, f"/{business.account}/clock", advance="PT2H")
    assert f"refund {refunds()[0].key} has been pending" in caplog.text
    post(app, f"/{business.account}/gateway", next="")
    assert sum(done["refunded"] for done in sweep.run(business.account)) == 1
    assert [note.issued_on.isoformat() for note in notes()] == ["2027-01-16"]
    balanced(business)


def test_a_refund_that_the_gateway_refuses_leaves_all_as_it_was(app: Flask, business: Made, paid: str) -> None:
    post(app, f"/{business.account}/gateway", next="decline")
    status, said = credit(app, business, paid)
    assert (status, "The gateway refused the refund" in said) == (1, True)
    assert (notes(), given_back(app, business)) == ([], [])
    balanced(business)
    assert credit(app, business, paid)[0] == 0
    assert given_back(app, business) == [TOTAL]
    balanced(business)


def test_an_ended_subscriptions_refund_is_settled_too(app: Flask, business: Made, paid: str) -> None:
    service.cancel(business.account, business.subscriptions["business"] or "")
    post(app, f"/{business.account}/clock", advance="P90D")
    assert state(app, business)["subscriptions"][0]["status"] == "ended"
    post(app, f"/{business.account}/gateway", next="timeout_after_charge")
    assert credit(app, business, paid)[0] == 1
    assert sweep.sweep() == 0
    assert len(notes()) == 1


class Killed(BaseException):
    pass


@contextmanager
def killed_at(commit: int) -> Iterator[None]:
    """Ends the process just before its nth commit, the gateway's commits included."""
    count = 0

    def on_commit(_connection: Any) -> None:
        nonlocal count
        count += 1
        if count == commit:
            raise Killed

    event.listen(db.engine, "commit", on_commit)
    try:
        yield
    finally:
        event.remove(db.engine, "commit", on_commit)
        db.session.remove()
        db.engine.dispose()  # its connections end with the process


@pytest.mark.parametrize("commit", [1, 2, 3])
@pytest.mark.parametrize("again", ["command", "sweep"])
def test_killed_at_any_commit_the_money_goes_back_once(
    app: Flask, business: Made, paid: str, commit: int, again: str
) -> None:
    with killed_at(commit), pytest.raises(Killed):
        refunding.credit(business.account, paid, 5_000)
    balanced(business)
    began = len(refunds())
    assert began == (commit > 1)
    if again == "command" or not began:
        refunding.credit(business.account, paid, 5_000)
    sweep.sweep()
    assert [amounts(note) for note in notes()] == [(5_000, 1_000, 6_000)]
    assert given_back(app, business) == [6_000]
    balanced(business)


# Who is informed
def mailed() -> list[tuple[str, str, str | None]]:
    db.session.rollback()
    return [
        (mail.about.split("/")[0], mail.recipient, mail.attached_id)
        for mail in db.session.scalars(select(Message).order_by(Message.about, Message.recipient))
    ]


def bill_to(made: Made, *addresses: str) -> None:
    with transaction() as session:
        session.execute(update(Account).where(Account.id == made.account).values(billing_emails=list(addresses)))


def test_each_billing_email_gets_each_document_once(app: Flask, business: Made) -> None:
    bill_to(business, "compta@example.test", "achats@example.test", "COMPTA@example.test")
    assert pay(app, business, quoted(app, business, 14)) == "captured"
    refunding.credit(business.account, "MQ-2027-000002")
    sweep.sweep()
    (note,), invoice = notes(), listing.invoices_of(business.account)[1]
    billed = ["achats@example.test", "COMPTA@example.test"]
    assert sorted(mailed()) == sorted(
        [("receipt", business.email, None), ("credited", business.email, None)]
        + [("document", address, document.id) for document in (invoice, note) for address in billed]
    )


def test_an_owner_who_is_a_billing_email_gets_one_mail_with_the_document(app: Flask, business: Made) -> None:
    bill_to(business, business.email.upper())
    assert pay(app, business, quoted(app, business, 14)) == "captured"
    assert mailed() == [("receipt", business.email, listing.invoices_of(business.account)[0].id)]


def test_the_mail_is_in_the_language_of_the_documents(app: Flask, business: Made, paid: str) -> None:
    refunding.credit(business.account, paid, reason="Geste")
    mail = db.session.scalars(select(Message).where(Message.about.startswith("document/")).order_by(Message.subject))
    subjects = [name.subject.replace("\u00a0", " ") for name in mail]
    assert subjects == ["Avoir : MQ-2027-000003", "Facture : MQ-2027-000002"]
    (owner,) = db.session.scalars(select(Message).where(Message.about.startswith("credited/")))
    for text in ("MQ-2027-000003", "MQ-2027-000002", "489,60", "Geste"):
        assert text in owner.body, text


def test_the_panel_opens_the_document_of_a_mail(app: Flask, client: FlaskClient, business: Made, paid: str) -> None:
    mail = db.session.scalars(select(Message).where(Message.about.startswith("document/"))).one()
    address = f"/sandbox/messages/{mail.id}/attachment"
    assert f'href="{address}"' in client.get(f"/sandbox?account={business.account}").text
    assert client.get(address).data.startswith(b"%PDF-")
    receipt = db.session.scalars(select(Message).where(Message.about.startswith("receipt/"))).one()
    assert client.get(f"/sandbox/messages/{receipt.id}/attachment").status_code == 404


def test_the_activity_tells_of_it(app: Flask, client: FlaskClient, business: Made, paid: str) -> None:
    refunding.credit(business.account, paid)
    page = client.get("/activity").text
    for text in ("Credit note issued", "MQ-2027-000003", paid, "€489.60"):
        assert text in page
