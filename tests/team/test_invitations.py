"""An invitation: sent, opened, accepted; and each link that lets nobody in."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.support import team
from tests.support.invitations import accepted, invited, last_mail, link_in
from tests.support.world import dump, post, signed_in, state
from webapp.db import db
from webapp.domain.team import INVITATION_LIFETIME
from webapp.models.accounts import Member
from webapp.models.team import Invitation
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service
NADIA = "nadia.benali@example.test"


@pytest.fixture
def owner(app: Flask, business: Made) -> FlaskClient:
    return signed_in(app, business)


def role_of(email: str) -> str | None:
    db.session.rollback()
    return db.session.scalars(select(Member.role).where(Member.email == email)).one_or_none()


@pytest.mark.parametrize("role", ["manager", "accountant", "viewer"])
def test_whoever_accepts_is_signed_in_with_the_role(app: Flask, business: Made, owner: FlaskClient, role: str) -> None:
    link = invited(app, business, owner, "Nadia.Benali@Example.test", role)
    assert NADIA in owner.get("/team").text
    opened = app.test_client().get(link)
    assert (opened.status_code, NADIA in opened.text, "Camille Martin" in opened.text) == (200, True, True)
    browser = accepted(app, link)
    assert role_of(NADIA) == role
    page = browser.get("/subscriptions")
    assert (page.status_code, "Nadia Benali" in page.text) == (200, True)
    assert "Pending invitations" not in owner.get("/team").text
    again = app.test_client()
    answer = again.post("/sign-in", data={"email": NADIA, "password": "quatre mots bien longs"})
    assert answer.status_code == 303
    told = [message["subject"] for message in state(app, business)["messages"] if message["to"] == business.email]
    assert len(told) == 1, "the owner is told who joined"


def test_the_activity_says_who_invited_and_who_joined(app: Flask, business: Made, owner: FlaskClient) -> None:
    accepted(app, invited(app, business, owner, NADIA, "accountant"))
    page = owner.get("/activity?about=team").text
    assert page.index("Member joined") < page.index("Member invited")
    assert (page.count("Camille Martin"), page.count("Nadia Benali"), page.count(NADIA)) >= (1, 1, 2)
    assert "Accountant" in page


@pytest.mark.parametrize(
    ("password", "name", "sentence"),
    [
        ("short", "Nadia", "characters or more"),
        ("nadia.benali1", "Nadia", "Do not use your e-mail address"),
        ("quatre mots bien longs", "", "Enter your name."),
        ("quatre mots bien longs", "a\u202eb", "Enter your name."),
        ("", "Nadia", "Enter a new password."),
    ],
)
def test_a_wrong_field_is_refused_beside_it_and_the_link_still_works(
    app: Flask, business: Made, owner: FlaskClient, password: str, name: str, sentence: str
) -> None:
    link = invited(app, business, owner, NADIA)
    browser = app.test_client()
    browser.set_cookie("locale", "en")
    answer = browser.post(link, data={"password": password, "name": name})
    assert (answer.status_code, sentence in answer.text, role_of(NADIA)) == (422, True, None)
    accepted(app, link)


def test_the_address_cannot_be_changed_by_whoever_it_was_forwarded_to(
    app: Flask, business: Made, owner: FlaskClient
) -> None:
    link = invited(app, business, owner, NADIA, "viewer")
    data = {"password": "quatre mots bien longs", "name": "Eve", "email": "eve@example.test", "role": "owner"}
    assert app.test_client().post(link, data=data).status_code == 303
    assert (role_of(NADIA), role_of("eve@example.test")) == ("viewer", None)


def refused_link(app: Flask, link: str) -> None:
    before = dump()
    for method in ("GET", "POST"):
        answer = app.test_client().open(
            link, method=method, data={"password": "quatre mots bien longs", "name": "Nadia"}
        )
        assert answer.status_code == 410, (method, link)
        assert "invitation" in answer.text
    after = dump()
    assert {name for name in before if before[name] != after[name]} <= {"rate_limit"}


def test_a_link_works_once(app: Flask, business: Made, owner: FlaskClient) -> None:
    link = invited(app, business, owner, NADIA)
    accepted(app, link)
    refused_link(app, link)


def test_a_withdrawn_link_and_one_that_was_sent_again_do_not_work(
    app: Flask, business: Made, owner: FlaskClient
) -> None:
    first = invited(app, business, owner, NADIA)
    invitation = db.session.scalars(select(Invitation.id)).one()
    db.session.rollback()
    assert owner.post(f"/team/invitations/{invitation}/send").status_code == 303
    second = link_in(last_mail(app, business, NADIA))
    assert second != first
    refused_link(app, first)
    assert app.test_client().get(second).status_code == 200
    assert owner.post(f"/team/invitations/{invitation}/withdraw").status_code == 303
    refused_link(app, second)
    for act in ("send", "withdraw"):
        assert owner.post(f"/team/invitations/{invitation}/{act}").status_code == 404


def test_a_link_expires_and_can_be_sent_again(app: Flask, business: Made, owner: FlaskClient) -> None:
    link = invited(app, business, owner, NADIA)
    post(app, f"/{business.account}/clock", advance=f"P{INVITATION_LIFETIME.days}D")
    refused_link(app, link)
    assert "Expired" in owner.get("/team").text
    invitation = db.session.scalars(select(Invitation.id)).one()
    db.session.rollback()
    owner.post(f"/team/invitations/{invitation}/send")
    accepted(app, link_in(last_mail(app, business, NADIA)))


@pytest.mark.parametrize("token", ["x", "nobody.x", "{account}.x", "{account}", "."])
def test_a_link_that_was_never_sent(app: Flask, business: Made, token: str) -> None:
    refused_link(app, f"/invitations/{token.format(account=business.account)}")


def test_the_account_in_a_link_is_the_one_that_is_joined(app: Flask, business: Made, owner: FlaskClient) -> None:
    other = scenarios.make("business")
    link = invited(app, business, owner, NADIA)
    refused_link(app, link.replace(business.account, other.account))


def test_somebody_who_is_signed_in_is_told_to_sign_out(app: Flask, business: Made, owner: FlaskClient) -> None:
    link = invited(app, business, owner, NADIA)
    other = signed_in(app, scenarios.make("business"))
    for browser in (other, owner):
        for answer in (browser.get(link), browser.post(link, data={"password": "quatre mots bien longs", "name": "N"})):
            assert (answer.status_code, "Sign out, then open the link again" in answer.text) == (409, True)
    assert role_of(NADIA) is None
    other.post("/sign-out")
    assert other.get(link).status_code == 200


def test_who_is_a_member_here_or_elsewhere_is_not_invited(app: Flask, business: Made, owner: FlaskClient) -> None:
    elsewhere = scenarios.make("business")
    answers = [
        owner.post("/team", data={"email": email, "role": "viewer"})
        for email in (business.email, business.email.upper(), elsewhere.email)
    ]
    assert [answer.status_code for answer in answers] == [422, 422, 422]
    assert all("already belongs to a member" in answer.text for answer in answers[:2])
    assert "already used to sign in to My Qlik" in answers[2].text
    assert elsewhere.account not in answers[2].text
    assert all("messages" not in answer.text for answer in answers)
    assert db.session.scalars(select(Invitation)).all() == []


def test_an_address_that_joined_elsewhere_meanwhile_cannot_accept(
    app: Flask, business: Made, owner: FlaskClient
) -> None:
    link = invited(app, business, owner, NADIA)
    elsewhere = scenarios.make("business")
    theirs = invited(app, elsewhere, signed_in(app, elsewhere), NADIA)
    accepted(app, theirs)
    answer = app.test_client().post(link, data={"password": "quatre mots bien longs", "name": "Nadia"})
    assert answer.status_code == 409
    account = db.session.scalars(select(Member.account_id).where(Member.email == NADIA)).one()
    assert account == elsewhere.account


@pytest.mark.parametrize(
    ("email", "role", "sentence"),
    [
        ("nadia", "viewer", "This is not an e-mail address"),
        ("", "viewer", "Enter an e-mail address."),
        ("nadia@exa mple.test", "viewer", "This is not an e-mail address"),
        ("zoë@example.test", "viewer", "without accents"),
        (f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.test", "viewer", "This is not an e-mail address"),
        (NADIA, "owner", "Choose a role."),
        (NADIA, "", "Choose a role."),
        (NADIA, "admin", "Choose a role."),
    ],
)
def test_a_wrong_invitation_is_refused(
    business: Made, owner: FlaskClient, email: str, role: str, sentence: str
) -> None:
    answer = owner.post("/team", data={"email": email, "role": role})
    assert (answer.status_code, sentence in answer.text) == (422, True)
    assert db.session.scalars(select(Invitation)).all() == []


def test_another_accounts_invitation_does_not_exist(app: Flask, business: Made, owner: FlaskClient) -> None:
    invited(app, business, owner, NADIA)
    invitation = db.session.scalars(select(Invitation.id)).one()
    stranger = signed_in(app, scenarios.make("business"))
    for act in ("send", "withdraw"):
        assert stranger.post(f"/team/invitations/{invitation}/{act}").status_code == 404
    assert db.session.scalars(select(Invitation.id)).one() == invitation


def test_invitations_are_the_owners_alone(app: Flask, business: Made) -> None:
    for role in ("manager", "accountant", "viewer"):
        browser = team.browser(app, team.add(business, role))
        assert browser.get("/team").status_code == 403
        assert browser.post("/team", data={"email": NADIA, "role": "viewer"}).status_code == 403
        assert 'href="/team"' not in browser.get("/subscriptions").text
    assert db.session.scalars(select(Invitation)).all() == []
