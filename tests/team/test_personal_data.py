"""What a member may know of what is stored of them, and its erasure."""

import json
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from tests.support import team
from tests.support.world import signed_in, words
from webapp.accounts import billing_changes
from webapp.accounts import billing_information as information
from webapp.db import Base, db
from webapp.models.accounts import Member
from webapp.models.invoices import Invoice
from webapp.models.mail import Message
from webapp.sandbox.scenarios import Made

WHO = "Dominique Petit"
GONE = "nadia.gone@example.test"


def run(app: Flask, *arguments: str) -> tuple[int, str]:
    done = app.test_cli_runner().invoke(args=["support", *arguments, "--as", WHO])
    return done.exit_code, done.output


def everything_with(*needles: str) -> list[str]:
    """The tables with a row that has one of these texts."""
    db.session.rollback()
    found = []
    for table in Base.metadata.sorted_tables:
        rows = db.session.execute(text(f'SELECT * FROM "{table.name}"')).all()
        if any(needle in str(row) for row in rows for needle in needles):
            found.append(table.name)
    return found


@pytest.fixture
def nadia(app: Flask, business: Made, client: FlaskClient) -> Member:
    """A manager who was invited by mail, wrote a message, and did something that was refused."""
    member = team.add(business, "manager", email=GONE, name="Nadia Gone")
    browser = team.browser(app, member)
    browser.post("/contact", data={"subject": "other", "message": "A question for you."})
    browser.get("/team")
    client.post(f"/team/{member.id}/role", data={"role": "viewer"})
    return member


def test_a_member_downloads_what_is_stored_of_them_alone(app: Flask, business: Made, nadia: Member) -> None:
    browser = team.browser(app, nadia)
    answer = browser.get("/sessions/my-data.json")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="my-data.json"'
    data = answer.get_json()
    assert (data["name"], data["email"], data["language"]) == ("Nadia Gone", GONE, "en")
    assert [one["what"] for one in data["activity"]] == ["case_opened"]
    assert [one["kind"] for one in data["security_events"]] == ["signed_in", "not_permitted", "signed_in"]
    assert len(data["sessions"]) == 2
    assert "Camille" not in answer.text
    for secret in ("hash", "token", "secret"):
        assert f'"{secret}' not in answer.text
        assert f"_{secret}" not in answer.text
    assert stored(nadia.account_id, nadia.id) not in answer.text


def stored(account_id: str, member_id: str) -> str:
    db.session.rollback()
    this = Member.account_id == account_id, Member.id == member_id
    return db.session.scalars(select(Member.password_hash).where(*this)).one()


def test_erasing_a_present_member_leaves_nothing_but_a_readable_trail(
    app: Flask, business: Made, nadia: Member, client: FlaskClient
) -> None:
    invoices = [row.snapshot for row in db.session.scalars(select(Invoice))]
    assert everything_with(GONE, "Nadia Gone")
    code, output = run(app, "erase", GONE.upper())
    assert (code, GONE in output) == (0, True), output
    assert everything_with(GONE, "Nadia Gone") == []
    assert app.test_client().post("/sign-in", data={"email": GONE, "password": team.PASSWORD}).status_code == 422
    page = words(client.get("/activity").text)
    for told in ("Personal data erased", "Member removed", "Role changed", "Message to the account manager"):
        assert told in page
    assert "· Erased member" in page
    assert "Member: Erased member" in page
    assert "· Erased member" in words(client.get("/activity/security").text)
    assert [row.snapshot for row in db.session.scalars(select(Invoice))] == invoices


def test_erasing_a_former_member_and_an_invitation(
    app: Flask, business: Made, nadia: Member, client: FlaskClient
) -> None:
    assert client.post(f"/team/{nadia.id}/remove", data={"understood": "y"}).status_code == 303
    assert "person" in everything_with(GONE)
    client.post("/team", data={"email": GONE, "role": "viewer"})
    assert "invitation" in everything_with(GONE)
    code, output = run(app, "erase", GONE)
    assert code == 0, output
    assert everything_with(GONE, "Nadia Gone") == []
    code, output = run(app, "erase", GONE)
    assert (code, "No account has anything of" in output) == (1, True)


def test_all_addresses_that_a_member_had_are_erased(app: Flask, business: Made, nadia: Member) -> None:
    code, output = run(app, "set-email", business.account, GONE, "nadia.new@example.test")
    assert code == 0, output
    code, output = run(app, "erase", "nadia.new@example.test")
    assert code == 0, output
    assert everything_with(GONE, "nadia.new@example.test", "Nadia Gone") == []


def test_the_owner_is_not_erased_and_nothing_changes(app: Flask, business: Made, nadia: Member) -> None:
    before = everything_with(business.email)
    code, output = run(app, "erase", business.email)
    assert (code, "hand it over" in output, "Nothing was changed." in output) == (1, True, True)
    assert everything_with(business.email) == before
    assert signed_in(app, business).get("/subscriptions").status_code == 200


def test_a_billing_email_stays_and_is_told(app: Flask, business: Made, nadia: Member, client: FlaskClient) -> None:
    with app.test_request_context():
        account = information.account_of(business.account)
        told = information.information_of(account)
        db.session.rollback()
        billing_changes.update_information(business.account, told._replace(billing_emails=[GONE, "other@example.test"]))
    code, output = run(app, "erase", GONE)
    assert (code, "among the billing e-mails still" in output) == (0, True)
    assert everything_with(GONE) == ["account"]
    assert "Billing e-mails" in words(client.get("/activity").text)


def test_mails_to_others_keep_their_row_and_lose_what_names_the_member(
    app: Flask, business: Made, nadia: Member, client: FlaskClient
) -> None:
    before = len(db.session.scalars(select(Message)).all())
    run(app, "erase", GONE)
    db.session.rollback()
    assert len(db.session.scalars(select(Message)).all()) == before


def test_support_exports_a_member_for_them(app: Flask, business: Made, nadia: Member, tmp_path: Path) -> None:
    file = tmp_path / "nadia.json"
    code, output = run(app, "export-member", GONE, str(file))
    assert (code, "bytes" in output) == (0, True), output
    (one,) = json.loads(file.read_text())[business.account]
    assert (one["name"], one["email"], one["role"]) == ("Nadia Gone", GONE, "viewer")
    assert run(app, "export-member", GONE, str(file))[0] == 1
    assert run(app, "export-member", "nobody@example.test", str(tmp_path / "x.json"))[0] == 1
