"""Stripe's webhooks: they make the portal ask the API, and never decide by themselves."""

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest
import stripe as sdk
from flask import Flask
from sqlalchemy import event, select, update

from tests.servers.stripe_server import WEBHOOK_SECRET, Stripe
from tests.servers.stripe_shapes import Shape
from tests.support.stripe_owner import Owner
from tests.support.world import dump, signed_in
from webapp.adapters.clock import machine_now
from webapp.db import db, transaction
from webapp.models.cards import Card
from webapp.models.invoices import Invoice
from webapp.models.purchases import Notification, Payment, Refund
from webapp.purchases import refunds

HERE = "/webhooks/stripe"


def signed(body: str, secret: str = WEBHOOK_SECRET, age: int = 0) -> str:
    at = int(machine_now().timestamp()) - age
    header: str = sdk.WebhookSignature.generate_signature_header(body, secret, at)
    return header


def tell(app: Flask, content: Shape | str, signature: str | None = None) -> int:
    """Sends a webhook as Stripe does; returns the status of the answer."""
    body = content if isinstance(content, str) else json.dumps(content)
    headers = {"Stripe-Signature": signed(body) if signature is None else signature}
    db.session.rollback()
    answer = app.test_client().post(HERE, data=body, content_type="application/json", headers=headers)
    assert answer.data == b"" or answer.status_code not in (200, 400, 503)
    return answer.status_code


@pytest.fixture
def challenged(owner: Owner, stripe: Stripe) -> Shape:
    """An intent whose owner has been sent to the bank's page."""
    assert owner.pays("challenge").endswith("/authentication")
    (intent,) = stripe.intents.values()
    return intent


def confirmed(stripe: Stripe, intent: Shape, said: bool = True) -> Shape:
    stripe.authenticate(intent["next_action"]["redirect_to_url"]["url"], said)
    return stripe.event("payment_intent.succeeded" if said else "payment_intent.payment_failed", intent)


@pytest.mark.parametrize(("said", "state"), [(True, "captured"), (False, "declined")])
def test_a_payment_is_settled_though_the_browser_never_comes_back(
    stripe_app: Flask, owner: Owner, stripe: Stripe, challenged: Shape, said: bool, state: str
) -> None:
    stripe_app.config["WTF_CSRF_ENABLED"] = True
    assert tell(stripe_app, confirmed(stripe, challenged, said)) == 200
    assert (owner.payments(), owner.renewals()) == ([state], int(said))


def test_one_of_an_older_version_is_found_through_its_customer(
    stripe_app: Flask, owner: Owner, stripe: Stripe, challenged: Shape
) -> None:
    """Intents of versions up to 0.7 name no account, and whoever is nobody's customer is ignored."""
    event = confirmed(stripe, challenged)
    del event["data"]["object"]["metadata"]["account"]
    stranger = json.loads(json.dumps(event))
    stranger["id"], stranger["data"]["object"]["customer"] = "evt_stranger", "cus_stranger"
    assert tell(stripe_app, stranger) == 200
    assert owner.payments() == ["pending"]
    assert tell(stripe_app, event) == 200
    assert (owner.payments(), owner.renewals()) == (["captured"], 1)


def test_one_that_lies_changes_nothing(stripe_app: Flask, stripe: Stripe, challenged: Shape, owner: Owner) -> None:
    """The signature is right, but Stripe's API says otherwise."""
    lie = stripe.event("payment_intent.succeeded", challenged | {"status": "succeeded", "amount_received": 48_960})
    assert tell(stripe_app, lie) == 200
    assert (owner.payments(), owner.renewals()) == (["pending"], 0)


FORGERIES = {
    "unsigned": lambda body: "",
    "another secret": lambda body: signed(body, "whsec_another"),
    "old": lambda body: signed(body, age=301),
    "another body": lambda body: signed(body + " "),
    "another time": lambda body: signed(body).replace("t=1", "t=2"),
    "an older scheme": lambda body: signed(body).replace("v1=", "v0="),
    "nonsense": lambda body: "t=x,v1=y",
    "not ASCII": lambda body: signed(body) + "é",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_one_that_is_forged_or_stale_is_refused(
    stripe_app: Flask, stripe: Stripe, challenged: Shape, forgery: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps(confirmed(stripe, challenged))
    before = dump()
    with caplog.at_level(logging.DEBUG):
        assert tell(stripe_app, body, FORGERIES[forgery](body)) == 400
    assert dump() == before
    (line,) = [record.getMessage() for record in caplog.records if record.name == "webapp.views.webhooks"]
    assert "check STRIPE_WEBHOOK_SECRET" in line
    assert WEBHOOK_SECRET not in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        "null",
        "12",
        '{"id": 1}',
        '{"id": "evt_1", "type": "x"}',
        "{\xff",
        "[" * 20_000,
        '{"id": {}, "type": "payment_intent.succeeded", "data": {"object": {"metadata": {"key": "x"}}}}',
    ],
)
def test_a_body_that_is_no_event_is_refused_or_of_no_concern(stripe_app: Flask, owner: Owner, body: str) -> None:
    before = dump()
    assert tell(stripe_app, body) == 400
    assert dump() == before


