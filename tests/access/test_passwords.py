"""Passwords: changed by their owner, or reset through a mailed link that works once."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.support.world import dump, post, signed_in, state
from webapp.access import members, passwords, sign_in
from webapp.access.passwords import LONGEST, SHORTEST
from webapp.db import db, transaction
from webapp.models.access import PasswordReset
from webapp.models.accounts import Member
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

NEW = "quatre mots bien longs"


def enter(app: Flask, made: Made, password: str) -> int:
    return app.test_client().post("/sign-in", data={"email": made.email, "password": password}).status_code


def ask(app: Flask, email: str) -> Any:
    return app.test_client().post("/password/forgotten", data={"email": email}, headers={"Accept-Language": "en"})


def mails(app: Flask, made: Made) -> list[dict[str, str]]:
    return [mail for mail in state(app, made)["messages"] if mail["to"] == made.email]


def link(app: Flask, made: Made) -> str:
    """Asks for a reset link and reads it from the last mail."""
    assert ask(app, made.email).status_code == 303
    match = re.search(r"http://localhost(/password/reset/[\w.-]+)", mails(app, made)[-1]["text"])
    assert match
    return match[1]


def follow(app: Flask, address: str) -> FlaskClient:
    client = app.test_client()
    client.set_cookie("locale", "en")
    sent = client.get(address)
    assert (sent.status_code, sent.headers["Location"]) == (303, "/password/reset")  # the token leaves the address
    return client


def change(client: FlaskClient, current: str, new: str = NEW, again: str = NEW) -> Any:
    return client.post("/password", data={"current": current, "new": new, "again": again})


def test_an_owner_changes_the_password_and_every_other_session_ends(app: Flask, business: Made) -> None:
    other, client = signed_in(app, business), signed_in(app, business)
    answer = change(client, business.password)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sessions")
    assert "Your password has been changed." in client.get("/sessions").text
    assert other.get("/billing").status_code == 303
    assert "Your password was changed, which ended all other sessions." in other.get("/sign-in").text
    assert (enter(app, business, business.password), enter(app, business, NEW)) == (422, 303)
    subjects = [mail["subject"].split(":")[0] for mail in mails(app, business)]
    new = "Sign-in from a new browser"  # each sign-in of this test but the first is from one
    assert subjects == [new, "Your password has been changed", new]
    assert NEW not in repr(dump())


def test_the_current_password_is_asked_for(app: Flask, business: Made, client: FlaskClient) -> None:
    before = dump()
    answer = change(client, "wrong")
    assert (answer.status_code, "This is not your current password." in answer.text) == (422, True)
    assert dump() == before


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("", "Enter a new password."),
        ("x" * (SHORTEST - 1), f"Enter {SHORTEST} characters or more."),
        ("abcdefghij" * 13, f"Enter {LONGEST} characters or fewer."),
        ("aaaaaaaaaaaaaa", "easy to guess"),
        ("Qwerty123456", "easy to guess"),
        ("my-qlik-2027!", "the name of the product"),
        ("E-MAIL", "your e-mail address"),
        ("CAPITALS", "your e-mail address"),
    ],
)
def test_a_weak_password_is_refused_with_the_reason(
    app: Flask, business: Made, client: FlaskClient, new: str, said: str
) -> None:
    new = {"E-MAIL": business.email, "CAPITALS": business.email.upper()}.get(new, new)
    before = dump()
    answer = change(client, business.password, new, new)
    assert (answer.status_code, said in answer.text) == (422, True)
    assert "x" * (SHORTEST - 1) not in answer.text  # no password is written back
    assert dump() == before


@pytest.mark.parametrize("password", ["camille.martin", "Camille-Martin", "camille.martin2027", "camillemartin"])
def test_the_name_in_an_email_is_refused_however_it_is_parted(app: Flask, password: str) -> None:
    with app.test_request_context():
        assert "votre adresse e-mail" in passwords.find_problem(password, "camille.martin@example.test")
    assert passwords.find_problem("camille likes giraffes", "camille.martin@example.test") == ""


def test_the_longest_and_the_shortest_password_are_accepted() -> None:
    for password in ("9Zk#vq1x8PzL", "un lézard sous la pluie", ("girafe tiroir nuage boulon " * 5)[:LONGEST]):
        assert passwords.find_problem(password, "camille@example.test") == ""
    assert len("9Zk#vq1x8PzL") == SHORTEST


def test_the_new_password_is_typed_twice(client: FlaskClient, business: Made) -> None:
    answer = change(client, business.password, again="quatre mots bien courts")
    assert (answer.status_code, "The passwords do not match" in answer.text) == (422, True)


def test_a_link_sets_a_new_password_once_and_ends_every_session(app: Flask, business: Made) -> None:
    client = signed_in(app, business)
    address = link(app, business)
    opened = follow(app, address)
    page = opened.get("/password/reset").text
    assert business.email in page
    assert address.rsplit("/", 1)[1] not in page
    done = opened.post("/password/reset", data={"new": NEW, "again": NEW})
    assert (done.status_code, done.headers["Location"]) == (303, "/sign-in")
    assert "Sign in with the new one." in opened.get("/sign-in").text
    assert client.get("/billing").status_code == 303
    assert mails(app, business)[-1]["subject"].startswith("Your password has been changed")
    assert (enter(app, business, business.password), enter(app, business, NEW)) == (422, 303)
    for again in (opened, follow(app, address)):
        answer = again.post("/password/reset", data={"new": NEW + "!", "again": NEW + "!"})
        assert answer.status_code == 410
    assert "This link no longer works" in follow(app, address).get("/password/reset").text
    assert enter(app, business, NEW) == 303


def test_a_link_is_followed_by_programs_and_used_by_nobody(app: Flask, business: Made) -> None:
    address, before = link(app, business), dump()
    for _ in range(3):
        assert follow(app, address).get("/password/reset").status_code == 200
    assert dump() == before


@pytest.mark.parametrize(("minutes", "status"), [(29, 303), (30, 410)])
def test_a_link_works_for_thirty_minutes_of_the_machines_time(
    app: Flask, business: Made, minutes: int, status: int
) -> None:
    opened = follow(app, link(app, business))
    post(app, f"/{business.account}/clock", advance="P2D")  # which is not the account's own clock
    with transaction() as session:
        row = session.scalars(select(PasswordReset)).one()
        row.created_at -= timedelta(minutes=minutes)
    assert opened.post("/password/reset", data={"new": NEW, "again": NEW}).status_code == status


@pytest.mark.service
def test_a_link_used_by_two_at_once_sets_one_password(app: Flask, business: Made) -> None:
    opened = [follow(app, link_of) for link_of in [link(app, business)] * 4]
    new = [f"{NEW} {n}" for n in range(4)]
    db.session.remove()
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda n: opened[n].post("/password/reset", data={"new": new[n], "again": new[n]}), range(4))
        )
    assert sorted(answer.status_code for answer in answers) == [303, 410, 410, 410]
    won = next(n for n, answer in enumerate(answers) if answer.status_code == 303)
    assert [enter(app, business, password) for password in new] == [303 if n == won else 422 for n in range(4)]


def test_a_password_that_is_changed_ends_the_links_that_were_sent(app: Flask, business: Made) -> None:
    opened = follow(app, link(app, business))
    assert change(signed_in(app, business), business.password).status_code == 303
    assert opened.post("/password/reset", data={"new": NEW, "again": NEW}).status_code == 410


def test_an_email_of_nobody_is_answered_alike_and_mails_nobody(app: Flask, business: Made) -> None:
    known, unknown = ask(app, business.email), ask(app, "nobody@example.test")
    assert (known.status_code, known.headers["Location"]) == (unknown.status_code, unknown.headers["Location"])
    assert [len(answer.headers.getlist("Set-Cookie")) for answer in (known, unknown)] == [1, 1]
    rows = dump()
    assert len(rows["message"]) == 1
    assert len(rows["password_reset"]) == 2  # both cases do the same work
    assert mails(app, business)[0]["subject"] == f"Définir un nouveau mot de passe : {business.email}".replace(
        " :", "\u00a0:"
    )


def test_the_token_is_kept_as_its_hash_and_the_link_begins_at_the_public_address(app: Flask, business: Made) -> None:
    app.config["PUBLIC_URL"] = "https://portal.example.test/at"
    app.test_client().post(
        "/password/forgotten", data={"email": f" {business.email.upper()} "}, base_url="http://localhost"
    )
    match = re.search(r"https://portal\.example\.test/at/password/reset/([\w.-]+)", mails(app, business)[-1]["text"])
    assert match
    assert match[1] not in repr(dump()["password_reset"])


def test_a_link_is_mailed_in_the_language_of_its_owner(app: Flask, business: Made) -> None:
    with transaction() as session:
        session.execute(update(Member).values(locale="fr"))
    ask(app, business.email)
    assert mails(app, business)[-1]["subject"].startswith("Définir un nouveau mot de passe")


def test_only_the_owners_own_mail_is_written_to(app: Flask, business: Made) -> None:
    with transaction() as session:
        owner = session.scalars(select(Member)).one()
        members.add_member(
            Member(
                account_id=owner.account_id,
                role="manager",
                name="Autre",
                email="other@example.test",
                password_hash="!",
                locale="fr",
            )
        )
    ask(app, business.email)
    assert [mail["to"] for mail in state(app, business)["messages"]] == [business.email]


def test_an_owner_who_never_had_a_password_signs_in_by_none(app: Flask, business: Made) -> None:
    with transaction() as session:
        session.execute(update(Member).values(password_hash="!"))
    assert [enter(app, business, password) for password in ("!", "", business.password)] == [422, 422, 422]


def test_a_stranger_without_a_link_sets_nothing(app: Flask, business: Made) -> None:
    before = dump()
    assert app.test_client().post("/password/reset", data={"new": NEW, "again": NEW}).status_code == 410
    assert follow(app, "/password/reset/made-up").post("/password/reset", data={"new": NEW}).status_code == 410
    assert change(app.test_client(), business.password).status_code == 303
    assert dump() == before


def test_the_accounts_of_others_stay_as_they_are(app: Flask, business: Made) -> None:
    other = scenarios.make("business")
    theirs = signed_in(app, other)
    opened = follow(app, link(app, business))
    opened.post("/password/reset", data={"new": NEW, "again": NEW})
    assert theirs.get("/billing").status_code == 200
    assert enter(app, other, other.password) == 303


def test_a_copy_of_the_cookie_opens_nothing_after_the_password_is_changed(
    app: Flask, business: Made, client: FlaskClient
) -> None:
    cookie, thief = client.get_cookie("my_qlik"), app.test_client()
    assert cookie
    thief.set_cookie("my_qlik", cookie.value)
    assert thief.get("/billing").status_code == 200
    assert change(client, business.password).status_code == 303
    assert thief.get("/billing").status_code == 303
    assert client.get("/billing").status_code == 200


def meanwhile(monkeypatch: pytest.MonkeyPatch, app: Flask, address: str) -> None:
    """While the next password is checked, the owner resets it through a link."""
    opened, verified = follow(app, address), sign_in.verify_password

    def looked_at(password_hash: str, password: str) -> bool:
        monkeypatch.setattr(sign_in, "verify_password", verified)
        assert opened.post("/password/reset", data={"new": NEW, "again": NEW}).status_code == 303
        return verified(password_hash, password)

    monkeypatch.setattr(sign_in, "verify_password", looked_at)


def test_an_old_password_begins_no_session_while_it_is_replaced(
    app: Flask, business: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, app, link(app, business))
    thief = app.test_client()
    form = {"email": business.email, "password": business.password}
    assert thief.post("/sign-in", data=form).status_code == 422
    assert thief.get("/billing").status_code == 303


def test_an_old_password_replaces_none_that_is_newer(
    app: Flask, business: Made, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, app, link(app, business))
    assert change(client, business.password, "a password of a thief", "a password of a thief").status_code == 422
    assert (enter(app, business, "a password of a thief"), enter(app, business, NEW)) == (422, 303)


def test_a_link_ends_the_session_of_whoever_used_the_browser(app: Flask, business: Made) -> None:
    """The browser is signed out, and a copy of its cookie is worthless."""
    client = signed_in(app, scenarios.make("business"))
    cookie, copy = client.get_cookie("my_qlik"), app.test_client()
    assert cookie
    copy.set_cookie("my_qlik", cookie.value)
    client.get(link(app, business))
    assert client.post("/password/reset", data={"new": NEW, "again": NEW}).status_code == 303
    assert [browser.get("/billing").status_code for browser in (client, copy)] == [303, 303]
