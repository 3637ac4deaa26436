"""Authenticator apps and recovery codes: setting them up, signing in with them, and what an attacker tries."""

import threading
from datetime import timedelta

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.access.test_throttle import pass_time
from tests.support.authenticator import code_at, codes_of, halfway, is_in, with_app
from tests.support.world import dump, signed_in, state, words
from webapp.access import limits, sealing
from webapp.db import db, transaction
from webapp.domain.access import HALFWAY_LIFETIME, RECOVERY_CODES
from webapp.models.access import MemberSession
from webapp.models.second_factor import RecoveryCode, Totp
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made


@pytest.fixture
def protected(app: Flask) -> tuple[Made, pyotp.TOTP]:
    """An owner with an authenticator app."""
    made = scenarios.make("two-factor")
    return made, pyotp.TOTP(made.totp_secret or "")


def enter(client: FlaskClient, code: str) -> int:
    return client.post("/sign-in/factor", data={"code": code}).status_code


def test_setting_up_an_app_asks_for_its_code_and_gives_recovery_codes_once(app: Flask, business: Made) -> None:
    client = signed_in(app, business)
    client.post("/second-factor/app/begin")
    assert client.post("/second-factor/app", data={"code": "000000"}).status_code == 422
    assert "Set up a second factor" in client.get("/sessions").text
    _app, codes = with_app(client)
    assert len(set(codes)) == RECOVERY_CODES
    assert not codes_of(client.get("/second-factor").text)
    assert "10 recovery codes left" in words(client.get("/second-factor").text)
    told = [mail["subject"] for mail in state(app, business)["messages"]]
    assert len(told) == 1
    assert told[0].startswith("A second factor has been added")
    assert "Second factor added" in client.get("/activity").text


def test_a_password_alone_does_not_let_anyone_in(app: Flask, protected: tuple[Made, pyotp.TOTP]) -> None:
    made, phone = protected
    client = halfway(app, made)
    for path in ("/subscriptions", "/billing", "/sessions", "/second-factor", "/account-security", "/password"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (303, "/sign-in/factor"), path
    before = dump()
    for path in ("/sessions/end-others", "/second-factor/app/begin", "/second-factor/codes", "/password"):
        assert client.post(path).status_code == 303
    fragment = {"HX-Request": "true", "HX-Request-Type": "partial"}
    assert client.get("/subscriptions", headers=fragment).status_code == 401
    assert client.get("/passkeys/add").status_code == 404
    assert dump() == before
    assert enter(client, code_at(phone)) == 303
    assert is_in(client)


def test_the_page_wished_for_comes_after_the_factor(app: Flask, protected: tuple[Made, pyotp.TOTP]) -> None:
    made, phone = protected
    client = app.test_client()
    form = {"email": made.email, "password": made.password, "next": "/billing"}
    page = client.get(client.post("/sign-in", data=form).headers["Location"]).text
    assert 'name="next" value="/billing"' in page
    answer = client.post("/sign-in/factor", data={"code": code_at(phone), "next": "/billing"})
    assert answer.headers["Location"] == "/billing"


@pytest.mark.parametrize("path", ["/sign-in/factor", "/sign-in/factor/recovery"])
def test_the_page_of_the_factor_is_not_open_without_the_password(app: Flask, path: str) -> None:
    client = app.test_client()
    for answer in (client.get(path), client.post(path, data={"code": "123456", "recovery": "x"})):
        assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (303, "/sign-in")


@pytest.mark.parametrize(("off", "status"), [(0, 303), (-30, 303), (30, 303), (-90, 422), (90, 422)])
def test_a_clock_may_be_half_a_minute_off(
    app: Flask, protected: tuple[Made, pyotp.TOTP], off: int, status: int
) -> None:
    made, phone = protected
    assert enter(halfway(app, made), code_at(phone, off)) == status


@pytest.mark.service
def test_a_code_is_accepted_once(app: Flask, protected: tuple[Made, pyotp.TOTP]) -> None:
    made, phone = protected
    code = code_at(phone, 30)
    assert enter(halfway(app, made), code) == 303
    assert enter(halfway(app, made), code) == 422, "seen over a shoulder"
    assert enter(halfway(app, made), code_at(phone)) == 422, "nor one before it"


@pytest.mark.service
def test_of_two_browsers_with_the_same_code_one_gets_in(app: Flask, protected: tuple[Made, pyotp.TOTP]) -> None:
    made, phone = protected
    clients, code = [halfway(app, made) for _ in range(2)], code_at(phone)
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda c=client: statuses.append(enter(c, code))) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [303, 422]


