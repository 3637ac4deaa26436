"""Which event is allowed in which state: each cell of the table is accepted, or refused with its reason."""

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy.exc import IntegrityError

from tests.support.world import dump, post, state, subscription
from webapp.db import db
from webapp.domain import refusals
from webapp.domain.refusals import (
    AlreadyRenewed,
    BelowActiveUsers,
    CancellationOpen,
    NotFewerSeats,
    NotMoreSeats,
    PlanForbids,
    ReductionOpen,
    Refusal,
    RenewalDue,
    ResellerManages,
    SubscriptionEnded,
)
from webapp.purchases import payments, quotes
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import loading, service


def renew(made: Made, seats: int = 14) -> None:
    quotes.quote_renewal(made.account, here(made), seats)


def add(made: Made, seats: int = 14) -> None:
    quotes.quote_addition(made.account, here(made), seats)


def reduce(made: Made, seats: int = 8) -> None:
    service.reduce(made.account, here(made), seats)


def cancel(made: Made) -> None:
    service.cancel(made.account, here(made))


def here(made: Made) -> str:
    return made.subscriptions["business"] or made.subscriptions["enterprise"] or ""


def ended(app: Flask) -> Made:
    made = scenarios.make("business-past-due")
    cancel(made)
    return made


STATES: dict[str, Callable[[Flask], Made]] = {
    "active": lambda app: scenarios.make("business"),
    "reduction pending": lambda app: scenarios.make("business-reduction-pending"),
    "ending": lambda app: scenarios.make("business-cancellation-pending"),
    "renewed": lambda app: scenarios.make("business-renewed"),
    "past due": lambda app: scenarios.make("business-past-due"),
    "lapsed": lambda app: scenarios.make("business-lapsed"),
    "ended": ended,
    "enterprise": lambda app: scenarios.make("enterprise"),
    "third party": lambda app: scenarios.make("third-party"),
}
Table = dict[str, type[Refusal] | None]
EVERYWHERE: Table = {"ended": SubscriptionEnded, "enterprise": PlanForbids, "third party": ResellerManages}
RENEW: Table = {
    "active": None,
    "reduction pending": None,
    "ending": CancellationOpen,
    "renewed": AlreadyRenewed,
    "past due": None,
    "lapsed": None,
    **EVERYWHERE,
}
ADD: Table = {
    "active": None,
    "reduction pending": ReductionOpen,
    "ending": CancellationOpen,
    "renewed": None,
    "past due": RenewalDue,
    "lapsed": RenewalDue,
    **EVERYWHERE,
}
REDUCE: Table = {
    "active": None,
    "reduction pending": None,
    "ending": CancellationOpen,
    "renewed": None,
    "past due": RenewalDue,
    "lapsed": RenewalDue,
    **EVERYWHERE,
}
CANCEL: Table = {
    "active": None,
    "reduction pending": None,
    "ending": CancellationOpen,
    "renewed": None,
    "past due": None,
    "lapsed": RenewalDue,
    **EVERYWHERE,
}
CELLS = [
    pytest.param(event, state, refusal, id=f"{event.__name__} when {state}")
    for event, row in ((renew, RENEW), (add, ADD), (reduce, REDUCE), (cancel, CANCEL))
    for state, refusal in row.items()
]


@pytest.mark.parametrize(("event", "state", "refusal"), CELLS)
def test_an_event_is_accepted_or_refused_by_name(
    app: Flask, event: Callable[[Made], None], state: str, refusal: type[Refusal] | None
) -> None:
    made = STATES[state](app)
    before = dump()
    if refusal is None:
        event(made)
        assert dump() != before
    else:
        with pytest.raises(refusal):
            event(made)
        assert dump() == before


