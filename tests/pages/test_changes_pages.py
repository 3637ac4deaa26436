"""The pages of add, reduce, cancel, undo and activity: bad input, other accounts' ids, and reads that write nothing."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.world import dump, post, signed_in, state, subscription
from webapp.domain.seats import MAX_SEATS
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import loading

HX = {"HX-Request": "true", "HX-Request-Type": "partial"}


def url(made: Made, name: str) -> str:
    return f"/subscriptions/{subscription(made)}/{name}"


def change_of(made: Made) -> str:
    return loading.load(made.account, subscription(made)).open_changes[0].id


def undo_url(made: Made) -> str:
    change = loading.load(made.account, subscription(made)).open_changes[0]
    return url(made, f"undo-{change.kind}/{change.id}")


@pytest.mark.parametrize("procedure", ["add", "reduce"])
@pytest.mark.parametrize("seats", ["-1", "0", "2.5", "1e9", "１２", "1e3", "", str(MAX_SEATS + 1)])
def test_seats_that_are_no_number_are_refused(client: FlaskClient, business: Made, procedure: str, seats: str) -> None:
    before = dump()
    answer = client.post(url(business, procedure), data={"seats": seats})
    assert (answer.status_code, "Enter a whole number" in answer.text) == (422, True)
    assert dump() == before


def test_the_same_or_a_larger_number_links_add(client: FlaskClient, business: Made) -> None:
    answer = client.post(url(business, "reduce"), data={"seats": "12"})
    assert (answer.status_code, url(business, "add") in answer.text) == (422, True)


def test_the_same_or_a_smaller_number_links_reduce(client: FlaskClient, business: Made) -> None:
    answer = client.post(url(business, "add"), data={"seats": "12"})
    assert (answer.status_code, url(business, "reduce") in answer.text) == (422, True)


@pytest.mark.parametrize("headers", [{}, HX], ids=["page", "fragment"])
@pytest.mark.parametrize("name", ["reduce/confirm", "cancel"])
def test_confirm_without_i_understand_is_422_and_changes_nothing(
    client: FlaskClient, business: Made, name: str, headers: dict[str, str]
) -> None:
    before = dump()
    answer = client.post(url(business, name), data={"seats": "8"}, headers=headers)
    assert (answer.status_code, "Tick “I understand” to confirm." in answer.text) == (422, True)
    assert dump() == before


def test_confirmed_changes_answer_with_the_tile_or_a_redirect(app: Flask, client: FlaskClient, business: Made) -> None:
    refusal = client.post(url(business, "reduce/confirm"), data={"seats": "8", "understood": "y"})
    assert (refusal.status_code, refusal.headers["Location"]) == (303, "/subscriptions")
    on_page = HX | {"HX-Current-URL": "http://localhost/subscriptions"}
    answer = client.post(url(business, "cancel"), data={"understood": "y"}, headers=on_page)
    assert answer.headers["HX-Close-Dialog"] == "true"
    assert "Cancellation requested: the subscription ends on 14\u00a0February\u00a02027" in answer.text
    assert all(value.isascii() for value in answer.headers.values())


def test_undo_at_its_day_is_409_with_what_happened(app: Flask) -> None:
    made = scenarios.make("business-reduction-pending")
    client, where = signed_in(app, made), undo_url(made)
    post(app, f"/{made.account}/clock", to="2027-02-15T00:00:00")
    answer = client.post(where, data={"understood": "y"})
    assert (answer.status_code, "already taken effect" in answer.text) == (409, True)


def test_undo_twice_is_no_error(app: Flask) -> None:
    made = scenarios.make("business-cancellation-pending")
    client, where = signed_in(app, made), undo_url(made)
    for _ in range(2):
        assert client.post(where, data={"understood": "y"}).status_code == 303
    assert state(app, made)["subscriptions"][0]["status"] == "active"


@pytest.mark.parametrize("scenario", ["enterprise", "third-party"])
@pytest.mark.parametrize("name", ["add", "reduce", "renew", "cancel", "manage", "reduce/confirm?seats=8"])
def test_a_plan_that_is_not_self_service_refuses_every_change(app: Flask, scenario: str, name: str) -> None:
    made = scenarios.make(scenario)
    client = signed_in(app, made)
    before = dump()
    where = f"/subscriptions/{made.subscriptions['enterprise'] or subscription(made)}/{name}"
    assert client.get(where).status_code == 403
    answer = client.post(where, data={"seats": "8", "understood": "y"})
    assert answer.status_code in (403, 405)
    if answer.status_code == 403:
        assert "/contact" in answer.text
        assert ("Nordlys Data" in answer.text) == (scenario == "third-party")
    assert dump() == before


def test_another_accounts_subscription_and_change_are_404(app: Flask, client: FlaskClient, business: Made) -> None:
    theirs = scenarios.make("business-reduction-pending")
    before = dump()
    form = {"seats": "8", "understood": "y"}
    for name in ("add", "reduce", "cancel", "reduce/confirm", "manage", "active-users?seats=3&since=1&procedure=renew"):
        assert client.get(url(theirs, name)).status_code == 404, name
        assert client.post(url(theirs, name), data=form).status_code in (404, 405)
    for where in (
        undo_url(theirs),
        url(business, f"undo-reduction/{change_of(theirs)}"),
        url(business, "undo-reduction/no"),
    ):
        assert client.get(where).status_code == 404
        assert client.post(where, data=form).status_code == 404
    assert dump() == before


def test_gets_write_nothing(app: Flask) -> None:
    made = scenarios.make("business-reduction-pending")
    client = signed_in(app, made)
    before = dump(counts=True)
    names = (
        "add",
        "reduce",
        "cancel",
        "manage",
        "reduce/confirm?seats=7",
        "active-users?seats=3&since=1&procedure=reduce",
    )
    for path in (*(url(made, name) for name in names), undo_url(made), "/activity", "/subscriptions"):
        for headers in ({}, HX):
            assert client.get(path, headers=headers).status_code < 500, path
    assert dump(counts=True) == before


def test_the_activity_tells_who_did_what(app: Flask, client: FlaskClient, business: Made) -> None:
    client.post(url(business, "reduce/confirm"), data={"seats": "8", "understood": "y"})
    post(app, f"/{business.account}/clock", to="2027-02-16T00:00:00")
    page = client.get("/activity").text
    assert "Reduction requested" in page
    assert "12 → 8" in page
    assert "Camille Martin" in page
    assert "Renewal paid" in page
    assert "€288.00" in page
    assert "Reduction requested" not in signed_in(app, scenarios.make("business")).get("/activity").text