def test_ten_wrong_codes_are_the_limit_whatever_the_session(app: Flask, protected: tuple[Made, pyotp.TOTP]) -> None:
    made, phone = protected
    assert [enter(halfway(app, made), "000000") for _ in range(11)] == [422] * 10 + [429]
    fresh = halfway(app, made)
    assert enter(fresh, code_at(phone)) == 429, "a new session starts no count"
    pass_time(timedelta(minutes=15))
    assert enter(fresh, code_at(phone)) == 303, "the owner is not locked out for good"


def test_guesses_elsewhere_do_not_lock_out_a_browser_that_signed_in_before(
    app: Flask, protected: tuple[Made, pyotp.TOTP]
) -> None:
    made, phone = protected
    own = halfway(app, made)
    assert enter(own, code_at(phone, -30)) == 303
    own.post("/sign-out")
    for _ in range(11):
        enter(halfway(app, made), "000000")
    own.post("/sign-in", data={"email": made.email, "password": made.password})
    assert enter(own, code_at(phone)) == 303


def test_guessing_for_a_day_ends(
    app: Flask, protected: tuple[Made, pyotp.TOTP], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _phone = protected
    monkeypatch.setitem(limits.LIMITS, "code_day", "12 per day")
    statuses = []
    for _ in range(2):
        statuses += [enter(halfway(app, made), "000000") for _ in range(10)]
        pass_time(timedelta(minutes=15))
    assert statuses.count(429) == 8


def test_a_half_sign_in_is_over_after_some_minutes_and_with_a_change_of_password(
    app: Flask, protected: tuple[Made, pyotp.TOTP]
) -> None:
    made, phone = protected
    late, ended = halfway(app, made), halfway(app, made)
    with transaction() as session:
        newest = select(MemberSession).order_by(MemberSession.created_at)
        row = session.scalars(newest).first()
        assert row
        row.created_at -= HALFWAY_LIFETIME
    assert late.get("/sign-in/factor").headers["Location"].split("?")[0] == "/sign-in"
    with transaction() as session:
        session.execute(update(MemberSession).values(ended="password"))
    assert enter(ended, code_at(phone)) == 303
    assert not is_in(ended)


def test_a_half_sign_in_is_not_listed_and_its_token_is_not_that_of_the_session(
    app: Flask, protected: tuple[Made, pyotp.TOTP]
) -> None:
    made, phone = protected
    client = halfway(app, made)
    with client.session_transaction() as cookie:
        before = cookie["token"]
    enter(client, code_at(phone))
    halfway(app, made)
    assert client.get("/sessions").text.count("session-row") == 1
    thief = app.test_client()
    with thief.session_transaction() as cookie:
        cookie["token"] = before
    assert not is_in(thief)


@pytest.mark.service
def test_a_recovery_code_lets_in_once(app: Flask, business: Made) -> None:
    _phone, codes = with_app(signed_in(app, business))
    client = halfway(app, business)
    answer = client.post("/sign-in/factor/recovery", data={"recovery": codes[3].upper().replace("-", " ")})
    assert answer.status_code == 303
    assert is_in(client)
    assert "9 recovery codes left" in words(client.get("/second-factor").text)
    again = halfway(app, business)
    assert again.post("/sign-in/factor/recovery", data={"recovery": codes[3]}).status_code == 422
    subjects = [mail["subject"] for mail in state(app, business)["messages"]]
    assert sum(subject.startswith("A recovery code was used") for subject in subjects) == 1


def test_recovery_codes_are_not_guessed_and_not_stored(app: Flask, business: Made) -> None:
    _phone, codes = with_app(signed_in(app, business))
    stored = repr(db.session.execute(select(RecoveryCode.code_hash, RecoveryCode.salt)).all())
    assert not [code for code in codes if code in stored or code.replace("-", "") in stored]
    db.session.rollback()
    tries = [halfway(app, business).post("/sign-in/factor/recovery", data={"recovery": "x"}) for _ in range(11)]
    assert [answer.status_code for answer in tries] == [422] * 10 + [429]


def test_new_codes_replace_the_old_ones(app: Flask, business: Made) -> None:
    client = signed_in(app, business)
    _phone, old = with_app(client)
    new = codes_of(client.post("/second-factor/codes").text)
    assert len(set(new) - set(old)) == RECOVERY_CODES
    statuses = [
        halfway(app, business).post("/sign-in/factor/recovery", data={"recovery": code}).status_code
        for code in (old[0], new[0])
    ]
    assert statuses == [422, 303]


def test_codes_of_another_member_do_not_count(app: Flask, business: Made, protected: tuple[Made, pyotp.TOTP]) -> None:
    phone, codes = with_app(signed_in(app, business))
    other = halfway(app, protected[0])
    assert enter(other, code_at(phone)) == 422
    assert other.post("/sign-in/factor/recovery", data={"recovery": codes[0]}).status_code == 422


def test_moving_to_another_phone_keeps_the_old_one_until_the_new_one_works(app: Flask, business: Made) -> None:
    client = signed_in(app, business)
    old, _codes = with_app(client)
    client.post("/second-factor/app/begin")
    assert enter(halfway(app, business), code_at(old)) == 303
    new, codes = with_app(client)
    assert codes == [], "the recovery codes stay"
    assert enter(halfway(app, business), code_at(old, 30)) == 422
    assert enter(halfway(app, business), code_at(new)) == 303


def test_removing_the_last_factor_ends_the_second_step_and_its_codes(app: Flask, business: Made) -> None:
    client = signed_in(app, business)
    with_app(client)
    assert "your password alone" in words(client.get("/second-factor/app/remove").text)
    assert client.post("/second-factor/app/remove").status_code == 303
    assert is_in(signed_in(app, business))
    assert db.session.scalars(select(RecoveryCode)).all() == []
    assert client.post("/second-factor/app/remove").status_code == 404
    assert client.post("/second-factor/codes").status_code == 404


def test_a_new_password_by_mail_does_not_replace_the_factor(app: Flask, protected: tuple[Made, pyotp.TOTP]) -> None:
    made, _phone = protected
    client = app.test_client()
    client.post("/password/forgotten", data={"email": made.email})
    link = state(app, made)["messages"][-1]["text"].split("/password/reset/")[1].split()[0]
    client.get(f"/password/reset/{link}")
    new = "quatre mots bien longs"
    assert client.post("/password/reset", data={"new": new, "again": new}).status_code == 303
    answer = client.post("/sign-in", data={"email": made.email, "password": new})
    assert answer.headers["Location"].startswith("/sign-in/factor")


def test_a_copy_of_the_database_does_not_give_the_secret_away(
    app: Flask, protected: tuple[Made, pyotp.TOTP], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, phone = protected
    stored = db.session.scalars(select(Totp.secret)).one()
    assert str(made.totp_secret) not in str(stored)
    db.session.rollback()
    before = app.config["SECRET_KEY"]
    monkeypatch.setitem(app.config, "SECRET_KEY", "another key, of thirty-two letters")
    assert enter(halfway(app, made), code_at(phone, -30)) == 422, "nobody can open it"
    monkeypatch.setitem(app.config, "SECRET_KEY_FALLBACKS", [before])
    assert enter(halfway(app, made), code_at(phone, -30)) == 303
    monkeypatch.setitem(app.config, "SECRET_KEY_FALLBACKS", [])
    assert enter(halfway(app, made), code_at(phone)) == 303, "it was sealed anew when it was used"


def test_sealing_is_never_twice_the_same(app: Flask) -> None:
    assert sealing.seal("x") != sealing.seal("x")
    assert sealing.unseal("nonsense") is None
