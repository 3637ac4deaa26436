"""What a portal does on a restored copy, and what `restored` says and does about what it finds."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update

from tests.access.test_passwords import follow, link
from tests.soak.killed import the_day_comes
from tests.support.invitations import invited
from tests.support.restoring import back_up, booked, captured, last_invoice, restored, run
from tests.support.truth import later
from tests.support.world import pay, post, quoted, renew_url, signed_in, step, subscription
from webapp.db import db, transaction
from webapp.models.accounts import Member
from webapp.models.invoices import Invoice, InvoiceCounter, SpentNumber
from webapp.models.mail import Message
from webapp.models.prices import PriceList
from webapp.models.restores import UnbookedCapture
from webapp.models.subscriptions import SubscriptionRow
from webapp.operation import doctor
from webapp.purchases import hold, refunds, restores
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCharge
from webapp.subscriptions import service

pytestmark = pytest.mark.service


def fault_of(name: str) -> str:
    """What the doctor says of that check."""
    return dict(doctor.CHECKS)[name]() or ""


def test_a_held_portal_shows_its_pages_and_charges_nothing(app: Flask, business: Made) -> None:
    quote = quoted(app, business)
    assert "paused" in run(app, "restored", "--hold")
    client = signed_in(app, business)
    for locale, words in (("en", "Payments are paused."), ("fr", "Les paiements sont suspendus.")):
        client.set_cookie("locale", locale)
        for path in ("/subscriptions", "/billing"):
            page = client.get(path)
            assert (page.status_code, words in page.text) == (200, True), (locale, path)
    client.set_cookie("locale", "en")
    answer = client.post(step(business, quote, "pay"), data={"attempt": 1})
    assert (answer.status_code, "Nothing was charged" in answer.text) == (503, True)
    the_day_comes(app, business, None)
    assert (captured(), booked(business)) == ([], {})
    assert "flask --app webapp restored" in fault_of("restored copy")
    run(app, "restored")
    assert fault_of("restored copy") == ""
    client = password_reset(app, business)
    assert "Payments are paused." not in client.get("/subscriptions").text
    later(business, timedelta(minutes=1))
    assert len(captured()) == 1


def password_reset(app: Flask, made: Made) -> FlaskClient:
    """The owner sets a new password by mail, as `restored` asks of everybody, and signs in."""
    password = "four words of mine"
    opened = follow(app, link(app, made))
    assert opened.post("/password/reset", data={"new": password, "again": password}).status_code == 303
    return signed_in(app, replace(made, password=password))


def test_what_is_in_flight_is_not_settled_while_payments_are_held(app: Flask, business: Made) -> None:
    """Its invoice would get a number that may be taken."""
    quote = quoted(app, business)
    post(app, f"/{business.account}/gateway", next="timeout_after_charge")
    assert pay(app, business, quote) == "pending"
    run(app, "restored", "--hold")
    client = signed_in(app, business)
    client.get(step(business, quote, "authenticated"))
    later(business, timedelta(minutes=1))
    assert (len(captured()), booked(business)) == (1, {})
    answer = client.post(step(business, quote, "pay"), data={"attempt": 1})
    assert answer.status_code == 503
    said = run(app, "restored", code=1)
    assert last_invoice(business).removeprefix("--last-invoice=") in said
    run(app, "restored", last_invoice(business))
    assert booked(business) == dict(captured())


def test_no_credit_note_is_numbered_while_payments_are_held(app: Flask, business: Made) -> None:
    assert pay(app, business, quoted(app, business)) == "captured"
    run(app, "restored", "--hold")
    number = db.session.scalars(select(Invoice.number).where(Invoice.payment_key.is_not(None))).one()
    with pytest.raises(refunds.NotCredited, match="paused"):
        refunds.credit(business.account, number)


def test_every_session_and_link_and_password_ends(app: Flask, business: Made) -> None:
    client = signed_in(app, business)
    app.test_client().post("/password/forgotten", data={"email": business.email})
    link = invited(app, business, client, "nadia@example.test")
    run(app, "restored")
    assert client.get("/subscriptions").status_code == 303
    assert app.test_client().get(link).status_code == 410
    form = {"email": business.email, "password": business.password}
    assert app.test_client().post("/sign-in", data=form).status_code == 422
    assert set(db.session.scalars(select(Member.password_hash))) == {""}


def test_who_set_a_new_password_during_a_restore_that_stopped_keeps_it(app: Flask, business: Made) -> None:
    """The gateway was silent, so it is run again."""
    from webapp.access import sign_in

    restores.hold_payments()
    restores.end_access()
    with transaction() as session:
        session.execute(update(Member).values(password_hash=sign_in.hasher.hash("correct horse battery")))
    run(app, "restored")
    form = {"email": business.email, "password": "correct horse battery"}
    assert app.test_client().post("/sign-in", data=form).status_code == 303


def test_numbers_that_were_sent_after_the_copy_are_never_given_again(
    app: Flask, business: Made, tmp_path: Path
) -> None:
    back_up(app, tmp_path / "copy")
    the_day_comes(app, business, None)
    (sent,) = db.session.scalars(select(Invoice.number).where(Invoice.payment_key.is_not(None)))
    option = last_invoice(business)
    with restored(app, tmp_path / "copy") as elsewhere:
        known = last_invoice(business)
        said = run(elsewhere, "restored", code=1)
        assert (known.removeprefix("--last-invoice=") in said, "Payments stay paused" in said) == (True, True)
        assert (booked(business), hold.payments_held()) == ({}, True)
        run(elsewhere, "restored", option)
        (number,) = db.session.scalars(select(Invoice.number).where(Invoice.payment_key.is_not(None)))
        assert number > sent
        assert db.session.scalars(select(SpentNumber.number)).all() == [sent]
        assert fault_of("invoice numbers") == ""
        mails = db.session.scalars(select(Message.body).where(Message.about.startswith("receipt/"))).all()
        assert [number in mail for mail in mails] == [True]


@pytest.mark.parametrize("number", ["nonsense", "MQ-2027-12", "XX-2027-000012", "nobody:MQ-2027-000012"])
def test_a_number_that_names_nothing_leaves_payments_paused(app: Flask, business: Made, number: str) -> None:
    assert "Payments stay paused" in run(app, "restored", "--last-invoice", number, code=1)
    assert hold.payments_held()


def test_the_doctor_misses_a_number(app: Flask, business: Made) -> None:
    assert fault_of("invoice numbers") == ""
    with transaction() as session:
        session.execute(update(InvoiceCounter).values(last_number=InvoiceCounter.last_number + 2))
    assert "2 of issuer" in fault_of("invoice numbers")


def test_a_gateway_that_is_silent_leaves_payments_paused(app: Flask, business: Made) -> None:
    quote = quoted(app, business)
    post(app, f"/{business.account}/gateway", next="down")
    assert pay(app, business, quote) == "pending"
    assert "Payments stay paused" in run(app, "restored", code=1)
    assert hold.payments_held()
    post(app, f"/{business.account}/gateway", next="")
    run(app, "restored")
    later(business, timedelta(minutes=1))
    assert (captured(), hold.payments_held()) == ([], False)


def dearer() -> None:
    with transaction() as session:
        session.execute(update(PriceList).values(rows=[[None, 9_999]]))


def ended(made: Made) -> None:
    with transaction() as session:
        session.execute(update(SubscriptionRow).values(ended_on=made.now.date()))


def cancelled(made: Made) -> None:
    service.cancel(made.account, subscription(made))


def without_metadata(_made: Made) -> None:
    """As older versions charged."""
    with transaction() as session:
        session.execute(update(SandboxCharge).values(purpose={}))


@pytest.mark.parametrize("why", ["dearer", "ended", "cancelled", "without_metadata"])
def test_a_capture_that_cannot_be_booked_holds_its_subscription_and_is_named(
    app: Flask, business: Made, tmp_path: Path, why: str
) -> None:
    back_up(app, tmp_path / "copy")
    the_day_comes(app, business, None)
    ledger, option = captured(), last_invoice(business)
    changed = {"ended": ended, "cancelled": cancelled, "without_metadata": without_metadata}
    with restored(app, tmp_path / "copy") as elsewhere:
        if why == "dearer":
            dearer()
        else:
            changed[why](business)
        said = run(elsewhere, "restored", option)
        ((key, _),) = ledger
        for words in (said, fault_of("held")):
            assert (subscription(business) in words, key in words) == (True, True), words
        later(business, timedelta(days=1))
        assert (captured(), booked(business)) == (ledger, {})
        assert run(elsewhere, "restored", option).count("HELD") == 1
        run(elsewhere, "release", subscription(business))
        assert fault_of("held") == ""
        assert "HELD" not in run(elsewhere, "restored", option)


def test_a_held_subscription_says_so_and_refuses_every_change(app: Flask, business: Made, tmp_path: Path) -> None:
    client, quote = signed_in(app, business), quoted(app, business)
    held(business)
    page = client.get("/subscriptions").text
    assert "We are checking a payment for this subscription." in page
    assert renew_url(business) not in page
    for path, form in (
        (step(business, quote, "pay"), {"attempt": 1}),
        (renew_url(business), {"seats": 14}),
        (f"/subscriptions/{subscription(business)}/reduce", {"seats": 8}),
    ):
        answer = client.post(path, data=form)
        assert (answer.status_code, "We are checking a payment" in answer.text) == (409, True), path
    the_day_comes(app, business, None)
    assert captured() == []
    run(app, "release", subscription(business))
    later(business, timedelta(minutes=1))
    assert len(captured()) == 1
    assert "is not held" in run(app, "release", subscription(business), code=1)


def held(made: Made) -> None:
    with transaction() as session:
        session.add(
            UnbookedCapture(
                account_id=made.account,
                subscription_id=subscription(made),
                key="k.1",
                amount=1,
                currency="EUR",
                reason="It is a test.",
                found_at=made.now,
            )
        )


def test_a_capture_of_an_account_that_is_not_here_is_named(app: Flask, business: Made, tmp_path: Path) -> None:
    """The account was made after the copy."""
    the_day_comes(app, business, None)
    (charge,) = db.session.execute(select(SandboxCharge.key, SandboxCharge.card_token)).all()
    with transaction() as session:
        session.add(
            SandboxCharge(
                key="elsewhere.1",
                customer="nobody",
                card_token=charge.card_token,
                amount=100,
                currency="EUR",
                state="captured",
                return_url="",
                captured_at=business.now,
                purpose={"account": "nobody", "subscription": "nothing", "kind": "renewal"},
            )
        )
    said = run(app, "restored")
    assert ("elsewhere.1" in said, "nothing" in said) == (True, True)
    run(app, "release", "nothing")
    with transaction() as session:
        session.execute(delete(SandboxCharge).where(SandboxCharge.key == "elsewhere.1"))
