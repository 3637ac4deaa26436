"""The backup card in the automatic renewal: charged on the day of the refusal of the default, and never twice."""

from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, update

from tests.support import invariants
from tests.support.restoring import back_up, booked, captured, last_invoice, restored, run
from tests.support.truth import check, later
from tests.support.world import pay, post, quoted, state, statements, subscription, words
from webapp.db import db, transaction
from webapp.models.activity import Activity
from webapp.models.cards import Card
from webapp.models.purchases import Payment
from webapp.purchases import cards, payments, restores
from webapp.renewals import sweep
from webapp.renewals.rollover import SubscriptionKey, Tally, roll_over
from webapp.sandbox import scenarios
from webapp.sandbox.clock import set_clock
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCard
from webapp.subscriptions import loading

pytestmark = pytest.mark.service
DAY = timedelta(days=1)


@pytest.fixture
def made(app: Flask) -> Made:
    """Visa 4242 is the default, Mastercard 4444 the backup."""
    return scenarios.make("business-backup-card")


def behave(last4: str, behaviour: str) -> None:
    with transaction() as session:
        session.execute(update(SandboxCard).where(SandboxCard.last4 == last4).values(behaviour=behaviour))


def until(app: Flask, made: Made, to: str) -> str:
    post(app, f"/{made.account}/clock", to=to)
    check(made)
    invariants.check(invariants.read(made.account))
    status: str = state(app, made)["subscriptions"][0]["status"]
    return status


def tried(made: Made) -> list[tuple[str, str, str]]:
    """Each payment: the number at the end of its key, its card and its state."""
    db.session.rollback()
    rows = db.session.scalars(select(Payment).where(Payment.account_id == made.account).order_by(Payment.key))
    return [(row.key.rpartition("-")[2], row.card_last4, row.state) for row in rows]


def mails(app: Flask, made: Made, subject: str) -> list[str]:
    return [words(mail["text"]) for mail in state(app, made)["messages"] if mail["subject"].startswith(subject)]


def test_the_backup_pays_on_the_same_day_and_the_receipt_says_so(app: Flask, made: Made) -> None:
    behave("4242", "card_declined")
    assert until(app, made, "2027-02-15T00:00:00") == "active"
    assert tried(made) == [("1", "4242", "declined"), ("2", "4444", "captured")]
    assert mails(app, made, "Votre paiement a été refusé") == []
    (receipt,) = mails(app, made, "Reçu de votre paiement")
    assert "La carte par défaut, Visa •••• 4242, a été refusée" in receipt
    assert "Mastercard •••• 4444" in receipt
    rows = db.session.scalars(select(Activity).where(Activity.account_id == made.account).order_by(Activity.id)).all()
    assert [(row.what, row.after.get("card")) for row in rows if row.subscription_id] == [
        ("payment_refused", "Visa ••••\u00a04242"),
        ("renewal_paid", "Mastercard ••••\u00a04444"),
    ]


def test_both_refused_are_one_of_five_attempts_and_one_mail(app: Flask, made: Made) -> None:
    behave("4242", "card_declined")
    behave("4444", "insufficient_funds")
    for day, count, status in (
        ("15", 1, "past_due"),
        ("16", 2, "past_due"),
        ("18", 3, "past_due"),
        ("20", 4, "past_due"),
        ("22", 5, "lapsed"),
        ("28", 5, "lapsed"),
    ):
        assert until(app, made, f"2027-02-{day}T12:00:00") == status
        assert len(tried(made)) == 2 * count, day
        assert len(mails(app, made, "Votre paiement a été refusé")) == count, day
    first = mails(app, made, "Votre paiement a été refusé")[0]
    assert "Visa •••• 4242" in first
    assert "Mastercard •••• 4444" in first
    assert until(app, made, "2027-03-24T00:00:00") == "ended"


