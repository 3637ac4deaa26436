"""A member's own e-mail: it changes when its holder confirms from the new address, and the old one is told."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.support import team
from tests.support.alarms import mails, sign_in, stranger, titles
from tests.support.authenticator import age_proofs
from tests.support.invitations import invited, last_mail, link_in
from tests.support.together import together
from tests.support.world import dump, post, signed_in
from webapp.db import db, transaction
from webapp.domain.access import EMAIL_CHANGE_LIFETIME
from webapp.models.accounts import Account, Member
from webapp.models.alarms import EmailChange
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service
NEW = "camille.nouvelle@example.test"


def ask(client: FlaskClient, email: str = NEW) -> Any:
    return client.post("/account/email", data={"email": email})


def link_to(app: Flask, made: Made, client: FlaskClient, email: str = NEW) -> str:
    """Asks for the address; returns the path of the link that was mailed there."""
    assert ask(client, email).status_code == 303
    return link_in(last_mail(app, made, email.lower()))


def members(app: Flask, made: Made) -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Member.email).where(Member.account_id == made.account)))


def test_the_address_changes_by_the_button_behind_the_link(app: Flask, business: Made) -> None:
    client, other = signed_in(app, business), signed_in(app, business)
    billed = db.session.scalars(select(Account.billing_emails)).one()
    link = link_to(app, business, client, "Camille.Nouvelle@Example.test")
    assert members(app, business) == [business.email], "nothing changes yet"
    page = client.get(link)
    assert (page.status_code, NEW in page.text, business.email in page.text) == (200, True, True)
    assert members(app, business) == [business.email], "a program that opens links changes nothing"
    answer = client.post(link)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sessions")
    assert f"You now sign in with {NEW}." in client.get("/sessions").text
    assert members(app, business) == [NEW]
    assert other.get("/billing").status_code == 303, "other sessions end"
    fresh = stranger(app)
    assert (sign_in(fresh, business.email, business.password), sign_in(fresh, NEW, business.password)) == (422, 303)
    assert db.session.scalars(select(Account.billing_emails)).one() == billed
    assert titles(app, business, business.email)[-1] == "Your e-mail address has been changed"
    assert "Your e-mail address has been changed" in titles(app, business, NEW)
    assert client.get(link).status_code == client.post(link).status_code == 410, "it is used once"


def test_the_browser_in_which_it_was_changed_stays_known(app: Flask, business: Made, client: FlaskClient) -> None:
    client.post(link_to(app, business, client))
    client.post("/sign-out")
    assert sign_in(client, NEW, business.password) == 303
    assert "Sign-in from a new browser" not in titles(app, business)


@pytest.mark.parametrize("role", ["manager", "accountant", "viewer"])
def test_each_role_changes_its_own(app: Flask, business: Made, role: str) -> None:
    member = team.add(business, role)
    client = team.browser(app, member)
    assert client.post(link_to(app, business, client)).status_code == 303
    assert sorted(members(app, business)) == sorted([business.email, NEW])


def test_the_form_asks_for_a_proof(app: Flask, business: Made, client: FlaskClient) -> None:
    age_proofs(business)
    answer = ask(client)
    assert (answer.status_code, answer.headers["Location"].startswith("/confirm/")) == (303, True)
    assert (mails(app, business), db.session.scalars(select(EmailChange)).all()) == ([], [])
    done = client.post(answer.headers["Location"] + "/password", data={"password": business.password})
    assert (done.status_code, done.headers["Location"]) == (303, "/account/email")
    assert [mail["to"] for mail in mails(app, business)] == [NEW], "it goes on with what was entered"


@pytest.mark.parametrize(
    ("email", "said"),
    [
        ("", "Enter an e-mail address."),
        ("camille", "This is not an e-mail address: check it."),
        ("élodie@example.test", "Use letters without accents before the @."),
        ("a" * 300 + "@example.test", "This is not an e-mail address: check it."),
        ("OWN", "This is already your e-mail address. Enter the new one."),
        ("COLLEAGUE", "This address is already used to sign in to My Qlik. Use another one."),
        ("STRANGER", "This address is already used to sign in to My Qlik. Use another one."),
    ],
)
def test_a_wrong_address_is_refused_at_its_field(
    app: Flask, business: Made, client: FlaskClient, email: str, said: str
) -> None:
    """A colleague's address and that of another account are refused alike."""
    colleague, other = team.add(business, "viewer"), scenarios.make("business")
    given = {"OWN": business.email.upper(), "COLLEAGUE": colleague.email, "STRANGER": other.email}.get(email, email)
    before = dump()
    answer = ask(client, given)
    assert (answer.status_code, said in answer.text) == (422, True)
    assert 'aria-describedby="email-error"' in answer.text
    assert dump() == before