@pytest.mark.parametrize(
    ("event", "seats", "refusal"),
    [
        (add, 12, NotMoreSeats),
        (add, 1, NotMoreSeats),
        (reduce, 12, NotFewerSeats),
        (reduce, 13, NotFewerSeats),
        (reduce, 4, BelowActiveUsers),
        (renew, 4, BelowActiveUsers),
    ],
)
def test_a_number_that_does_not_fit_is_refused(
    business: Made, event: Callable[[Made, int], None], seats: int, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        event(business, seats)


def open_change(made: Made, kind: str) -> str:
    rows = loading.load(made.account, here(made)).open_changes
    return next(row.id for row in rows if row.kind == kind)


def changes(app: Flask, made: Made) -> list[tuple[str, str]]:
    return [(change["kind"], change["state"]) for change in state(app, made)["subscriptions"][0]["changes"]]


def test_undo_restores_what_was_there(app: Flask, business: Made) -> None:
    before = state(app, business)["subscriptions"][0]
    reduce(business)
    assert state(app, business)["subscriptions"][0]["next_seats"] == 8
    service.withdraw(business.account, here(business), open_change(business, "reduction"))
    assert state(app, business)["subscriptions"][0] | {"changes": []} == before


def test_undoing_a_cancellation_keeps_the_reduction_under_it(app: Flask) -> None:
    made = scenarios.make("business-reduction-pending")
    cancel(made)
    assert state(app, made)["subscriptions"][0]["next_seats"] is None
    service.withdraw(made.account, here(made), open_change(made, "cancellation"))
    tile = state(app, made)["subscriptions"][0]
    assert (tile["status"], tile["next_seats"]) == ("active", 8)
    assert changes(app, made) == [("reduction", "open"), ("cancellation", "withdrawn")]


def test_undo_twice_is_undone_once(app: Flask) -> None:
    made = scenarios.make("business-reduction-pending")
    change = open_change(made, "reduction")
    for _ in range(2):
        service.withdraw(made.account, here(made), change)
    assert changes(app, made) == [("reduction", "withdrawn")]


def test_a_stale_request_is_not_undone_while_another_is_open(app: Flask, business: Made) -> None:
    from webapp.domain.refusals import ChangeClosed

    reduce(business, 8)
    first = open_change(business, "reduction")
    service.withdraw(business.account, here(business), first)
    reduce(business, 9)
    with pytest.raises(ChangeClosed):
        service.withdraw(business.account, here(business), first)
    assert changes(app, business)[-1] == ("reduction", "open")


def test_the_later_of_two_reductions_stands(app: Flask, business: Made) -> None:
    reduce(business, 8)
    reduce(business, 10)
    assert changes(app, business) == [("reduction", "superseded"), ("reduction", "open")]
    assert state(app, business)["subscriptions"][0]["next_seats"] == 10


def test_undo_does_not_ask_the_price_list(app: Flask) -> None:
    from sqlalchemy import update

    from webapp.db import transaction
    from webapp.models.prices import PriceList

    made = scenarios.make("business-reduction-pending")
    with transaction() as session:
        session.execute(update(PriceList).values(rows=[]))
    db.session.rollback()
    with app.test_request_context():
        service.withdraw(made.account, here(made), open_change(made, "reduction"))
    assert loading.load(made.account, here(made)).open_changes == []


def test_cancelling_what_is_past_due_ends_it_at_once(app: Flask) -> None:
    made = ended(app)
    account_state = state(app, made)
    assert account_state["subscriptions"][0]["status"] == "ended"
    post(app, f"/{made.account}/clock", advance="P60D")
    assert state(app, made)["payments"] == []


def test_added_seats_are_charged_for_the_days_left(app: Flask, business: Made) -> None:
    post(app, f"/{business.account}/clock", to="2027-01-25T09:00:00")
    quote = quotes.quote_addition(business.account, here(business), 14)
    quotes.choose_card(business.account, here(business), quote, business.cards[0])
    with app.test_request_context():
        payments.pay(business.account, here(business), quote, 1, "http://localhost/back")
    account_state = state(app, business)
    net = (2 * 2700 * 21 * 2 + 31) // (2 * 31)  # 25 January to 14 February of 31 days, half up
    assert (
        account_state["invoices"][-1]["net"]
        == net
        == account_state["gateway"]["charges"][0]["amount"] - account_state["invoices"][-1]["tax"]
    )
    assert (account_state["subscriptions"][0]["seats"], account_state["subscriptions"][0]["next_seats"]) == (14, 14)


def test_added_seats_raise_a_next_period_that_is_paid_already(app: Flask) -> None:
    made = scenarios.make("business-renewed")
    quote = quotes.load_quote(made.account, here(made), quotes.quote_addition(made.account, here(made), 14))
    assert [line["amount"] for line in quote.lines] == [5400, 5400]
    quotes.choose_card(made.account, here(made), quote.id, made.cards[0])
    with app.test_request_context():
        payments.pay(made.account, here(made), quote.id, 1, "http://localhost/back")
    assert [period["seats"] for period in state(app, made)["subscriptions"][0]["periods"][-2:]] == [14, 14]


def test_an_addition_is_priced_by_the_day_and_ends_at_midnight(app: Flask, business: Made) -> None:
    post(app, f"/{business.account}/clock", to="2027-01-20T23:50:00")
    quote = quotes.quote_addition(business.account, here(business), 14)
    quotes.choose_card(business.account, here(business), quote, business.cards[0])
    post(app, f"/{business.account}/clock", advance="PT11M")
    with app.test_request_context(), pytest.raises(refusals.QuoteMoved):
        payments.pay(business.account, here(business), quote, 1, "http://localhost/back")


def test_commands_wait_for_a_payment_in_flight(app: Flask, business: Made) -> None:
    from webapp.domain.refusals import PaymentPending

    quote = quotes.quote_renewal(business.account, here(business), 14)
    quotes.choose_card(business.account, here(business), quote, business.cards[0])
    post(app, f"/{business.account}/gateway", next="timeout")
    with app.test_request_context():
        payments.pay(business.account, here(business), quote, 1, "http://localhost/back")
    for event in (renew, add, reduce, cancel):
        with pytest.raises(PaymentPending):
            event(business)
    assert subscription(business)


@pytest.mark.service
@pytest.mark.parametrize("active", [0, 5])
@pytest.mark.parametrize("seats", [-(10**9), -1, 0, 10_001, 10**30])
@pytest.mark.parametrize("command", [renew, add, reduce])
def test_a_number_of_users_that_has_no_price_is_never_stored(
    app: Flask, business: Made, command: Callable[[Made, int], None], seats: int, active: int
) -> None:
    """The forms refuse it first; behind them, a rule, the price or the schema refuses it."""
    post(app, f"/{business.account}/users", active=active)
    post(app, f"/{business.account}/clock", advance="PT3M")
    before = dump()
    with pytest.raises((Refusal, ValueError, IntegrityError)):
        command(business, seats)
    after = dump()
    assert all(after[table] == before[table] for table in ("quote", "change", "period", "payment"))