def test_an_unknown_outcome_of_the_default_leads_to_no_backup(app: Flask, made: Made) -> None:
    post(app, f"/{made.account}/gateway", next="down")
    until(app, made, "2027-02-15T00:00:05")
    assert tried(made) == [("1", "4242", "pending")]
    post(app, f"/{made.account}/gateway", next="")
    until(app, made, "2027-02-15T00:05:00")
    assert tried(made) == [("1", "4242", "cancelled"), ("2", "4242", "captured")]


def test_a_challenge_of_the_default_that_nobody_answers_leads_to_the_backup(app: Flask, made: Made) -> None:
    behave("4242", "challenge")
    until(app, made, "2027-02-16T23:59:00")
    assert tried(made) == [("1", "4242", "pending")]
    assert until(app, made, "2027-02-17T00:00:00") == "active"
    assert tried(made) == [("1", "4242", "declined"), ("2", "4444", "captured")]


def test_a_challenge_of_the_backup_waits_and_counts_from_its_end(app: Flask, made: Made) -> None:
    behave("4242", "card_declined")
    behave("4444", "challenge")
    until(app, made, "2027-02-16T23:59:00")
    assert tried(made) == [("1", "4242", "declined"), ("2", "4444", "pending")]
    assert mails(app, made, "Votre paiement a été refusé") == []
    until(app, made, "2027-02-17T00:00:00")
    assert [row[2] for row in tried(made)] == ["declined", "declined"]
    assert len(mails(app, made, "Votre paiement a été refusé")) == 1
    facts = loading.load(made.account, subscription(made)).facts
    assert (facts.refused, str(facts.refused_on)) == (1, "2027-02-17")
    until(app, made, "2027-02-18T00:00:00")
    assert len(tried(made)) == 4


def test_a_command_of_the_owner_replaces_the_challenge_of_the_backup(app: Flask, made: Made) -> None:
    behave("4242", "card_declined")
    behave("4444", "challenge")
    until(app, made, "2027-02-15T01:00:00")
    behave("4242", "accepted")
    assert payments.cancel_challenge(made.account, subscription(made)) is not None
    assert pay(app, made, quoted(app, made)) == "captured"
    assert loading.load(made.account, subscription(made)).backup_due is None
    assert until(app, made, "2027-02-17T01:00:00") == "active"


@pytest.mark.parametrize("gone", ["expired", "removed", "deleted"])
def test_a_backup_that_cannot_be_charged_is_not_tried_and_the_refusal_is_told(
    app: Flask, made: Made, gone: str
) -> None:
    behave("4242", "card_declined")
    if gone == "expired":
        with transaction() as session:
            session.execute(update(Card).where(Card.last4 == "4444").values(exp_year=2027, exp_month=1))
    elif gone == "removed":
        cards.remove_backup(made.account, made.cards[1])
    else:
        cards.delete(made.account, made.cards[1])
    assert until(app, made, "2027-02-15T01:00:00") == "past_due"
    assert tried(made) == [("1", "4242", "declined")]
    (mail,) = mails(app, made, "Votre paiement a été refusé")
    assert "4444" not in mail


def default_refused(app: Flask, made: Made) -> None:
    """The process that charged the default card died before the backup card was claimed."""
    behave("4242", "card_declined")
    post(app, f"/{made.account}/gateway", next="timeout_after_charge")
    set_clock(made.account, made.now.replace(month=2, day=15))
    assert sweep.sweep(made.account) == 0
    payment = loading.load(made.account, subscription(made)).pending_payments[0]
    payments.reconcile(made.account, subscription(made), payment.quote.id)
    assert loading.load(made.account, subscription(made)).backup_due is not None


def test_a_sweep_that_died_before_the_backup_is_continued(app: Flask, made: Made) -> None:
    default_refused(app, made)
    assert loading.load(made.account, subscription(made)).facts.refused == 0
    assert roll_over(SubscriptionKey(made.account, subscription(made))) == Tally(renewed=1)
    assert tried(made) == [("1", "4242", "declined"), ("2", "4444", "captured")]
    check(made)


