"""Handing the account over: proposed, answered, expired, and at the same time as something else."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.support import team
from tests.support.world import post, signed_in, state, statements
from webapp.db import db
from webapp.domain.team import HANDOVER_LIFETIME
from webapp.models.accounts import Member
from webapp.models.team import Handover
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service
YES = {"understood": "y"}


@pytest.fixture
def owner(app: Flask, business: Made) -> FlaskClient:
    return signed_in(app, business)


def roles(made: Made) -> dict[str, str]:
    db.session.rollback()
    rows = db.session.execute(select(Member.email, Member.role).where(Member.account_id == made.account)).all()
    return dict(rows)


def offered(owner: FlaskClient, member: Member) -> None:
    assert owner.get(f"/team/{member.id}/handover").status_code == 200
    assert owner.post(f"/team/{member.id}/handover").status_code == 422
    assert owner.post(f"/team/{member.id}/handover", data=YES).status_code == 303


@pytest.mark.parametrize("role", ["manager", "accountant", "viewer"])
def test_accepting_swaps_the_roles(app: Flask, business: Made, owner: FlaskClient, role: str) -> None:
    member = team.add(business, role, name="Nadia")
    browser = team.browser(app, member)
    offered(owner, member)
    assert roles(business) == {business.email: "owner", member.email: role}, "nothing changes yet"
    assert "You have offered the account to Nadia" in owner.get("/team").text
    assert browser.get("/team").status_code == 403
    assert 'href="/team/handover"' in browser.get("/sessions").text
    assert 'href="/team/handover"' not in owner.get("/sessions").text
    page = browser.get("/team/handover")
    assert (page.status_code, "Camille Martin" in page.text) == (200, True)
    assert browser.post("/team/handover").status_code == 422
    assert browser.post("/team/handover", data=YES).status_code == 303
    assert roles(business) == {business.email: "manager", member.email: "owner"}
    assert browser.get("/team").status_code == 200
    assert owner.get("/team").status_code == 403
    recipients = [message["to"] for message in state(app, business)["messages"]]
    for reader in (business.email, member.email, "sophie.laurent@example.test"):
        assert recipients.count(reader) == 2, "the proposal and the answer"
    listed = browser.get("/activity?about=team").text
    assert listed.index("Account handed over") < listed.index("Handover proposed")
    assert business.email in listed


def test_the_home_page_tells_whom_the_account_is_offered_to(app: Flask, business: Made, owner: FlaskClient) -> None:
    member, other = team.add(business, "viewer"), team.browser(app, team.add(business, "viewer"))
    browser = team.browser(app, member)
    offered(owner, member)
    with statements() as sent:
        assert 'href="/team/handover"' in browser.get("/subscriptions").text
    assert len(sent) == 4, "who is signed in, the subscriptions, and twice the sandbox's clock"
    for not_asked in (owner, other):
        assert 'href="/team/handover"' not in not_asked.get("/subscriptions").text
    post(app, f"/{business.account}/clock", advance=f"P{HANDOVER_LIFETIME.days}D")
    assert 'href="/team/handover"' not in browser.get("/subscriptions").text, "it has expired"


def test_declining_and_cancelling_change_nothing(app: Flask, business: Made, owner: FlaskClient) -> None:
    member = team.add(business, "viewer")
    browser = team.browser(app, member)
    before = roles(business)
    offered(owner, member)
    assert browser.post("/team/handover", data={"answer": "decline"}).status_code == 303
    offered(owner, member)
    assert owner.post("/team/handover/cancel").status_code == 303
    for answer in (
        browser.get("/team/handover"),
        browser.post("/team/handover", data=YES),
        browser.post("/team/handover", data={"answer": "decline"}),
        owner.post("/team/handover/cancel"),
    ):
        assert (answer.status_code, "no longer open" in answer.text) == (409, True)
    assert roles(business) == before


def test_one_proposal_at_a_time(business: Made, owner: FlaskClient) -> None:
    first, second = team.add(business, "manager"), team.add(business, "manager")
    offered(owner, first)
    for member in (first, second):
        answer = owner.post(f"/team/{member.id}/handover", data=YES)
        assert (answer.status_code, "already offered" in answer.text) == (409, True)
    assert db.session.scalars(select(Handover.member_id)).all() == [first.id]


def test_a_proposal_expires_and_another_can_follow(app: Flask, business: Made, owner: FlaskClient) -> None:
    first, second = team.add(business, "manager"), team.add(business, "manager")
    browser = team.browser(app, first)
    offered(owner, first)
    post(app, f"/{business.account}/clock", advance=f"P{HANDOVER_LIFETIME.days}D")
    assert browser.post("/team/handover", data=YES).status_code == 409
    assert "You have offered" not in owner.get("/team").text
    offered(owner, second)
    assert browser.post("/team/handover", data=YES).status_code == 409
    assert roles(business)[business.email] == "owner"


def test_only_the_member_who_was_asked_answers(app: Flask, business: Made, owner: FlaskClient) -> None:
    asked, other = team.add(business, "viewer"), team.add(business, "manager")
    offered(owner, asked)
    before = roles(business)
    elsewhere = scenarios.make("business")
    strangers = team.browser(app, other), owner, signed_in(app, elsewhere)
    for browser in strangers:
        for data in (YES, {"answer": "decline"}):
            assert browser.post("/team/handover", data=data).status_code == 409
    assert team.browser(app, other).post("/team/handover/cancel").status_code == 403
    assert (roles(business), db.session.scalars(select(Handover.member_id)).all()) == (before, [asked.id])


def test_a_removed_member_cannot_accept(app: Flask, business: Made, owner: FlaskClient) -> None:
    member = team.add(business, "manager")
    browser = team.browser(app, member)
    offered(owner, member)
    owner.post(f"/team/{member.id}/remove", data=YES)
    assert browser.post("/team/handover", data=YES).status_code == 303, "to the sign-in page"
    assert roles(business) == {business.email: "owner"}
    assert db.session.scalars(select(Handover)).all() == []
