"""`support`: the subscriptions of a customer."""

import json
from pathlib import Path

import pytest
from flask import Flask

from tests.operation.test_support import done, pytestmark, recorded, refused  # noqa: F401  they run on both databases
from tests.support.world import pay, post, quoted, state, stored, subscription
from webapp.models.subscriptions import SubscriptionRow
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

NEW = {
    "plan": "business",
    "product": "Qlik Sense Business",
    "tenant": "second.eu.qlikcloud.com",
    "anchor": "2027-01-10",
    "term_months": 1,
    "seats": 3,
    "price_list": {"currency": "EUR", "tiers": [[None, 3000]]},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "subscription.json"
    path.write_text(json.dumps(NEW))
    return path


def test_a_subscription_is_on_another_tenant(app: Flask, business: Made) -> None:
    before = stored(SubscriptionRow, subscription(business)).tenant
    done("set-tenant", business.account, "other.eu.qlikcloud.com")
    assert stored(SubscriptionRow, subscription(business)).tenant == "other.eu.qlikcloud.com"
    row = recorded("tenant_changed")
    assert (row.before, row.after) == ({"tenant": before}, {"tenant": "other.eu.qlikcloud.com"})
    assert "is on other.eu.qlikcloud.com already" in refused("set-tenant", business.account, "other.eu.qlikcloud.com")


def test_a_wrong_tenant_and_an_unclear_subscription_are_refused(app: Flask) -> None:
    both = scenarios.make("both")
    assert "is not the name of a tenant such as" in refused("set-tenant", both.account, "https://x")
    sentence = refused("set-tenant", both.account, "x.example.com")
    assert "Say which subscription of this account: name one by its id. There are: " in sentence
    assert subscription(both) in sentence
    assert "nothing is no subscription" in refused("set-tenant", both.account, "x.test", "--subscription", "nothing")
    done("set-tenant", both.account, "x.example.com", "--subscription", subscription(both))
    done("end-subscription", both.account, "--now", "--subscription", subscription(both))
    ended = refused("set-tenant", both.account, "y.example.com", "--subscription", subscription(both))
    assert "has ended" in ended


def test_a_subscription_is_added_once(app: Flask, business: Made, file: Path) -> None:
    assert "Qlik Sense Business on second.eu.qlikcloud.com" in done("add-subscription", business.account, str(file))
    added = next(one for one in state(app, business)["subscriptions"] if one["id"] != subscription(business))
    assert (added["status"], added["seats"], added["period_start"]) == ("active", 3, "2027-01-10")
    assert recorded("subscription_added").after == {"tenant": "second.eu.qlikcloud.com", "seats": 3}
    assert "is there already" in refused("add-subscription", business.account, str(file))


def test_the_faults_of_the_file_are_told(app: Flask, business: Made, file: Path) -> None:
    file.write_text("{")
    assert "is not JSON" in refused("add-subscription", business.account, str(file))
    file.write_text(json.dumps(NEW | {"seats": 0}))
    assert "- $.seats: " in refused("add-subscription", business.account, str(file))


def test_a_subscription_ends_when_what_is_paid_ends_or_at_once(app: Flask, business: Made) -> None:
    assert "ends on 2027-02-" in done("end-subscription", business.account)
    assert recorded("cancellation_requested").account_id == business.account
    assert "Nothing was changed." in refused("end-subscription", business.account)
    assert "has ended. To give money back: " in done("end-subscription", business.account, "--now")
    assert state(app, business)["subscriptions"][0]["status"] == "ended"
    assert recorded("ended").subscription_id == subscription(business)
    assert "has ended already" in refused("end-subscription", business.account, "--now")


def test_what_an_owner_may_not_end_ends_at_once_only(app: Flask) -> None:
    enterprise = scenarios.make("enterprise")
    assert "Nothing was changed." in refused("end-subscription", enterprise.account)
    done("end-subscription", enterprise.account, "--now")
    assert state(app, enterprise)["subscriptions"][0]["status"] == "ended"


def test_none_ends_while_a_payment_is_pending(app: Flask, business: Made) -> None:
    post(app, f"/{business.account}/gateway", next="timeout")
    pay(app, business, quoted(app, business))
    for options in ([], ["--now"]):
        assert "Nothing was changed." in refused("end-subscription", business.account, *options)