def test_the_backup_is_not_tried_on_another_day_and_the_refusal_is_told(app: Flask, made: Made) -> None:
    default_refused(app, made)
    behave("4444", "card_declined")
    later(made, DAY)
    assert [row[1] for row in tried(made)] == ["4242", "4242", "4444"]
    assert len(mails(app, made, "Votre paiement a été refusé")) == 2
    assert loading.load(made.account, subscription(made)).facts.refused == 2


def test_a_backup_taken_away_meanwhile_is_not_charged(app: Flask, made: Made) -> None:
    default_refused(app, made)
    cards.remove_backup(made.account, made.cards[1])
    later(made, timedelta(minutes=1))
    assert [row[1] for row in tried(made)] == ["4242"]
    assert len(mails(app, made, "Votre paiement a été refusé")) == 1


def test_a_backup_that_the_gateway_never_heard_of_is_tried_again(app: Flask, made: Made) -> None:
    default_refused(app, made)
    post(app, f"/{made.account}/gateway", next="timeout")
    later(made, timedelta(seconds=1))
    assert tried(made)[-1] == ("2", "4444", "pending")
    later(made, timedelta(minutes=1))
    assert tried(made) == [("1", "4242", "declined"), ("2", "4444", "cancelled"), ("3", "4444", "captured")]
    check(made)


def test_the_owners_own_purchase_never_charges_the_backup(app: Flask, made: Made) -> None:
    behave("4242", "card_declined")
    assert pay(app, made, quoted(app, made)) == "declined"
    assert sweep.sweep(made.account) == 0
    assert [row[1] for row in tried(made)] == ["4242"]


def test_a_refusal_costs_a_backup_few_statements_more_and_a_renewal_none(app: Flask, made: Made) -> None:
    set_clock(made.account, made.now.replace(month=2, day=15))
    with statements() as asked:
        assert roll_over(SubscriptionKey(made.account, subscription(made))) == Tally(renewed=1)
    locks = 2 if db.engine.dialect.name == "postgresql" else 0
    portal = [statement for statement in asked if "sandbox" not in statement and "advisory" not in statement]
    assert len(portal) == 15 + locks, "as without a backup card"


@pytest.mark.parametrize("chosen_before", [True, False])
@pytest.mark.parametrize("command", [True, False])
def test_a_restored_portal_finds_what_the_backup_card_paid(
    app: Flask, tmp_path: Path, chosen_before: bool, command: bool
) -> None:
    """Also where the copy does not know of the backup card, and where nobody ran the command `restored`."""
    made = scenarios.make("business-backup-card" if chosen_before else "business-two-cards")
    behave("4242", "card_declined")
    back_up(app, tmp_path / "copy")
    if not chosen_before:
        cards.make_backup(made.account, made.cards[1])
    until(app, made, "2027-02-15T00:00:00")
    ledger, option = captured(), last_invoice(made)
    assert len(ledger) == 1
    with restored(app, tmp_path / "copy") as elsewhere:
        set_clock(made.account, made.now.replace(month=2, day=15))
        if command:
            run(elsewhere, "restored", option)
        else:
            restores.hold_payments()
            restores.resume()
        for _ in range(3):
            later(made, DAY)
        assert (captured(), booked(made)) == (ledger, dict(ledger))
        db.session.rollback()
        paid = db.session.scalars(select(Payment.card_last4).where(Payment.state == "captured")).all()
        assert paid == ["4444"]


def test_a_copy_made_between_both_cards_goes_on_with_the_backup(app: Flask, made: Made, tmp_path: Path) -> None:
    default_refused(app, made)
    back_up(app, tmp_path / "copy")
    later(made, timedelta(minutes=1))
    ledger = captured()
    with restored(app, tmp_path / "copy"):
        restores.hold_payments()
        restores.resume()
        later(made, timedelta(minutes=1))
        assert (captured(), booked(made)) == (ledger, dict(ledger))
        assert tried(made) == [("1", "4242", "declined"), ("2", "4444", "captured")]
