"""Security events: what is written, how often, and who sees it."""

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from tests.support import team
from tests.support.authenticator import with_app
from tests.support.trail import events
from tests.support.world import signed_in, statements, subscription, words
from webapp.access import passwords, security
from webapp.db import db
from webapp.models.trail import SecurityEvent
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

CAMILLE = "Camille Martin"


def sign(app: Flask, email: str, password: str) -> FlaskClient:
    client = app.test_client()
    client.post("/sign-in", data={"email": email, "password": password})
    return client


def test_sign_ins_and_sign_outs_are_written(app: Flask, business: Made) -> None:
    client = signed_in(app, business)
    client.post("/sign-out")
    assert events(business) == [("signed_in", "password", CAMILLE, 1), ("signed_out", "", CAMILLE, 1)]


def test_the_browser_is_written_and_no_address(app: Flask, business: Made) -> None:
    chrome = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36"}
    form = {"email": business.email, "password": business.password}
    app.test_client().post("/sign-in", data=form, headers=chrome, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    row = db.session.execute(select(SecurityEvent.__table__)).mappings().one()
    assert (row["browser"], row["system"]) == ("Chrome", "Linux")
    assert "192.0.2.7" not in str(row)


def test_wrong_passwords_are_written_at_the_1st_10th_and_100th(app: Flask, business: Made, client: FlaskClient) -> None:
    sign(app, business.email, "wrong")
    ids = business.account, _owner(business)
    with app.test_request_context():
        for _ in range(100):
            security.sign_in_refused(business.email, ids, "password")
    refused = [("sign_in_refused", "password", CAMILLE, times) for times in (1, 10, 100)]
    assert events(business)[1:] == refused


def test_an_unknown_address_is_counted_and_leaves_nothing(app: Flask, business: Made) -> None:
    """The same statements are sent, so that the time does not tell whether somebody is known."""

    def sent(email: str) -> list[str]:
        with statements() as seen:
            sign(app, email, "wrong")
        return [statement.partition(" ")[0] for statement in seen]

    known, unknown = sent(business.email), sent("nobody@example.test")
    both = [[one for one in seen if one in ("INSERT", "SAVEPOINT")] for seen in (known, unknown)]
    assert both[0] == both[1]
    db.session.rollback()
    assert db.session.scalars(select(func.count()).select_from(SecurityEvent)).one() == 1


def test_a_second_factor_is_awaited_refused_and_accepted(app: Flask) -> None:
    made = scenarios.make("two-factor")
    client = signed_in(app, made)
    client.post("/sign-in/factor", data={"code": "000000"})
    kinds = [(kind, detail) for kind, detail, _who, _times in events(made)]
    assert kinds == [("factor_awaited", "password"), ("factor_refused", "app")]


def test_factors_and_passwords_that_change_are_written(app: Flask, business: Made, client: FlaskClient) -> None:
    other = signed_in(app, business)
    with_app(client)
    form = {"current": business.password, "new": "quatre mots tout autres", "again": "quatre mots tout autres"}
    with app.test_request_context():
        assert passwords.find_problem(form["new"], business.email) == ""
    assert client.post("/password", data=form).status_code == 303
    kinds = [(kind, detail, times) for kind, detail, _who, times in events(business)][2:]
    assert kinds == [("second_factor_added", "", 1), ("sessions_ended", "", 1), ("password_changed", "session", 1)]
    assert other.get("/subscriptions").status_code == 303


def test_a_wrong_current_password_is_an_event(app: Flask, business: Made, client: FlaskClient) -> None:
    form = {"current": "wrong", "new": "quatre mots tout autres", "again": "quatre mots tout autres"}
    assert client.post("/password", data=form).status_code == 422
    assert events(business)[-1] == ("proof_refused", "password", CAMILLE, 1)


def test_what_a_role_or_a_plan_forbids_is_written_and_does_not_flood(app: Flask, business: Made) -> None:
    viewer = team.add(business, "viewer", name="Vera Seule")
    browser = team.browser(app, viewer)
    for _ in range(11):
        assert browser.get("/team").status_code == 403
    assert browser.post(f"/subscriptions/{subscription(business)}/cancel").status_code == 403
    refused = [event for event in events(business) if event[0] == "not_permitted"]
    assert refused == [("not_permitted", "team", "Vera Seule", 1), ("not_permitted", "team", "Vera Seule", 10)]


def test_what_the_plan_forbids(app: Flask) -> None:
    made = scenarios.make("third-party")
    client = signed_in(app, made)
    of = next(value for value in made.subscriptions.values() if value)
    assert client.get(f"/subscriptions/{of}/renew").status_code == 403
    assert events(made)[-1] == ("not_permitted", "plan", CAMILLE, 1)


def test_the_owner_sees_all_and_each_member_their_own(app: Flask, business: Made, client: FlaskClient) -> None:
    viewer = team.add(business, "viewer", name="Vera Seule")
    browser = team.browser(app, viewer)
    browser.get("/team")
    every, own = words(client.get("/activity/security").text), words(browser.get("/activity/security").text)
    assert ("· Vera Seule" in every, "· Camille Martin" in every) == (True, True)
    assert ("· Vera Seule" in own, "· Camille Martin" in own) == (True, False)
    assert "Attempt without permission" in own
    assert "Procedure: Manage the team" in own
    owner_id = client.get("/activity/security").text.partition("selected>Camille")[0]
    assert 'id="person"' in owner_id
    assert 'id="person"' not in browser.get("/activity/security").text
    csv = browser.get(f"/activity/security.csv?person={_owner(business)}").text
    assert ("Vera Seule" in csv, "Camille Martin" in csv) == (True, False)


def _owner(made: Made) -> str:
    query = select(SecurityEvent.person_id).where(SecurityEvent.account_id == made.account)
    found = db.session.scalars(query.order_by(SecurityEvent.id)).first() or ""
    db.session.rollback()
    return found


def test_a_sign_in_writes_one_event_with_its_session(app: Flask, business: Made) -> None:
    with statements() as sent:
        signed_in(app, business)
    assert len([one for one in sent if "INSERT INTO security_event" in one]) == 1


def test_the_times_that_are_written() -> None:
    assert sorted(security.WRITTEN)[:4] == [1, 10, 100, 1000]
