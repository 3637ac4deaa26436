"""What holds for every purchase: reads write nothing, other accounts' ids are 404, nothing is charged twice."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from tests.purchases.test_renew import HX
from tests.support.world import dump, pay, post, quoted, renew_url, step, subscription
from webapp.db import db, new_id, transaction
from webapp.models.invoices import Invoice
from webapp.models.prices import PriceList
from webapp.models.purchases import Payment, Quote
from webapp.models.subscriptions import PeriodRow
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made


def test_a_get_changes_nothing(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business)
    before = dump()
    for path in (
        "/",
        "/subscriptions",
        f"/subscriptions/{subscription(business)}",
        renew_url(business),
        "/billing",
        f"{renew_url(business)}?seats=99&step=1",
        step(business, quote, "payment"),
        "/billing/invoices",
        step(business, quote, "overview"),
        step(business, quote, "receipt"),
        "/contact",
        "/sandbox",
        step(business, quote, "authentication"),
    ):
        assert client.get(path).status_code < 400, path
    assert dump() == before


def test_another_accounts_things_are_404_like_those_that_never_were(
    app: Flask, client: FlaskClient, business: Made
) -> None:
    mine, theirs = quoted(app, business), scenarios.make("business")
    foreign = quoted(app, theirs)
    invoice = db.session.scalars(select(Invoice.id).where(Invoice.account_id == theirs.account)).first()
    before = dump()
    for there, quote in (
        (subscription(theirs), foreign),
        (subscription(business), foreign),
        (subscription(theirs), mine),
        ("never", "never"),
    ):
        base = f"/subscriptions/{there}/renew/{quote}"
        for name in ("payment", "overview", "receipt", "authentication", "authenticated"):
            assert client.get(f"{base}/{name}").status_code == 404
        for name in ("payment", "payment/new-card", "pay", "reconcile", "abandon"):
            assert client.post(f"{base}/{name}").status_code == 404
    for there in (subscription(theirs), "never"):
        assert client.get(f"/subscriptions/{there}").status_code == 404
        assert client.get(f"/subscriptions/{there}/renew").status_code == 404
        assert client.get(f"/subscriptions/{there}/renew?seats=3", headers=HX).status_code == 404
        assert client.post(f"/subscriptions/{there}/renew", data={"seats": "14"}).status_code == 404
    assert client.get(f"/billing/invoices/{invoice}").status_code == 404
    assert client.get("/billing/cards/return?reference=never").status_code == 404
    assert dump() == before


@pytest.mark.service
def test_the_schema_refuses_a_second_charge(app: Flask, business: Made) -> None:
    """The schema allows one unrefused attempt per quote and one pending payment per subscription."""
    quote = quoted(app, business)
    pay(app, business, quote)
    copies = (
        Payment(key="x.2", quote_id=quote, attempt=2, state="captured", settled_at=business.now, **_paid(business)),
        PeriodRow(
            account_id=business.account,
            subscription_id=subscription(business),
            ordinal=6,
            seats=3,
            price_list_id=_price_list(),
            source="paid",
        ),
    )
    for copy in copies:
        with pytest.raises(IntegrityError), transaction() as session:
            session.add(copy)
    other = quoted_anyway(business)
    with transaction() as session:
        session.add(Payment(key="a.1", quote_id=other[0], attempt=1, state="pending", **_paid(business)))
    with pytest.raises(IntegrityError), transaction() as session:
        session.add(Payment(key="b.1", quote_id=other[1], attempt=1, state="pending", **_paid(business)))


def quoted_anyway(made: Made) -> list[str]:
    quote = db.session.scalars(select(Quote)).first()
    assert quote is not None
    columns = {c.key: getattr(quote, c.key) for c in Quote.__mapper__.column_attrs if c.key != "id"}
    copies = [Quote(id=new_id(), **columns) for _ in range(2)]
    with transaction() as session:
        session.add_all(copies)
    return [copy.id for copy in copies]


def _paid(made: Made) -> dict[str, object]:
    return {
        "account_id": made.account,
        "subscription_id": subscription(made),
        "amount": 1,
        "currency": "EUR",
        "card_token": "t",
        "card_brand": "Visa",
        "card_last4": "4242",
        "created_at": made.now,
    }


def _price_list() -> str:
    return db.session.scalars(select(PriceList.id)).first() or ""


@pytest.mark.service
def test_the_gateway_is_never_asked_while_a_transaction_is_open(
    app: Flask, business: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    from webapp.ports import ports

    quote, seen = quoted(app, business), []
    for name in ("charge", "find", "cancel"):
        real = getattr(ports().gateway, name)

        def asked(*args: object, real: object = real) -> object:
            seen.append(db.session().in_transaction())
            return real(*args)  # type: ignore[operator]

        monkeypatch.setattr(ports().gateway, name, asked)
    post(app, f"/{business.account}/gateway", next="timeout")
    pay(app, business, quote)
    post(app, f"/{business.account}/clock", advance="PT1M")
    assert seen == [False, False, False]
