"""Renew: what is accepted, what is refused, and that a refusal changes nothing."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from webapp.accounts import billing_information
from webapp.db import db, new_id, transaction
from webapp.domain.refusals import AlreadyRenewed, CancellationOpen, PlanForbids
from webapp.domain.seats import MAX_SEATS
from webapp.models.accounts import Account
from webapp.models.invoices import Invoice
from webapp.models.purchases import Card, Payment, Quote
from webapp.models.subscriptions import ChangeRow, PeriodRow, PriceList, Subscription
from webapp.purchases import quotes
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCard

from .conftest import signed_in
from .world import dump, pay, post, quoted, renew_url, state, statements, step, subscription

HX = {"HX-Request": "true", "HX-Request-Type": "partial"}


# What a renewal does
def test_a_paid_quote_is_the_period_the_invoice_and_the_receipt(app: Flask, business: Made) -> None:
    quote = quoted(app, business, 14)
    assert pay(app, business, quote) == "captured"
    told = state(app, business)
    found = told["subscriptions"][0]
    assert found["periods"][-1] == {"ordinal": 6, "seats": 14, "start": "2027-02-15", "end": "2027-03-15"}
    assert (found["seats"], found["next_seats"], found["status"]) == (12, 14, "active")
    assert told["invoices"][-1] == {
        "number": "MQ-2027-000002", "issued_on": "2027-01-15", "net": 40_800, "tax": 8_160, "total": 48_960,
        "currency": "EUR", "kind": "invoice",
    }  # fmt: skip
    assert told["payments"] == [{"key": f"{quote}.1", "state": "captured", "amount": 48_960}]
    assert told["gateway"]["charges"] == [{"key": f"{quote}.1", "amount": 48_960, "state": "captured"}]
    (billed,) = billing_information.account_of(business.account).billing_emails
    assert sorted(message["to"] for message in told["messages"]) == sorted([business.email, billed])


def test_quoted_charged_and_invoiced_are_one_amount_and_its_lines_add_up(app: Flask, business: Made) -> None:
    for_year = scenarios.make("business-annual")
    for made, seats in ((business, 37), (for_year, 61)):
        quote = db.session.get_one(Quote, quoted(app, made, seats))
        total, lines, net = quote.total, quote.lines, quote.net
        pay(app, made, quote.id)
        told = state(app, made)
        assert total == told["gateway"]["charges"][0]["amount"] == told["invoices"][-1]["total"]
        assert net == sum(line["amount"] for line in lines) == told["invoices"][-1]["net"]


def test_the_receipt_reads_the_owners_language(app: Flask, business: Made) -> None:
    signed_in(app, business).post("/language", data={"locale": "en"})
    pay(app, business, quoted(app, business))
    (subject,) = [one["subject"] for one in state(app, business)["messages"] if one["to"] == business.email]
    assert subject == "Receipt for your payment: Qlik Sense Business"


def test_an_open_reduction_is_superseded_by_the_capture_and_not_before(app: Flask, business: Made) -> None:
    open_change(business, "reduction", 8)
    quote = quoted(app, business, 9)
    assert state(app, business)["subscriptions"][0]["changes"][0]["state"] == "open"
    pay(app, business, quote)
    assert state(app, business)["subscriptions"][0]["changes"][0]["state"] == "superseded"


def test_the_stepper_starts_at_the_projected_seats(client: FlaskClient, business: Made) -> None:
    open_change(business, "reduction", 8)
    assert 'value="8"' in client.get(renew_url(business)).text


def test_a_past_due_subscription_pays_the_owed_period(app: Flask, business: Made) -> None:
    with transaction() as session:
        session.execute(update(SandboxCard).values(behaviour="card_declined"))
    post(app, f"/{business.account}/clock", to="2027-02-15T10:00:00")
    assert state(app, business)["subscriptions"][0]["status"] == "past_due"
    with transaction() as session:
        session.execute(update(SandboxCard).values(behaviour="accepted"))
    pay(app, business, quoted(app, business, 12))
    assert state(app, business)["subscriptions"][0]["periods"][-1]["start"] == "2027-02-15"


# What is refused
def open_change(made: Made, kind: str, seats: int | None) -> None:
    with transaction() as session:
        session.add(
            ChangeRow(
                subscription_id=subscription(made), kind=kind, seats=seats, effective_ordinal=6, requested_at=made.now
            )
        )


@pytest.mark.parametrize(
    "seats", ["-1", "0", "2.5", "1e9", "１２", "1e3", "", " 12", "12 ", str(MAX_SEATS + 1), "0x1f", "12;", "9" * 400]
)
def test_seats_that_are_no_number_are_refused_at_the_field(client: FlaskClient, business: Made, seats: str) -> None:
    before = dump()
    answer = client.post(renew_url(business), data={"seats": seats})
    assert answer.status_code == 422
    assert answer.text.count(f"Enter a whole number from 1 to {MAX_SEATS:,}.") >= 2
    assert 'aria-invalid="true"' in answer.text
    assert "<title>Error: " in answer.text
    assert dump() == before


def test_seats_under_the_floor_are_refused_with_the_count_and_the_wait(client: FlaskClient, business: Made) -> None:
    answer = client.post(renew_url(business), data={"seats": "4"})
    assert answer.status_code == 422
    assert "The tenant has 5 active users" in answer.text
    assert "wait at least two minutes" in answer.text
    assert db.session.scalars(select(Quote)).all() == []


def test_the_floor_moves_two_minutes_after_the_tenant(app: Flask, client: FlaskClient) -> None:
    made = scenarios.make("business-at-floor")
    client = signed_in(app, made)
    post(app, f"/{made.account}/users", active=9)
    assert client.post(renew_url(made), data={"seats": "9"}).status_code == 422
    post(app, f"/{made.account}/clock", advance="PT2M")
    assert client.post(renew_url(made), data={"seats": "9"}).status_code == 303


@pytest.mark.parametrize(
    ("kind", "seats", "refusal"), [("cancellation", None, CancellationOpen), ("reduction", 8, None)]
)
def test_an_open_request(
    business: Made, app: Flask, kind: str, seats: int | None, refusal: type[Exception] | None
) -> None:
    open_change(business, kind, seats)
    if refusal is None:
        assert quoted(app, business)
    else:
        with pytest.raises(refusal):
            quoted(app, business)


def test_one_period_at_most_is_paid_ahead(app: Flask, client: FlaskClient, business: Made) -> None:
    pay(app, business, quoted(app, business))
    with pytest.raises(AlreadyRenewed):
        quoted(app, business)
    assert client.get(renew_url(business)).status_code == 409


def test_a_plan_that_may_not_renew_is_refused_and_nothing_changes(app: Flask) -> None:
    made = scenarios.make("enterprise")
    client, before = signed_in(app, made), None
    url = f"/subscriptions/{made.subscriptions['enterprise']}/renew"
    before = dump()
    assert client.get(url).status_code == 403
    answer = client.post(url, data={"seats": "300"})
    assert answer.status_code == 403
    assert "/contact" in answer.text
    assert dump() == before
    with pytest.raises(PlanForbids):
        quotes.quote_renewal(made.account, made.subscriptions["enterprise"] or "", 300)


def test_a_body_over_64_kilobytes_is_413(client: FlaskClient, business: Made) -> None:
    assert client.post(renew_url(business), data={"seats": "1" * 70_000}).status_code == 413


def test_the_payment_page_wants_a_card_of_this_account(app: Flask, client: FlaskClient, business: Made) -> None:
    quote, other = quoted(app, business), scenarios.make("business")
    answer = client.post(step(business, quote, "payment"), data={})
    assert (answer.status_code, "Choose a payment method." in answer.text) == (422, True)
    for card in ("nothing", other.cards[0]):
        assert client.post(step(business, quote, "payment"), data={"card": card}).status_code == 404


def test_an_expired_card_is_refused(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business)
    with transaction() as session:
        session.execute(update(Card).values(exp_year=2026, exp_month=12))
    answer = client.post(step(business, quote, "payment"), data={"card": business.cards[0]})
    assert (answer.status_code, "This card has expired" in answer.text) == (422, True)


def test_a_card_is_good_to_the_end_of_its_month(business: Made, app: Flask) -> None:
    quote = quoted(app, business)
    with transaction() as session:
        session.execute(update(Card).values(exp_year=2027, exp_month=1))
    assert pay(app, business, quote) == "captured"


# Quotes that moved
def moved(client: FlaskClient, made: Made, quote: str, attempt: int = 1) -> str:
    before = state_of_money()
    answer = client.post(step(made, quote, "pay"), data={"attempt": attempt})
    assert answer.status_code == 409
    assert state_of_money() == before
    return answer.text


def state_of_money() -> dict[str, object]:
    return {table: rows for table, rows in dump().items() if table in ("payment", "period", "invoice")}


def test_an_expired_quote_is_409_with_a_fresh_overview(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business)
    post(app, f"/{business.account}/clock", advance="PT30M")
    page = moved(client, business, quote)
    assert "The quote had expired" in page
    fresh = db.session.scalars(select(Quote.id).where(Quote.id != quote)).one()
    assert step(business, fresh, "pay") in page
    assert client.post(step(business, fresh, "pay"), data={"attempt": 1}).status_code == 303


def test_a_quote_lives_until_just_before_thirty_minutes(app: Flask, business: Made) -> None:
    quote = quoted(app, business)
    post(app, f"/{business.account}/clock", advance="PT29M50S")
    assert pay(app, business, quote) == "captured"


def test_a_price_that_moved_is_409_with_the_difference(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business, 14)
    with transaction() as session:
        dearer = PriceList(id=new_id(), currency="EUR", rows=[[None, 3100]])
        session.add(dearer)
        session.flush()
        session.execute(update(Subscription).values(price_list_id=dearer.id))
    page = moved(client, business, quote)
    assert "from €408.00 to €434.00" in page
    assert "from €489.60 to €520.80" in page


def test_a_tax_that_moved_is_409_with_the_difference(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business, 14)
    with transaction() as session:
        session.execute(update(Account).values(country="DE", vat_number="DE136695976"))
    assert "The tax goes from €81.60 to €0.00" in moved(client, business, quote)


def test_more_active_users_than_quoted_seats_is_409(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business, 14)
    post(app, f"/{business.account}/users", active=15)
    post(app, f"/{business.account}/clock", advance="PT2M")
    assert "The tenant has 15 active users" in moved(client, business, quote)


def test_more_active_users_within_the_quoted_seats_is_no_obstacle(app: Flask, business: Made) -> None:
    quote = quoted(app, business, 14)
    post(app, f"/{business.account}/users", active=14)
    post(app, f"/{business.account}/clock", advance="PT2M")
    assert pay(app, business, quote) == "captured"


def test_a_card_that_is_gone_is_409_at_the_payment_page(app: Flask, client: FlaskClient) -> None:
    made = scenarios.make("business-two-cards")
    client = signed_in(app, made)
    with app.test_request_context():
        quote = quotes.quote_renewal(made.account, subscription(made), 14)
        quotes.choose_card(made.account, subscription(made), quote, made.cards[1])
    with transaction() as session:
        session.delete(session.get_one(Card, made.cards[1]))
    assert "Choose a payment method." in moved(client, made, quote)


def test_a_second_quote_for_a_period_that_is_paid_is_409(app: Flask, client: FlaskClient, business: Made) -> None:
    first, second = quoted(app, business), quoted(app, business, 20)
    pay(app, business, first)
    assert "already renewed" in moved(client, business, second)


def test_a_boundary_that_passed_is_a_fresh_quote_for_what_is_owed(
    app: Flask, client: FlaskClient, business: Made
) -> None:
    quote = quoted(app, business)
    post(app, f"/{business.account}/clock", to="2027-02-20T09:00:00")
    assert "The quote had expired" in moved(client, business, quote)


# What holds on every route
def test_a_get_changes_nothing(app: Flask, client: FlaskClient, business: Made) -> None:
    quote = quoted(app, business)
    before = dump()
    for path in ("/", "/subscriptions", f"/subscriptions/{subscription(business)}", renew_url(business), "/billing",
                 f"{renew_url(business)}?seats=99&step=1", step(business, quote, "payment"), "/billing/invoices",
                 step(business, quote, "overview"), step(business, quote, "receipt"), "/contact", "/sandbox",
                 step(business, quote, "authentication")):  # fmt: skip
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
    """Whatever the code does: an unrefused attempt a quote, a payment in flight a subscription."""
    quote = quoted(app, business)
    pay(app, business, quote)
    copies = (
        Payment(key="x.2", quote_id=quote, attempt=2, state="captured", settled_at=business.now, **_paid(business)),
        PeriodRow(
            subscription_id=subscription(business), ordinal=6, seats=3, price_list_id=_price_list(), source="paid"
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
        "subscription_id": subscription(made), "amount": 1, "currency": "EUR", "card_token": "t", "card_brand": "Visa",
        "card_last4": "4242", "created_at": made.now,
    }  # fmt: skip


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


@pytest.mark.service
def test_the_cost_fragment_is_small_and_asks_the_database_twice(
    app: Flask, client: FlaskClient, business: Made
) -> None:
    with statements() as asked:
        answer = client.get(f"{renew_url(business)}?seats=60", headers=HX)
    assert answer.status_code == 200
    assert "€1,515.00" in answer.text
    assert len(answer.data) <= 1024
    assert len(asked) == 2
    assert {"HX-Request", "HX-Request-Type"} <= set(answer.vary)


def test_the_cost_of_no_number_is_422_and_below_the_floor_it_says_so(client: FlaskClient, business: Made) -> None:
    assert client.get(f"{renew_url(business)}?seats=2.5", headers=HX).status_code == 422
    low = client.get(f"{renew_url(business)}?seats=3", headers=HX)
    assert (low.status_code, "At least 5" in low.text, "€90.00" in low.text) == (200, True, True)