def test_asked_again_the_first_link_stops(app: Flask, business: Made, client: FlaskClient) -> None:
    first = link_to(app, business, client)
    second = link_to(app, business, client, "c.martin@example.test")
    assert "c.martin@example.test" in client.get("/account/email").text
    assert client.post(first).status_code == 410
    assert client.post(second).status_code == 303
    assert members(app, business) == ["c.martin@example.test"]


def test_a_withdrawn_address_is_not_confirmed(app: Flask, business: Made, client: FlaskClient) -> None:
    link = link_to(app, business, client)
    assert "Withdraw this address" in client.get("/account/email").text
    assert client.post("/account/email/withdraw").status_code == 303
    assert client.post("/account/email/withdraw").status_code == 303, "doing it twice has one effect"
    assert "Withdraw this address" not in client.get("/account/email").text
    answer = client.post(link)
    assert (answer.status_code, "This link no longer works" in answer.text) == (410, True)
    assert members(app, business) == [business.email]


def test_a_link_expires_by_the_accounts_clock(app: Flask, business: Made, client: FlaskClient) -> None:
    link = link_to(app, business, client)
    minutes = int(EMAIL_CHANGE_LIFETIME / timedelta(minutes=1))
    post(app, f"/{business.account}/clock", advance=f"PT{minutes - 1}M")
    assert client.get(link).status_code == 200
    post(app, f"/{business.account}/clock", advance="PT1M")
    assert client.get(link).status_code == client.post(link).status_code == 410
    assert "Withdraw this address" not in client.get("/account/email").text
    assert members(app, business) == [business.email]


def test_a_link_is_its_members_alone(app: Flask, business: Made, client: FlaskClient) -> None:
    """Whoever got it by a mistyped address is nobody here; a colleague and another account have it not either."""
    link = link_to(app, business, client)
    viewer, other = team.browser(app, team.add(business, "viewer")), signed_in(app, scenarios.make("business"))
    before = dump()
    for foreign in (viewer, other):
        assert foreign.get(link).status_code == foreign.post(link).status_code == 410
    assert stranger(app).get(link).headers["Location"].startswith("/sign-in?next=")
    assert stranger(app).post(link).headers["Location"].startswith("/sign-in")
    assert dump() == before


def test_an_address_that_was_taken_meanwhile_is_refused(app: Flask, business: Made, client: FlaskClient) -> None:
    link = link_to(app, business, client)
    team.add(scenarios.make("business"), "viewer", NEW)
    answer = client.post(link)
    assert (answer.status_code, "already used to sign in" in answer.text) == (409, True)
    assert members(app, business) == [business.email]


def test_a_link_clicked_twice_at_once_has_one_effect(app: Flask, business: Made, client: FlaskClient) -> None:
    link = link_to(app, business, client)
    cookie = client.get_cookie("my_qlik")
    assert cookie

    def click() -> int:
        browser = app.test_client()
        browser.set_cookie("my_qlik", cookie.value)
        return browser.post(link).status_code

    assert 303 in together(app, [click, click])
    assert titles(app, business, NEW).count("Your e-mail address has been changed") == 1


def test_the_accounts_own_invitation_to_the_new_address_ends(app: Flask, business: Made, client: FlaskClient) -> None:
    invitation = invited(app, business, client, NEW, "viewer")
    client.post(link_to(app, business, client))
    assert stranger(app).get(invitation).status_code == 410
    assert NEW not in client.get("/team").text.partition("Pending")[2]


def test_password_links_mailed_to_the_old_address_stop(app: Flask, business: Made, client: FlaskClient) -> None:
    stranger(app).post("/password/forgotten", data={"email": business.email})
    reset = link_in(last_mail(app, business, business.email))
    client.post(link_to(app, business, client))
    follower = stranger(app)
    follower.get(reset)
    assert follower.get("/password/reset").status_code == 410


def test_the_token_is_kept_as_its_hash(app: Flask, business: Made, client: FlaskClient) -> None:
    token = link_to(app, business, client).rsplit("/", 1)[1]
    rows = {name: found for name, found in dump().items() if name != "message"}
    assert token not in repr(rows)


def test_it_is_in_the_activity(app: Flask, business: Made, client: FlaskClient) -> None:
    link_to(app, business, client)
    client.post("/account/email/withdraw")
    client.post(link_to(app, business, client))
    page = client.get("/activity?about=security").text
    for title in ("New e-mail address to be confirmed", "New e-mail address withdrawn", "E-mail address of a member"):
        assert title in page


def test_the_mail_comes_in_the_members_language(app: Flask, business: Made, client: FlaskClient) -> None:
    with transaction() as session:
        session.execute(update(Member).values(locale="fr"))
    link_to(app, business, client)
    (mail,) = mails(app, business)
    assert mail["subject"] == f"Confirmez votre nouvelle adresse e-mail\u00a0: {NEW}"
