"""Rate limits: counted in the database for all processes, and no attacker can lock an owner out."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.exceptions import TooManyRequests

from tests.support.world import dump, quoted, renew_url, signed_in, state, step
from webapp.access import limits
from webapp.db import db, transaction
from webapp.models.access import RateLimit
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

HX = {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Current-URL": "http://localhost/sign-in"}


def guess(client: FlaskClient, email: str, password: str = "wrong", address: str = "192.0.2.1") -> Any:
    client.set_cookie("locale", "en")
    return client.post(
        "/sign-in", data={"email": email, "password": password}, environ_overrides={"REMOTE_ADDR": address}
    )


def guesses(app: Flask, email: str, count: int, address: str = "192.0.2.1") -> list[int]:
    return [guess(app.test_client(), email, address=address).status_code for _ in range(count)]


def pass_time(by: timedelta) -> None:
    """Moves the start of every window back by that long."""
    with transaction() as session:
        for row in session.scalars(select(RateLimit)):
            row.ends_at -= by


def test_the_sixth_wrong_guess_waits_and_is_told_how_long(app: Flask, business: Made) -> None:
    assert guesses(app, business.email, 6) == [422] * 5 + [429]
    answer = guess(app.test_client(), business.email.upper(), business.password)
    assert answer.status_code == 429
    assert 290 <= int(answer.headers["Retry-After"]) <= 300
    assert "Nothing was changed. Try again in 5 minutes." in answer.text
    fragment = app.test_client().post(
        "/sign-in",
        data={"email": business.email, "password": "x"},
        headers=HX,
        environ_overrides={"REMOTE_ADDR": "192.0.2.1"},
    )
    assert (fragment.status_code, fragment.headers["HX-Retarget"]) == (429, "#flash")
    assert "Retry-After" in fragment.headers
    pass_time(timedelta(minutes=4, seconds=1))
    assert "Try again in 1 minute." in guess(app.test_client(), business.email).text
    pass_time(timedelta(minutes=1))
    assert guess(app.test_client(), business.email, business.password).status_code == 303


def test_somebody_elses_guesses_keep_no_owner_out(app: Flask, business: Made) -> None:
    """The owner still gets in from another address, and in a browser that signed in before."""
    known = app.test_client()
    assert guess(known, business.email, business.password, "198.51.100.7").status_code == 303
    known.post("/sign-out")
    assert 429 in guesses(app, business.email, 6)
    assert guess(app.test_client(), business.email, business.password, "203.0.113.9").status_code == 303
    for n in range(25):  # from many addresses, until the limit of the e-mail address is reached
        guesses(app, business.email, 5, f"203.0.113.{n + 10}")
    assert guess(app.test_client(), business.email, business.password, "203.0.113.200").status_code == 429
    assert guess(known, business.email, business.password, "192.0.2.1").status_code == 303
    anew = app.test_client()  # a new browser gets in through a link in the owner's mail
    anew.post("/password/forgotten", data={"email": business.email})
    link = re.search(r"/password/reset/[\w.-]+", state(app, business)["messages"][-1]["text"])
    assert link
    anew.get(link[0])
    new = "quatre mots bien longs"
    assert anew.post("/password/reset", data={"new": new, "again": new}).status_code == 303
    assert guess(anew, business.email, new, "203.0.113.200").status_code == 303


def test_one_address_alone_does_not_use_up_what_an_email_is_allowed(app: Flask, business: Made) -> None:
    for _ in range(6):
        guesses(app, business.email, 30)
        pass_time(timedelta(minutes=5))
    assert guess(app.test_client(), business.email, business.password, "203.0.113.9").status_code == 303


def test_a_known_browser_guesses_no_more_than_ten_times(app: Flask, business: Made) -> None:
    known = signed_in(app, business)
    assert [guess(known, business.email).status_code for _ in range(11)] == [422] * 10 + [429]
    other = scenarios.make("business")  # which never signed in from this browser
    assert [guess(known, other.email).status_code for _ in range(6)] == [422] * 5 + [429]


def test_a_made_up_device_is_no_known_one(app: Flask, business: Made) -> None:
    client = app.test_client()
    for cookie in ("x", "WyJhIixbXV0.x", ""):
        client.set_cookie("my_qlik_device", cookie)
        guess(client, business.email)
    assert guesses(app, business.email, 3) == [422, 422, 429]


def test_an_unknown_email_waits_as_a_known_one_does(app: Flask) -> None:
    assert guesses(app, "nobody@example.test", 6) == [422] * 5 + [429]


def test_one_address_guesses_many_emails_only_so_often(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SANDBOX_LIMITS", {})
    statuses = [guess(app.test_client(), f"sao-{n}@example.test").status_code for n in range(51)]
    assert statuses == [422] * 50 + [429]
    assert guess(app.test_client(), "another@example.test", address="203.0.113.9").status_code == 422


def test_right_passwords_are_not_counted(app: Flask, business: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SANDBOX_LIMITS", {})
    for _ in range(60):
        assert guess(app.test_client(), business.email, business.password).status_code == 303


def test_an_ipv6_customer_is_one_address(app: Flask, business: Made) -> None:
    statuses = [guesses(app, business.email, 1, f"2001:db8:0:1::{n}")[0] for n in range(6)]
    assert statuses == [422] * 5 + [429]
    assert guesses(app, business.email, 1, "2001:db8:0:2::1") == [422]


def test_links_are_mailed_three_times_in_a_quarter_of_an_hour(app: Flask, business: Made) -> None:
    for email in (business.email, "nobody@example.test"):
        asked = [app.test_client().post("/password/forgotten", data={"email": email}) for _ in range(4)]
        assert [answer.status_code for answer in asked] == [303, 303, 303, 429]
    assert len(state(app, business)["messages"]) == 3


def test_a_changed_password_is_guessed_as_seldom(app: Flask, business: Made, client: FlaskClient) -> None:
    form = {"current": "wrong", "new": "quatre mots bien longs", "again": "quatre mots bien longs"}
    assert [client.post("/password", data=form).status_code for _ in range(11)] == [422] * 10 + [429]


def test_cards_and_payments_are_begun_so_often_by_an_account(
    app: Flask, business: Made, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SANDBOX_LIMITS", {})
    begun = [client.post("/billing/cards/new") for _ in range(11)]
    assert [answer.status_code for answer in begun] == [303] * 10 + [429]
    quote = quoted(app, business)
    assert client.post(f"{renew_url(business)}/{quote}/payment/new-card").status_code == 429
    entry = urlsplit(begun[0].headers["Location"]).path
    assert [client.post(entry, data={"number": "1"}).status_code for _ in range(11)] == [422] * 10 + [429]
    pay = step(business, quote, "pay")
    form = {"attempt": "1", "card": business.cards[0]}
    assert [client.post(pay, data=form).status_code for _ in range(11)] == [303] * 10 + [429]
    assert [payment["state"] for payment in state(app, business)["payments"]].count("captured") == 1
    other = signed_in(app, scenarios.make("business"))
    assert other.post("/billing/cards/new").status_code == 303


@pytest.mark.service
def test_counts_at_once_are_all_counted(app: Flask) -> None:
    db.session.remove()

    def guess(_n: int) -> bool:
        with app.test_request_context():
            try:
                limits.count(("guess", "somebody"))
            except TooManyRequests:
                return False
            return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(guess, range(12))) == 5
    db.session.rollback()
    assert db.session.scalars(select(RateLimit.hits)).one() == 12


@pytest.mark.service
def test_a_window_begins_anew_when_it_is_over(app: Flask) -> None:
    with app.test_request_context():
        for _ in range(5):
            limits.count(("guess", "somebody"))
        with pytest.raises(TooManyRequests):
            limits.count(("guess", "somebody"))
        pass_time(timedelta(minutes=5))
        limits.count(("guess", "somebody"))
    assert db.session.scalars(select(RateLimit.hits)).one() == 1


def test_what_is_counted_names_nobody(app: Flask, business: Made) -> None:
    guess(app.test_client(), business.email)
    counted = repr(dump(counts=True)["rate_limit"])
    assert counted != "[]"
    assert business.email not in counted
    assert "192.0.2" not in counted


@pytest.mark.parametrize(("proxies", "statuses"), [(0, [422] * 5 + [429]), (1, [422] * 6)])
def test_only_trusted_proxies_tell_where_a_request_is_from(
    app: Flask, business: Made, proxies: int, statuses: list[int]
) -> None:
    from webapp import create_app

    settings = {name: app.config[name] for name in ("SQLALCHEMY_DATABASE_URI", "SECRET_KEY", "SANDBOX")}
    proxied = create_app({**settings, "TRUSTED_PROXIES": proxies, "WTF_CSRF_ENABLED": False})
    form, codes = {"email": business.email, "password": "wrong"}, []
    for n in range(6):
        headers = {"X-Forwarded-For": f"203.0.113.{n}, 198.51.100.{n}"}
        codes.append(proxied.test_client().post("/sign-in", data=form, headers=headers).status_code)
    with proxied.app_context():
        db.session.remove()
        db.engine.dispose()
    assert codes == statuses


def test_a_device_is_remembered_for_a_few_owners_alone(app: Flask) -> None:
    client = app.test_client()
    owners = [scenarios.make("business") for _ in range(7)]
    for made in owners:
        assert guess(client, made.email, made.password).status_code == 303
    cookie = client.get_cookie("my_qlik_device")
    assert cookie
    assert len(cookie.value) < 400
    with transaction() as session:
        session.execute(update(RateLimit).where(~RateLimit.key.contains("sign_in")).values(hits=1000))
    assert guess(client, owners[-1].email, owners[-1].password).status_code == 303


def test_ipv4_on_a_socket_for_both_is_not_one_address(app: Flask, business: Made) -> None:
    """Otherwise all IPv4 clients would share one limit."""
    assert guesses(app, business.email, 6, "::ffff:192.0.2.1") == [422] * 5 + [429]
    assert guesses(app, business.email, 1, "192.0.2.1") == [429]
    assert guesses(app, business.email, 1, "::ffff:203.0.113.9") == [422]


@pytest.mark.parametrize("form", ["192.0.2.1:{}", "[2001:db8::1]:{}"])
def test_a_port_that_a_proxy_adds_makes_no_other_address(app: Flask, business: Made, form: str) -> None:
    statuses = [guesses(app, business.email, 1, form.format(50_000 + n))[0] for n in range(6)]
    assert statuses == [422] * 5 + [429]
