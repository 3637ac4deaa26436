"""What was typed comes back: after the session ended, and after the language was changed."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from tests.access.test_sessions import age
from tests.accounts.test_billing_info_together import fields
from tests.support.billing_form import GIVEN
from tests.support.world import dump, signed_in, subscription, words
from webapp.db import db, transaction
from webapp.domain.access import DRAFT_LIFETIME
from webapp.models.access import MemberSession
from webapp.models.drafts import Draft
from webapp.ports import ports
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

TYPED = {"subject": "change", "subscription": "", "message": "We are 30 more people\r\nfrom March on.😀"}
BACK = "We have restored what you typed. It has not been sent."


def drafts() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(Draft)) or 0


def sign_in(client: FlaskClient, made: Made, target: str) -> str:
    """Signs in again from the page that the portal redirects to; returns the page that follows."""
    form = {"email": made.email, "password": made.password, "next": target}
    answer = client.post("/sign-in", data=form)
    return str(client.get(answer.headers["Location"]).text)


def idle(client: FlaskClient) -> None:
    age(timedelta(minutes=61))


def send(client: FlaskClient, **form: str) -> str:
    """Sends the message form; returns where the browser goes next."""
    headers = {"Referer": "http://localhost/contact"}
    answer = client.post("/contact", data={**TYPED, **form}, headers=headers)
    assert answer.status_code == 303
    return str(answer.headers["Location"])


def test_a_message_sent_after_the_session_ended_comes_back_after_sign_in(client: FlaskClient, business: Made) -> None:
    idle(client)
    assert send(client) == "/sign-in?next=/contact"
    page = client.get("/sign-in?next=/contact").text
    assert "nothing was sent or changed" in page
    assert "You will find what you typed once you sign in." in page
    assert TYPED["message"] not in page
    page = sign_in(client, business, "/contact")
    assert BACK in page
    assert "We are 30 more people\nfrom March on.😀" in page.replace("\r", "")
    assert '<option selected value="change">' in page
    assert BACK in client.get("/contact").text
    assert client.post("/contact", data=TYPED).status_code == 303
    assert (drafts(), BACK in client.get("/contact").text) == (0, False)


def test_so_does_the_billing_information_with_what_it_was_opened_with(client: FlaskClient, business: Made) -> None:
    opened = fields(client.get("/billing/information").text)
    idle(client)
    answer = client.post("/billing/information", data={**opened, "city": "Bron", "vat_number": "wrong"})
    assert answer.headers["Location"] == "/sign-in?next=/billing/information"
    page = sign_in(client, business, "/billing/information")
    assert BACK in page
    assert (fields(page)["city"], fields(page)["vat_number"]) == ("Bron", "WRONG")
    assert fields(page)["opened"] == opened["opened"]
    assert client.post("/billing/information", data={**fields(page), "vat_number": ""}).status_code == 303
    assert drafts() == 0


def test_after_twelve_hours_too(client: FlaskClient, business: Made) -> None:
    age(timedelta(), timedelta(hours=13))
    send(client)
    assert BACK in sign_in(client, business, "/contact")


def test_nobody_else_gets_it(app: Flask, client: FlaskClient, business: Made) -> None:
    idle(client)
    send(client)
    other = scenarios.make("business")
    assert TYPED["message"].split("\r")[0] not in sign_in(client, other, "/contact")
    assert BACK in signed_in(app, business).get("/contact").text


@pytest.mark.parametrize("ended", ["revoked", "password"])
@pytest.mark.parametrize("path", ["/contact", "/billing/information"])
def test_what_was_typed_in_a_session_ended_from_elsewhere_comes_back_in_the_same_browser_only(
    app: Flask, client: FlaskClient, business: Made, ended: str, path: str
) -> None:
    form = {**GIVEN, **TYPED, "city": "Bron"}
    with transaction() as session:
        session.execute(update(MemberSession).values(ended=ended))
    assert client.post(path, data=form).status_code == 303
    assert "You will find what you typed once you sign in." in client.get(f"/sign-in?next={path}").text
    elsewhere = signed_in(app, business)
    assert BACK not in elsewhere.get(path).text
    assert BACK in sign_in(client, business, path)
    assert client.get("/sessions").status_code == 200
    discarded = re.search(r'action="(/drafts/discard[^"]+)"', client.get(path).text)
    assert discarded
    client.post(discarded[1].replace("&amp;", "&"))
    assert (drafts(), BACK in client.get(path).text) == (0, False)


def test_an_ended_session_leaves_one_draft_and_takes_none_away(client: FlaskClient, business: Made) -> None:
    client.post("/drafts/keep?form=contact.send&next=/contact", data={**TYPED, "message": "mine"})
    with transaction() as session:
        session.execute(update(MemberSession).values(ended="revoked"))
    for message in ("one", "another"):
        send(client, message=message)
    db.session.rollback()
    kept = [fields["message"] for fields in db.session.scalars(select(Draft.fields).order_by(Draft.kept_at))]
    assert kept == ["mine", "another"]


def test_a_stranger_leaves_nothing(app: Flask, business: Made) -> None:
    stranger = app.test_client()
    send(stranger)
    stranger.post("/language?form=contact.send&next=/contact", data={**TYPED, "locale": "en"})
    stranger.post("/drafts/keep?form=contact.send&next=/contact", data=TYPED)
    assert drafts() == 0


def test_an_ended_session_needs_the_forms_token(app: Flask, client: FlaskClient) -> None:
    idle(client)
    app.config["WTF_CSRF_ENABLED"] = True
    send(client)
    send(client, csrf_token="forged")
    assert drafts() == 0
    token = re.search(r'csrf_token"[^>]*value="([^"]+)"', client.get("/sign-in").text)
    assert token
    send(client, csrf_token=token[1])
    assert drafts() == 1


def test_no_password_and_no_token_is_kept(client: FlaskClient) -> None:
    idle(client)
    client.post("/password", data={"current": "secret words", "new": "x" * 20, "again": "x" * 20})
    assert drafts() == 0
    send(client, csrf_token="t" * 20, password="secret words")
    assert drafts() == 1
    assert set(db.session.scalars(select(Draft.fields)).one()) == {"subject", "subscription", "message"}


def test_it_is_kept_for_an_hour(client: FlaskClient, business: Made) -> None:
    idle(client)
    send(client)
    now = ports().clock.system_now()
    with transaction() as session:
        session.execute(update(Draft).values(kept_at=now - DRAFT_LIFETIME + timedelta(seconds=30)))
    assert BACK in sign_in(client, business, "/contact")
    with transaction() as session:
        session.execute(update(Draft).values(kept_at=now - DRAFT_LIFETIME))
    assert BACK not in client.get("/contact").text
    sign_in(client, business, "/contact")
    assert drafts() == 0


def test_the_newest_replaces_the_one_before(client: FlaskClient, business: Made) -> None:
    idle(client)
    send(client)
    send(client, message="Another message")
    assert drafts() == 1
    assert "Another message" in sign_in(client, business, "/contact")


def test_it_can_be_discarded(app: Flask, client: FlaskClient, business: Made) -> None:
    idle(client)
    send(client)
    page = sign_in(client, business, "/contact")
    action = re.search(r'action="(/drafts/discard[^"]+)"', page)
    assert action
    other = signed_in(app, scenarios.make("business"))
    other.post(action[1].replace("&amp;", "&"))
    assert drafts() == 1
    answer = client.post(action[1].replace("&amp;", "&"))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/contact")
    assert (drafts(), BACK in client.get("/contact").text) == (0, False)


@pytest.mark.parametrize("path", ["/contact", "/billing/information"])
@pytest.mark.parametrize("refused", [False, True])
def test_changing_the_language_keeps_what_was_typed(client: FlaskClient, path: str, refused: bool) -> None:
    page = (client.post(path, data={}) if refused else client.get(path)).text
    button = re.search(
        r'<button class="ghost" form="written"[^>]*name="locale"[^>]*formaction="(/language[^"]+)"', page
    )
    assert button
    form = {**GIVEN, "city": "Bron", **TYPED, "message": "half a mess"}
    answer = client.post(button[1].replace("&amp;", "&"), data={**form, "locale": "fr"})
    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    page = client.get(path).text
    assert 'lang="fr"' in page
    assert ("half a mess" if path == "/contact" else 'value="Bron"') in page
    assert "Votre saisie a été restaurée" in page


def test_a_form_that_was_not_touched_is_not_announced(client: FlaskClient) -> None:
    for path, endpoint in (("/contact", "contact.send"), ("/billing/information", "billing_info.save")):
        form = fields(client.get(path).text) if "billing" in path else dict.fromkeys(TYPED, "")
        sent = {name: value.replace("\n", "\r\n") for name, value in form.items()}
        client.post(f"/language?form={endpoint}&next={path}", data={**sent, "locale": "en"})
        assert BACK not in client.get(path).text


@pytest.mark.parametrize("form", ["", "nothing", "passwords.change", "sign_in.submit", "billing.page"])
@pytest.mark.parametrize("path", ["/language", "/drafts/keep", "/drafts/discard"])
def test_only_forms_that_say_so_are_kept(client: FlaskClient, path: str, form: str) -> None:
    before = dump()
    answer = client.post(f"{path}?form={form}&next=/contact", data={**TYPED, "locale": "en"})
    assert answer.status_code == 400
    assert dump() == before


def test_sign_in_again_keeps_the_form_and_comes_back(client: FlaskClient, business: Made) -> None:
    idle(client)
    answer = client.post("/drafts/keep?form=contact.send&next=/contact", data=TYPED)
    assert answer.headers["Location"] == "/contact"
    assert client.get("/contact").headers["Location"] == "/sign-in?next=/contact"
    assert BACK in sign_in(client, business, "/contact")


def test_the_number_of_seats_comes_back_too(client: FlaskClient, business: Made) -> None:
    idle(client)
    path = f"/subscriptions/{subscription(business)}/renew"
    answer = client.post(path, data={"seats": "27"}, headers={"Referer": f"http://localhost{path}?seats=13"})
    assert answer.headers["Location"] == f"/sign-in?next={path}?seats%3D27"
    assert 'value="27"' in sign_in(client, business, f"{path}?seats=27")


def test_without_scripts_the_page_says_how_long_the_session_lasts(app: Flask, client: FlaskClient) -> None:
    app.config["SESSION_IDLE_MINUTES"] = 45
    for path in ("/contact", "/billing/information"):
        hint = re.search(r"<noscript>(.*?)</noscript>", client.get(path).text, re.S)
        assert hint
        assert "ends after 45 minutes of inactivity" in words(hint[1])
