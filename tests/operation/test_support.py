"""`support`: finding and showing an account, and acting for a customer in somebody's name."""

import json
import re
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask, current_app
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.support import team, trail
from tests.support.alarms import alarm_in, mails
from tests.support.outgoing import queued, stored_mail
from tests.support.statements import owned_tables
from tests.support.world import invoice_of, pay, post, quoted, signed_in, state, stored, subscription
from webapp.db import db, transaction
from webapp.models.accounts import Account, Member
from webapp.models.activity import Activity
from webapp.models.mail import Message
from webapp.models.subscriptions import SubscriptionRow
from webapp.operation.support.export import LEFT_OUT, TOLD
from webapp.operation.support.finding import MOST
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service
WHO = "Jeanne Support"


def run(*arguments: str) -> Result:
    db.session.rollback()
    result = current_app.test_cli_runner().invoke(args=["support", *arguments])
    db.session.rollback()
    db.session.expire_all()
    return result


def done(*arguments: str) -> str:
    result = run(*arguments, "--as", WHO)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str) -> str:
    before = len(records(None))
    result = run(*arguments, "--as", WHO)
    assert result.exit_code == 1, result.output
    assert result.output.startswith("Error: ")
    assert len(records(None)) == before, "nothing is recorded"
    return result.output


def records(what: str | None) -> list[Activity]:
    query = select(Activity).order_by(Activity.id)
    return [*db.session.scalars(query if what is None else query.where(Activity.what == what))]


def recorded(what: str) -> Activity:
    row = records(what)[-1]
    assert row.by == f"{WHO} (support)"
    return row


def named(made: Made, **columns: object) -> None:
    with transaction() as session:
        session.execute(update(Account).where(Account.id == made.account).values(**columns))


class TestFind:
    def test_by_all_that_a_customer_may_say(self, app: Flask, business: Made) -> None:
        pay(app, business, quoted(app, business))
        named(business, legal_name="Éditions 100 % Papier", billing_emails=["Compta@Papier.example.org"])
        other = scenarios.make("business")
        viewer = team.add(business, "viewer", email="zoe@ailleurs.example.org", name="Zoé Lambda")
        tenant = stored(SubscriptionRow, subscription(business)).tenant
        number = invoice_of(business).number
        for text in (
            business.email,
            business.email.upper(),
            viewer.email,
            "compta@papier.example.org",
            "papier.example.org",
            "@ailleurs.example.org",
            "100 % Pap",
            "Lambda",
            business.account,
        ):
            output = run("find", text).output
            assert business.account in output, text
            assert other.account not in output, text
        assert business.account in run("find", number).output
        assert business.account in run("find", tenant).output

    @pytest.mark.parametrize("text", ["nobody@example.test", "MQ-2020-999999", "Nobody", "x", "%", "none.example.com"])
    def test_nothing_is_found_and_the_sentence_says_what_to_try(self, app: Flask, business: Made, text: str) -> None:
        result = run("find", text)
        assert (result.exit_code, f"Nothing is found for {text}. Try" in result.output) == (1, True)

    def test_many_are_not_all_listed(self, app: Flask) -> None:
        for _ in range(MOST + 1):
            named(scenarios.make("enterprise"), legal_name="Many of a Name")
        output = run("find", "many of a").output
        assert output.count("Many of a Name") == MOST
        assert f"More than {MOST} accounts match: only {MOST} are listed" in output


class TestWhichAccount:
    def test_one_is_named_by_what_finds_only_it(self, app: Flask, business: Made) -> None:
        assert business.account in done("show", business.email)
        assert recorded("viewed").account_id == business.account

    def test_unknown_and_ambiguous_ones_are_refused(self, app: Flask, business: Made) -> None:
        for made in (business, scenarios.make("business")):
            named(made, legal_name="Two of a Name")
        assert "There is no account of nobody@example.test. Look for it: " in refused("show", "nobody@example.test")
        sentence = refused("show", "Two of a")
        assert "2 accounts are of Two of a: name one by its id." in sentence
        assert business.account in sentence

    @pytest.mark.parametrize("name", ["", "  ", "x" * 101])
    def test_nobody_acts_without_a_name(self, app: Flask, business: Made, name: str) -> None:
        assert run("show", business.account).exit_code == 2
        result = run("show", business.account, "--as", name)
        assert (result.exit_code, "--as is your name" in result.output) == (1, True)
        assert records("viewed") == []