@pytest.mark.parametrize("kind", ["customer.created", "payment_intent.created", "an.event.of.next.year"])
def test_one_of_no_concern_is_accepted_and_nothing_changes(
    stripe_app: Flask, stripe: Stripe, challenged: Shape, kind: str
) -> None:
    confirmed(stripe, challenged)
    before = dump()
    stripe.asked.clear()
    assert tell(stripe_app, stripe.event(kind, challenged)) == 200
    assert (dump(), stripe.asked) == (before, [])


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        ("payment_intent.succeeded", {"id": "pi_1", "metadata": {"key": "of-another-shop.1"}}),
        ("payment_intent.succeeded", {"id": "pi_1", "metadata": {}}),
        ("payment_intent.succeeded", {"id": "pi_1", "metadata": None}),
        ("payment_intent.succeeded", {"id": "pi_1", "metadata": {"key": 7}}),
        ("refund.updated", {"id": "re_1", "metadata": {"key": "of-another-shop.1.r1"}}),
        ("checkout.session.completed", {"id": "cs_1", "client_reference_id": None}),
        ("checkout.session.completed", {"id": "cs_1", "client_reference_id": "of-another-shop"}),
    ],
)
def test_one_about_what_is_not_ours_changes_nothing(
    stripe_app: Flask, stripe: Stripe, challenged: Shape, kind: str, about: Shape
) -> None:
    before = dump()
    assert tell(stripe_app, stripe.event(kind, about)) == 200
    assert {name: rows for name, rows in dump().items() if name != "notification"} == {
        name: rows for name, rows in before.items() if name != "notification"
    }


@pytest.mark.service
def test_the_same_one_again_is_not_asked_about_again(
    stripe_app: Flask, owner: Owner, stripe: Stripe, challenged: Shape
) -> None:
    notification = stripe.event("payment_intent.requires_action", challenged)
    stripe.asked.clear()
    assert (tell(stripe_app, notification), len(stripe.asked)) == (200, 1)
    before = dump()
    assert [tell(stripe_app, notification) for _ in range(3)] == [200] * 3
    assert (dump(), len(stripe.asked), owner.payments()) == (before, 1, ["pending"])


@pytest.mark.service
@pytest.mark.parametrize("seed", range(4))
def test_in_any_order_and_repeated_they_bring_about_one_renewal(
    stripe_app: Flask, owner: Owner, stripe: Stripe, challenged: Shape, seed: int
) -> None:
    before = dict(challenged)
    last = confirmed(stripe, challenged)
    notifications = [
        stripe.event("payment_intent.created", before),
        stripe.event("payment_intent.requires_action", before),
        stripe.event("payment_intent.payment_failed", before | {"status": "requires_payment_method"}),
        stripe.event("payment_intent.canceled", before | {"status": "canceled"}),
        last,
    ] * 2
    Random(seed).shuffle(notifications)
    assert {tell(stripe_app, notification) for notification in notifications} == {200}
    assert (owner.payments(), owner.renewals(), stripe.captured()) == (["captured"], 1, [48_960])


@pytest.mark.service
def test_several_at_once_bring_about_one_renewal(
    stripe_app: Flask, owner: Owner, stripe: Stripe, challenged: Shape
) -> None:
    body = json.dumps(confirmed(stripe, challenged))
    headers = {"Stripe-Signature": signed(body)}
    db.session.rollback()

    def send(_number: int) -> int:
        return stripe_app.test_client().post(HERE, data=body, headers=headers).status_code

    with ThreadPoolExecutor(5) as several:
        assert list(several.map(send, range(10))) == [200] * 10
    assert (owner.payments(), owner.renewals(), len(dump()["notification"])) == (["captured"], 1, 1)


