"""Changing a role, removing and leaving; what ends then, and what does not."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.support import team
from tests.support.world import dump, pay, post, quoted, signed_in, state, subscription
from webapp.access import passwords
from webapp.db import db, transaction
from webapp.models.access import SignInKey
from webapp.models.accounts import Account, Member
from webapp.models.team import Invitation
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service


@pytest.fixture
def owner(app: Flask, business: Made) -> FlaskClient:
    return signed_in(app, business)


def owner_id(made: Made) -> str:
    return db.session.scalars(select(Member.id).where(Member.email == made.email)).one()


def test_a_role_is_changed_and_the_member_is_told(app: Flask, business: Made, owner: FlaskClient) -> None:
    viewer = team.add(business, "viewer", name="Nadia")
    assert owner.post(f"/team/{viewer.id}/role", data={"role": "accountant", "shown": "viewer"}).status_code == 303
    assert team.browser(app, viewer).get("/contact").status_code == 200
    told = [message for message in state(app, business)["messages"] if message["to"] == viewer.email]
    assert ["Viewer" in message["text"] and "Accountant" in message["text"] for message in told] == [True]
    page = owner.get("/activity").text.partition("Role changed")[2]
    assert 0 < page.index("Viewer") < page.index("Accountant")


@pytest.mark.parametrize("role", ["owner", "", "admin"])
def test_a_crafted_role_changes_nothing(business: Made, owner: FlaskClient, role: str) -> None:
    viewer = team.add(business, "viewer")
    before = dump()["member"]
    assert owner.post(f"/team/{viewer.id}/role", data={"role": role}).status_code == 422
    assert dump()["member"] == before


def test_a_role_that_was_changed_meanwhile_is_not_changed_unseen(business: Made, owner: FlaskClient) -> None:
    viewer = team.add(business, "viewer")
    team.set_role(viewer, "manager")
    answer = owner.post(f"/team/{viewer.id}/role", data={"role": "accountant", "shown": "viewer"})
    assert (answer.status_code, "changed meanwhile" in answer.text) == (409, True)
    assert db.session.scalars(select(Member.role).where(Member.id == viewer.id)).one() == "manager"


def test_the_owner_is_not_demoted_removed_and_does_not_leave(business: Made, owner: FlaskClient) -> None:
    me = owner_id(business)
    before = dump()["member"]
    for answer in (
        owner.post(f"/team/{me}/role", data={"role": "viewer"}),
        owner.get(f"/team/{me}/remove"),
        owner.post(f"/team/{me}/remove", data={"understood": "y"}),
        owner.get("/team/leave"),
        owner.post("/team/leave", data={"understood": "y"}),
        owner.get(f"/team/{me}/handover"),
        owner.post(f"/team/{me}/handover", data={"understood": "y"}),
    ):
        assert (answer.status_code, "Hand the account over" in answer.text) == (409, True)
    assert dump()["member"] == before


def test_removing_asks_first(business: Made, owner: FlaskClient) -> None:
    viewer = team.add(business, "viewer", name="Nadia")
    page = owner.get(f"/team/{viewer.id}/remove")
    assert (page.status_code, "I understand" in page.text, "Nadia" in page.text) == (200, True, True)
    answer = owner.post(f"/team/{viewer.id}/remove")
    assert (answer.status_code, "Tick “I understand”" in answer.text) == (422, True)
    assert db.session.get(Member, (business.account, viewer.id)) is not None


def test_a_removed_member_is_out_at_once(app: Flask, business: Made, owner: FlaskClient) -> None:
    manager = team.add(business, "manager")
    browser = team.browser(app, manager)
    with app.test_request_context():
        passwords.request_reset(manager.email)
    browser.post("/drafts/keep?form=contact.send", data={"message": "half a sentence"})
    assert owner.post(f"/team/{manager.id}/remove", data={"understood": "y"}).status_code == 303
    assert browser.get("/subscriptions").status_code == 303
    assert browser.post(f"/subscriptions/{subscription(business)}/cancel", data={"understood": "y"}).status_code == 303
    refused = app.test_client().post("/sign-in", data={"email": manager.email, "password": team.PASSWORD})
    assert refused.status_code == 422
    assert len(db.session.scalars(select(SignInKey)).all()) == 1
    before = len(told(app, business, manager.email))
    post(app, f"/{business.account}/clock", advance="P40D")
    assert len(told(app, business, manager.email)) == before, "mails stop"
    assert "Member removed" in owner.get("/activity").text
    again = owner.post("/team", data={"email": manager.email, "role": "viewer"})
    assert again.status_code == 303, "who was removed can be invited again"


def told(app: Flask, made: Made, email: str) -> list[str]:
    return [message["subject"] for message in state(app, made)["messages"] if message["to"] == email]


def test_a_payment_of_a_removed_member_completes(app: Flask, business: Made, owner: FlaskClient) -> None:
    manager = team.add(business, "manager")
    team.browser(app, manager)
    quote = quoted(app, business)
    post(app, f"/{business.account}/gateway", next="timeout_after_charge")
    assert pay(app, business, quote) == "pending"
    owner.post(f"/team/{manager.id}/remove", data={"understood": "y"})
    post(app, f"/{business.account}/clock", advance="PT10M")
    assert [payment["state"] for payment in state(app, business)["payments"]][-1] == "captured"


def test_a_billing_email_is_warned_of_and_stays(app: Flask, business: Made, owner: FlaskClient) -> None:
    viewer = team.add(business, "viewer", email="compta@example.test")
    with transaction() as session:
        mine = update(Account).where(Account.id == business.account)
        session.execute(mine.values(billing_emails=["Compta@example.test"]))
    assert "is also a billing e-mail" in owner.get(f"/team/{viewer.id}/remove").text
    assert "is also a billing e-mail" in team.browser(app, viewer).get("/team/leave").text
    owner.post(f"/team/{viewer.id}/remove", data={"understood": "y"})
    assert db.session.get_one(Account, business.account).billing_emails == ["Compta@example.test"]


@pytest.mark.parametrize("role", ["manager", "accountant", "viewer"])
def test_a_member_leaves(app: Flask, business: Made, owner: FlaskClient, role: str) -> None:
    member = team.add(business, role, name="Nadia")
    browser = team.browser(app, member)
    assert 'href="/team/leave"' in browser.get("/sessions").text
    assert browser.post("/team/leave").status_code == 422
    answer = browser.post("/team/leave", data={"understood": "y"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert browser.get("/subscriptions").status_code == 303
    assert "Member left" in owner.get("/activity").text
    assert len(told(app, business, business.email)) == 1
    assert db.session.scalars(select(Member.email)).all() == [business.email]


def test_a_removed_member_and_another_accounts_are_not_found(app: Flask, business: Made, owner: FlaskClient) -> None:
    gone = team.add(business, "viewer")
    owner.post(f"/team/{gone.id}/remove", data={"understood": "y"})
    theirs = team.add(scenarios.make("business"), "viewer")
    before = dump()["member"]
    for member in (gone.id, theirs.id, "x"):
        for path, data in (
            ("role", {"role": "manager"}),
            ("role", {"role": "owner"}),
            ("remove", {"understood": "y"}),
            ("remove", {}),
            ("handover", {"understood": "y"}),
        ):
            assert owner.post(f"/team/{member}/{path}", data=data).status_code == 404, (member, path)
        for path in ("remove", "handover"):
            assert owner.get(f"/team/{member}/{path}").status_code == 404
    assert dump()["member"] == before
    assert db.session.scalars(select(Invitation)).all() == []
