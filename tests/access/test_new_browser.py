"""A sign-in from a browser that the member has not used is told; so is a password without its second factor."""

from datetime import timedelta

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.support import team
from tests.support.alarms import alarm_in, mails, sign_in, stranger, titles
from tests.support.authenticator import code_at, halfway, options, with_app, with_passkey
from tests.support.invitations import accepted, invited
from tests.support.world import post, signed_in
from webapp.db import db, transaction
from webapp.domain.access import HALFWAY_LIFETIME, UNFINISHED_TOLD_EVERY
from webapp.models.alarms import KnownBrowser
from webapp.models.mail import Message
from webapp.ports import ports
from webapp.sandbox.scenarios import Made

TITLE, UNFINISHED = "Sign-in from a new browser", "Your password was used without your second factor"
FIREFOX = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; rv:130.0) Gecko/20100101 Firefox/130.0"}


def told(app: Flask, made: Made, title: str = TITLE) -> int:
    return titles(app, made, made.email).count(title)


def test_the_first_browser_is_not_told_and_each_new_one_is_told_once(app: Flask, business: Made) -> None:
    first = signed_in(app, business)
    assert titles(app, business) == []
    other = stranger(app)
    form = {"email": business.email, "password": business.password}
    assert other.post("/sign-in", data=form, headers=FIREFOX).status_code == 303
    (mail,) = mails(app, business)
    assert (mail["to"], mail["subject"]) == (business.email, f"{TITLE}: {business.email}")
    assert "Browser: Firefox, Windows" in mail["text"]
    assert alarm_in(mail)
    for browser in (first, other):
        browser.post("/sign-out")
        assert sign_in(browser, business.email, business.password) == 303
    assert told(app, business) == 1


def test_a_wrong_password_is_no_sign_in(app: Flask, business: Made) -> None:
    signed_in(app, business)
    assert sign_in(stranger(app), business.email, "wrong") == 422
    assert told(app, business) == 0


def test_a_browser_is_known_to_its_member_alone(app: Flask, business: Made) -> None:
    """Two members at one computer: each is told at their own first sign-in there."""
    shared, viewer = signed_in(app, business), team.add(business, "viewer")
    team.browser(app, viewer)
    shared.post("/sign-out")
    assert sign_in(shared, viewer.email, team.PASSWORD) == 303
    assert titles(app, business, viewer.email) == [TITLE]
    assert titles(app, business, business.email) == []


def test_a_forged_cookie_is_a_new_browser(app: Flask, business: Made) -> None:
    signed_in(app, business)
    key = db.session.scalars(select(KnownBrowser.browser_hash)).one()
    forger = stranger(app)
    forger.set_cookie("my_qlik_device", f'["{key}",[]].x')
    assert sign_in(forger, business.email, business.password) == 303
    assert told(app, business) == 1


def test_the_cookie_is_kept_from_scripts_and_names_nobody(app: Flask, business: Made) -> None:
    answer = stranger(app).post("/sign-in", data={"email": business.email, "password": business.password})
    (cookie,) = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("my_qlik_device=")]
    assert {"HttpOnly", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    assert business.email not in cookie


def test_a_passkey_in_a_new_browser_is_told(app: Flask, business: Made) -> None:
    client = signed_in(app, business)
    key = with_passkey(client)
    other = stranger(app)
    credential = key.get(options(other, "sign-in"))
    assert other.post("/sign-in/passkey", data={"credential": credential}).status_code == 303
    assert told(app, business) == 1


def test_whoever_joins_is_not_told_of_the_browser_in_which_they_joined(app: Flask, business: Made) -> None:
    link = invited(app, business, signed_in(app, business), "nadia@example.test")
    browser = accepted(app, link)
    browser.post("/sign-out")
    assert sign_in(browser, "nadia@example.test", team.PASSWORD) == 303
    assert TITLE not in titles(app, business, "nadia@example.test")


def test_a_second_factor_in_a_new_browser_is_told_when_it_was_given(app: Flask, business: Made) -> None:
    phone, _codes = with_app(signed_in(app, business))
    other = halfway(app, business)
    assert told(app, business) == 0
    assert other.post("/sign-in/factor", data={"code": code_at(phone)}).status_code == 303
    assert (told(app, business), told(app, business, UNFINISHED)) == (1, 0)


@pytest.fixture
def phone(app: Flask, business: Made, client: FlaskClient) -> pyotp.TOTP:
    return with_app(client)[0]


@pytest.mark.usefixtures("phone")
def test_a_password_without_its_factor_is_told_once_an_hour(app: Flask, business: Made) -> None:
    thief = halfway(app, business)
    for code in ("000000", "123456"):
        assert thief.post("/sign-in/factor", data={"code": code}).status_code == 422
    halfway(app, business)
    assert told(app, business, UNFINISHED) == 1
    assert alarm_in(mails(app, business, UNFINISHED)[0])
    later = UNFINISHED_TOLD_EVERY + timedelta(minutes=1)
    post(app, f"/{business.account}/clock", advance=f"PT{int(later.total_seconds() // 60)}M")
    halfway(app, business)
    assert told(app, business, UNFINISHED) == 2


def test_the_mail_waits_until_the_attempt_lapses(app: Flask, business: Made, phone: pyotp.TOTP) -> None:
    halfway(app, business)
    row = db.session.scalars(select(Message).where(Message.about.startswith("security/factor_missing/"))).one()
    assert row.due_at is not None
    assert timedelta(0) <= ports().clock.system_now() + HALFWAY_LIFETIME - row.due_at < timedelta(minutes=1)


def test_whoever_is_slow_or_begins_again_is_not_told(app: Flask, business: Made, phone: pyotp.TOTP) -> None:
    """The same browser gives the password twice, mistypes a code, and is in."""
    browser = halfway(app, business)
    assert browser.post("/sign-in/factor", data={"code": "000000"}).status_code == 422
    assert sign_in(browser, business.email, business.password) == 303
    assert browser.post("/sign-in/factor", data={"code": code_at(phone)}).status_code == 303
    assert told(app, business, UNFINISHED) == 0


def test_a_thief_is_told_although_the_member_signs_in_elsewhere(app: Flask, business: Made, phone: pyotp.TOTP) -> None:
    thief = halfway(app, business)
    member = halfway(app, business)
    assert member.post("/sign-in/factor", data={"code": code_at(phone)}).status_code == 303
    assert told(app, business, UNFINISHED) == 1
    thief.post("/sign-out")
    assert told(app, business, UNFINISHED) == 1


def test_what_is_being_sent_is_not_taken_back(app: Flask, business: Made, phone: pyotp.TOTP) -> None:
    browser = halfway(app, business)
    with transaction() as session:
        session.scalars(select(Message).where(Message.about.startswith("security/factor"))).one().attempts = 1
    assert browser.post("/sign-in/factor", data={"code": code_at(phone)}).status_code == 303
    assert told(app, business, UNFINISHED) == 1


def test_a_colleague_who_knows_the_password_cannot_take_the_mail_back(
    app: Flask, business: Made, phone: pyotp.TOTP
) -> None:
    """They sign in as themselves afterwards, in the browser that owes the factor of the other."""
    thief, colleague = halfway(app, business), team.add(business, "viewer")
    assert sign_in(thief, colleague.email, team.PASSWORD) == 303
    assert told(app, business, UNFINISHED) == 1
