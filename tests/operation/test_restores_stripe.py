"""Restores where Stripe is the gateway: it knows what was captured after the copy was made."""

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from tests.servers.stripe_server import Stripe
from tests.support.restoring import CHARGES, back_up, copied_at_each_moment, last_invoice, restored, run, seats
from tests.support.stripe_owner import Owner
from tests.support.world import subscription
from webapp.adapters.stripe.tables import StripeCustomer
from webapp.db import db
from webapp.models.invoices import Invoice
from webapp.models.purchases import Payment
from webapp.renewals import sweep
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service


def booked(made: Made) -> list[int]:
    db.session.rollback()
    query = select(Invoice.total).where(Invoice.account_id == made.account, Invoice.payment_key.is_not(None))
    return sorted(db.session.scalars(query))


def card_of(made: Made) -> tuple[str, str]:
    query = select(Payment.card_brand, Payment.card_last4).where(Payment.state == "captured").limit(1)
    brand, last4 = db.session.execute(query).one()
    db.session.rollback()
    return brand, last4


@pytest.mark.parametrize("name", ["roll over", "renew"])
def test_what_stripe_captured_after_the_copy_is_booked_and_never_charged_again(
    stripe_app: Flask, stripe: Stripe, tmp_path: Path, name: str
) -> None:
    owner = Owner(stripe_app, stripe, "business-past-due" if name == "roll over" else "business")
    if name == "roll over":
        owner.enters_card("/billing/cards/new")
        owner.client.post(f"/billing/cards/{owner.newest_card()}/default")
    with copied_at_each_moment(stripe_app, tmp_path, CHARGES) as copies:
        db.session.rollback()
        if name == "roll over":
            assert sweep.sweep(owner.made.account) == 0
        else:
            owner.pays()
    taken, periods, option = stripe.captured(), seats(owner.made), last_invoice(owner.made)
    assert len(taken) == 1
    for moment, file in copies.items():
        with restored(stripe_app, file) as elsewhere:
            stripe.forget_keys()
            run(elsewhere, "restored", option)
            assert sweep.sweep(owner.made.account) == 0
            assert (stripe.captured(), booked(owner.made), seats(owner.made)) == (taken, taken, periods), moment
            assert card_of(owner.made) == ("Visa", "4242")


def test_a_restored_sweep_finds_the_charge_that_stripe_made(stripe_app: Flask, stripe: Stripe, tmp_path: Path) -> None:
    """Though the operator did not run `restored`, and Stripe has forgotten the idempotency key."""
    owner = Owner(stripe_app, stripe, "business-past-due")
    owner.enters_card("/billing/cards/new")
    owner.client.post(f"/billing/cards/{owner.newest_card()}/default")
    back_up(stripe_app, tmp_path / "copy")
    db.session.rollback()
    assert sweep.sweep(owner.made.account) == 0
    taken = stripe.captured()
    stripe.forget_keys()
    with restored(stripe_app, tmp_path / "copy") as elsewhere:
        run(elsewhere, "restored", "--hold")
        from webapp.purchases import restores

        restores.resume()
        assert sweep.sweep(owner.made.account) == 0
        assert (stripe.captured(), booked(owner.made)) == (taken, taken)


def test_a_refund_of_a_capture_that_was_booked_by_a_restore(stripe_app: Flask, stripe: Stripe, tmp_path: Path) -> None:
    """The account's customer at Stripe, too, was made after the copy."""
    owner = Owner(stripe_app, stripe)
    back_up(stripe_app, tmp_path / "copy")
    owner.pays()
    option = last_invoice(owner.made)
    with restored(stripe_app, tmp_path / "copy") as elsewhere:
        assert db.session.scalars(select(func.count()).select_from(StripeCustomer)).one() == 0
        run(elsewhere, "restored", option)
        number = db.session.scalars(select(Invoice.number).where(Invoice.payment_key.is_not(None))).one()
        run(elsewhere, "credit-note", "--account", owner.made.account, number)
        assert [row["amount"] for row in stripe.refunds.values()] == stripe.captured() != []
        assert subscription(owner.made)


def test_a_capture_of_an_older_version_holds_what_it_may_be_of(
    stripe_app: Flask, stripe: Stripe, tmp_path: Path
) -> None:
    """Its metadata is the key alone; the account is known by its customer."""
    owner = Owner(stripe_app, stripe)
    owner.enters_card("/billing/cards/new")
    back_up(stripe_app, tmp_path / "copy")
    owner.pays()
    (intent,) = stripe.intents.values()
    intent["metadata"] = {"key": intent["metadata"]["key"]}
    option = last_invoice(owner.made)
    with restored(stripe_app, tmp_path / "copy") as elsewhere:
        assert f"HELD  subscription {subscription(owner.made)}" in run(elsewhere, "restored", option)
        assert booked(owner.made) == []


def test_an_intent_of_another_shop_is_of_no_concern(stripe_app: Flask, stripe: Stripe) -> None:
    owner = Owner(stripe_app, stripe)
    owner.pays()
    (intent,) = stripe.intents.values()
    intent["metadata"] = {"order": "1"}
    run(stripe_app, "restored")
    assert "HELD" not in run(stripe_app, "restored")