class TestShow:
    def test_it_shows_what_the_owner_sees(self, app: Flask, business: Made) -> None:
        team.add(business, "accountant", name="Ada Compte")
        post(app, f"/{business.account}/gateway", next="timeout")
        pay(app, business, quoted(app, business))
        mail = queued(business, subject="Lost", delivery="given_up", fault="550 no such user")
        output = done("show", business.account)
        for part in (
            "owner  ",
            "accountant  Ada Compte",
            subscription(business),
            ": active, 12 seats",
            "next charge ",
            "default  Visa •••• 4242, until ",
            "its outcome is unknown",
            f"{mail}  to reader@example.test: Lost (given up: 550 no such user)",
        ):
            assert part in output.replace("\xa0", " "), part

    def test_requests_and_ends_are_shown(self, app: Flask, business: Made) -> None:
        done("end-subscription", business.account)
        assert "cancellation requested, from " in done("show", business.account)
        done("end-subscription", business.account, "--now")
        assert "ended; last day 2027-01-14" in done("show", business.account)

    def test_the_owner_reads_who_looked(self, app: Flask, client: FlaskClient, business: Made) -> None:
        done("show", business.account)
        page = client.get("/activity").text
        assert "Account viewed by support" in page
        assert f"{WHO} (support)" in page


class TestResend:
    def test_an_invoice_goes_to_the_billing_addresses_again(self, app: Flask, business: Made) -> None:
        pay(app, business, quoted(app, business))
        number = invoice_of(business).number
        assert "It will be sent to " in done("resend", business.account, "--invoice", number)
        assert recorded("document_sent").after["invoice"] == number

    def test_a_mail_is_written_again_as_it_was(self, app: Flask, business: Made) -> None:
        lost = queued(business, delivery="given_up", fault="550")
        assert "reader@example.test" in done("resend", business.account, "--mail", lost)
        copies = db.session.scalars(select(Message).where(Message.subject == "Reçu", Message.id != lost)).all()
        assert [(copy.body, copy.html, copy.fault) for copy in copies] == [
            (stored_mail(lost).body, "<p>Bonjour</p>", None)
        ]
        assert trail.after(recorded("mail_sent_again")) == {"subject": "Reçu", "email": "reader@example.test"}

    def test_what_cannot_be_sent_again_says_why(self, app: Flask, business: Made) -> None:
        account = business.account
        other = scenarios.make("business")
        assert "Name one: --invoice NUMBER or --mail ID" in refused("resend", account)
        assert "has no invoice MQ-1" in refused("resend", account, "--invoice", "MQ-1")
        assert "has no mail x: `show` lists" in refused("resend", account, "--mail", "x")
        assert "has no mail " in refused("resend", account, "--mail", queued(other))
        assert "waits to be sent" in refused("resend", account, "--mail", queued(business, delivery="unsent"))
        emptied = queued(business, delivery="given_up", body="", html="")
        assert "was deleted" in refused("resend", account, "--mail", emptied)
        pay(app, business, quoted(app, business))
        number = invoice_of(business).number
        with transaction() as session:
            session.execute(update(Account).where(Account.id == account).values(billing_emails=[]))
        assert "has no billing e-mail" in refused("resend", account, "--invoice", number)


class TestCredit:
    def test_money_goes_back_in_the_name_of_support(self, app: Flask, business: Made) -> None:
        pay(app, business, quoted(app, business))
        number = invoice_of(business).number
        output = done("credit", business.account, number, "--net", "1000", "--reason", "A kindness")
        assert "Credit note MQ-" in output
        assert recorded("credit_note_issued").after["invoice"] == number
        assert [refund["amount"] for refund in state(app, business)["gateway"]["refunds"]] == [1200]

    def test_an_unknown_invoice_is_refused(self, app: Flask, business: Made) -> None:
        assert "has no invoice MQ-1." in refused("credit", business.account, "MQ-1")


