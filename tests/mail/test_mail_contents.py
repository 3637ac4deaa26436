"""The content of a mail: hostile names stay text, links are absolute, and the sandbox's panel shows it safely."""

import re

from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect, select, text, update

from tests.support.mails import change, kinds, parsed, said_in_html, sent, until
from tests.support.world import state, subscription
from webapp.db import db, transaction
from webapp.models.accounts import Account, Member
from webapp.models.cards import Card
from webapp.models.subscriptions import SubscriptionRow
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import service

HOSTILE = "<script>alert(1)</script>\r\nBcc: all@example.test\n\u2028<b>"


def test_hostile_names_are_inert(app: Flask, business: Made) -> None:
    with transaction() as session:
        session.execute(update(Account).values(legal_name=HOSTILE, manager_name=HOSTILE))
        session.execute(update(Member).values(name=HOSTILE))
        session.execute(update(SubscriptionRow).values(product=HOSTILE))
        session.execute(update(Card).values(brand="<i>Visa"))
    service.reduce(business.account, subscription(business), 8)
    service.withdraw(business.account, subscription(business), change(business))
    until(app, business, "2027-02-15T09:00:00")
    assert sorted(kinds()) == ["receipt", "renewal", "requested", "undone"]
    for mail in [*sent(), *sent("document")]:
        assert len(mail.subject.splitlines()) == 1
        assert "<script>alert(1)</script> Bcc: all@example.test" in mail.body
        assert not re.search(r"^Bcc", mail.body, re.M)
        assert not parsed(mail).tags & {"script", "b", "i", "img", "link", "iframe"}
        assert [link for link in parsed(mail).links if not link.startswith("http://localhost/")] == []


def test_a_case_is_answered_to_its_owner(app: Flask, client: FlaskClient) -> None:
    client.post("/contact", data={"subject": "other", "subscription": "", "message": "A <b> tag\n\nand more"})
    (mail,) = sent("case")
    assert parsed(mail).links == [f"mailto:{_owner().email}"]
    assert {"Ateliers Beaumont SARL", "Autre"} <= said_in_html(mail)
    assert "A &lt;b&gt; tag\n\nand more" in mail.html


def _owner() -> Member:
    return db.session.scalars(select(Member)).one()


def test_links_begin_with_the_public_address(app: Flask, business: Made) -> None:
    app.config["PUBLIC_URL"] = "https://my-qlik.example.test/portal"
    service.cancel(business.account, subscription(business))
    link = f"https://my-qlik.example.test/portal/subscriptions/{subscription(business)}"
    (mail,) = sent()
    assert link in mail.body
    assert parsed(mail).links == [link]


def test_the_panel_shows_a_mail_in_a_frame_that_runs_nothing(app: Flask, business: Made) -> None:
    service.cancel(business.account, subscription(business))
    (mail,) = sent()
    client = app.test_client()
    panel = client.get(f"/sandbox?account={business.account}", headers={"Accept": "text/html"})
    frame = re.search(r"<iframe[^>]*>", panel.text)
    assert frame
    assert f'src="/sandbox/messages/{mail.id}"' in frame[0]
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in frame[0]
    assert "frame-src 'self'" in panel.headers["Content-Security-Policy"]
    assert "frame-src" not in client.get("/sign-in").headers["Content-Security-Policy"]
    shown = client.get(f"/sandbox/messages/{mail.id}")
    policy = shown.headers["Content-Security-Policy"]
    assert shown.text == mail.html
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert "script-src" not in policy
    assert "allow-scripts" not in policy
    assert state(app, business)["messages"][0].keys() >= {"to", "subject", "sent_at"}
    assert client.get("/sandbox/messages/never", headers={"Accept": "text/html"}).status_code == 404


def test_the_migration_goes_both_ways_and_mails_of_before_have_no_html(app: Flask, business: Made) -> None:
    db.session.execute(
        text(
            "INSERT INTO message (id, account_id, recipient, subject, body, html, about, sent_at) "
            "SELECT 'm', id, 'x@example.test', 'S', 'B', '<p>', 'about', '2027-01-15 09:00:00' FROM account"
        )
    )
    db.session.commit()
    downgrade(revision="0001")
    assert "html" not in {column["name"] for column in inspect(db.engine).get_columns("message")}
    upgrade()
    assert db.session.execute(text("SELECT id, body, html FROM message")).all() == [("m", "B", "")]