@pytest.mark.service
def test_nothing_is_held_of_the_database_while_it_makes_the_portal_ask(
    stripe_app: Flask, stripe: Stripe, challenged: Shape
) -> None:
    notification, held = confirmed(stripe, challenged), []
    db.session.rollback()
    pool = db.engine.pool
    stripe.during = lambda: held.append(pool.checkedout())  # type: ignore[attr-defined]
    assert (tell(stripe_app, notification), held) == (200, [0])


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fault", ["500", "silent", "dropped"])
def test_while_stripe_does_not_answer_it_is_to_be_sent_again(
    stripe_app: Flask, owner: Owner, stripe: Stripe, challenged: Shape, fault: str
) -> None:
    notification = confirmed(stripe, challenged)
    stripe.fail(fault, "/payment_intents")
    assert (tell(stripe_app, notification), owner.payments()) == (503, ["pending"])
    assert (tell(stripe_app, notification), owner.payments()) == (200, ["captured"])


@pytest.fixture
def dying() -> Iterator[list[str]]:
    """The process dies before it stores a notification, once for each entry of the list."""
    deaths: list[str] = []

    def die(*_: Any) -> None:
        if deaths:
            raise RuntimeError(deaths.pop())

    event.listen(Notification, "before_insert", die)
    yield deaths
    event.remove(Notification, "before_insert", die)


@pytest.mark.service
def test_a_death_before_it_is_remembered_does_the_work_once(
    stripe_app: Flask, owner: Owner, stripe: Stripe, challenged: Shape, dying: list[str]
) -> None:
    notification = confirmed(stripe, challenged)
    dying.append("killed")
    assert tell(stripe_app, notification) == 500
    assert (owner.payments(), owner.renewals()) == (["captured"], 1)
    assert tell(stripe_app, notification) == 200
    assert (owner.payments(), owner.renewals()) == (["captured"], 1)
    assert len(dump()["notification"]) == 1


def test_a_card_is_saved_though_the_browser_never_comes_back_and_once_if_it_does(
    stripe_app: Flask, owner: Owner, stripe: Stripe
) -> None:
    payment = owner.quoted()
    owner.client.post(f"{payment}/new-card")
    (page,) = stripe.sessions.values()
    assert tell(stripe_app, stripe.event("checkout.session.completed", page)) == 200
    assert owner.newest_card() == ""  # no card was entered yet, whatever the webhook said
    stripe.enter_card(page["id"])
    assert tell(stripe_app, stripe.event("checkout.session.completed", page)) == 200
    card = owner.newest_card()
    assert f'value="{card}"' in owner.client.get(payment).text
    back = urlsplit(page["success_url"])
    assert owner.follow(owner.client.get(f"{back.path}?{back.query}")) == payment
    db.session.rollback()
    assert db.session.scalars(select(Card.id).where(Card.token.like("pm_%"))).all() == [card]


def test_a_refund_that_was_on_its_way_brings_its_credit_note(stripe_app: Flask, owner: Owner, stripe: Stripe) -> None:
    owner.pays()
    db.session.rollback()
    number = db.session.scalars(select(Invoice.number).where(Invoice.payment_key.is_not(None))).one()
    stripe.refund_status = "pending"
    assert refunds.credit(owner.made.account, number).state == "pending"
    (made,) = stripe.refunds.values()
    assert tell(stripe_app, stripe.event("refund.updated", made | {"status": "succeeded"})) == 200
    assert db.session.scalars(select(Refund.state)).all() == ["pending"]
    made["status"] = "succeeded"
    assert [tell(stripe_app, stripe.event("refund.updated", made)) for _ in range(2)] == [200, 200]
    db.session.rollback()
    assert db.session.scalars(select(Refund.state)).all() == ["made"]
    assert len(stripe.refunds) == 1


@pytest.mark.service
def test_what_is_remembered_is_forgotten_after_a_month(stripe_app: Flask, stripe: Stripe, challenged: Shape) -> None:
    ask = stripe.event("payment_intent.requires_action", challenged)
    tell(stripe_app, ask)
    with transaction() as session:
        session.execute(update(Notification).values(heard_at=machine_now() - timedelta(days=31)))
    tell(stripe_app, stripe.event("payment_intent.requires_action", challenged))
    db.session.rollback()
    assert ask["id"] not in db.session.scalars(select(Notification.id)).all()


def test_it_is_a_post_of_at_most_64_kilobytes(stripe_app: Flask) -> None:
    assert stripe_app.test_client().get(HERE).status_code == 405
    assert tell(stripe_app, " " * (64 * 1024 + 1)) == 413


def test_the_sandbox_hears_none(app: Flask) -> None:
    assert app.test_client().post(HERE, data="{}").status_code == 404


def test_a_stranger_and_an_owner_are_answered_alike(stripe_app: Flask, owner: Owner) -> None:
    for client in (stripe_app.test_client(), signed_in(stripe_app, owner.made)):
        assert client.post(HERE, data="{}").status_code == 400
    assert db.session.scalars(select(Payment.key)).all() == []