class TestManager:
    def test_what_is_named_changes_and_the_rest_stays(self, app: Flask, business: Made) -> None:
        before = stored(Account, business.account).manager_phone
        output = done("set-manager", business.account, "--name", "Nora Neuve", "--email", "nora@example.test")
        assert f"Nora Neuve <nora@example.test>, {before}" in output
        assert trail.after(recorded("manager_changed")) == {
            "manager_name": "Nora Neuve",
            "manager_email": "nora@example.test",
        }

    def test_a_wrong_address_and_nothing_new_are_refused(self, app: Flask, business: Made) -> None:
        account = business.account
        assert "nora: This is not an e-mail" in refused("set-manager", account, "--email", "nora")
        assert "Name what is new" in refused("set-manager", account)
        assert "one line of at most 40" in refused("set-manager", account, "--phone", "1" * 41)


class TestEmail:
    def test_a_member_signs_in_with_the_new_one_only(self, app: Flask, business: Made) -> None:
        browser = signed_in(app, business)
        assert "signs in as new@example.test" in done("set-email", business.account, business.email, "New@example.test")
        assert browser.get("/").status_code == 303, "the session ended"
        for email, status in ((business.email, 422), ("new@example.test", 303)):
            form = {"email": email, "password": business.password}
            assert app.test_client().post("/sign-in", data=form).status_code == status
        assert trail.before(recorded("email_changed")) == {"email": business.email}

    def test_both_addresses_are_told_and_the_old_one_can_undo_it(self, app: Flask, business: Made) -> None:
        """So nobody takes an access over by persuading support."""
        done("set-email", business.account, business.email, "mallory@example.test")
        told = mails(app, business)
        assert {mail["to"] for mail in told} == {business.email, "mallory@example.test"}
        app.test_client().post(alarm_in(next(mail for mail in told if mail["to"] == business.email)))
        emails = db.session.scalars(select(Member.email).where(Member.account_id == business.account)).all()
        assert emails == [business.email]

    def test_another_members_address_and_strangers_are_refused(self, app: Flask, business: Made) -> None:
        other = scenarios.make("business")
        account = business.account
        assert "is a member's already" in refused("set-email", account, business.email, other.email)
        assert "is no member of this account. Its members: " in refused("set-email", account, other.email, "a@b.test")
        assert "not an e-mail address" in refused("set-email", account, business.email, "nonsense")
        assert db.session.scalars(select(Member.email).where(Member.account_id == account)).all() == [business.email]


class TestSessions:
    def test_all_sessions_of_an_account_or_of_a_member_end(self, app: Flask, business: Made) -> None:
        viewer = team.add(business, "viewer")
        owner, other = signed_in(app, business), team.browser(app, viewer)
        done("end-sessions", business.account, "--member", viewer.email)
        assert (owner.get("/activity").status_code, other.get("/activity").status_code) == (200, 303)
        assert trail.after(recorded("sessions_ended")) == {"email": viewer.email}
        done("end-sessions", business.account)
        assert owner.get("/activity").status_code == 303

    def test_those_of_a_stranger_are_refused(self, app: Flask, business: Made) -> None:
        assert "is no member" in refused("end-sessions", business.account, "--member", "a@b.test")


class TestExport:
    def test_all_tables_are_there_and_no_secret(self, app: Flask, business: Made, tmp_path: Path) -> None:
        pay(app, business, quoted(app, business))
        path = tmp_path / "account.json"
        assert "personal data" in done("export", business.account, str(path))
        assert path.stat().st_mode & 0o077 == 0
        written = path.read_text()
        content = json.loads(written)
        assert content.keys() == {*TOLD, "account"}
        assert set(TOLD) | set(LEFT_OUT) >= {name for name in owned_tables() if not name.startswith("sandbox")}
        columns = {column for rows in content.values() for row in rows for column in row}
        assert not [column for column in columns if re.search("hash|secret|token|salt|public_key", column)]
        assert [row["email"] for row in content["member"]] == [business.email]
        assert invoice_of(business).number in {row["number"] for row in content["invoice"]}
        for secret in ("password_hash", "argon2", "token", "%PDF"):
            assert secret not in written
        assert recorded("exported").account_id == business.account
        assert "cannot be made (File exists): name a new file" in refused("export", business.account, str(path))
