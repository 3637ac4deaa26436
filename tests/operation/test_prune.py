"""What is kept no longer is pruned, kind by kind; invoices, credit notes and payments never are."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from tests.servers.mailserver import Post, running
from tests.support.outgoing import mails_to
from tests.support.world import dump, pay, quoted, signed_in, stored_or_none
from webapp.access import limits, passwords
from webapp.db import Model, db, transaction
from webapp.domain.team import INVITATIONS_KEPT
from webapp.mail import delivery
from webapp.models.access import MemberSession, PasswordReset, RateLimit
from webapp.models.activity import Activity, Case
from webapp.models.alarms import AlarmLink, EmailChange, KnownBrowser
from webapp.models.cards import CardSetup
from webapp.models.mail import Message
from webapp.models.purchases import Notification, Payment, Quote
from webapp.models.subscriptions import ActiveUsersOfDay
from webapp.models.team import Invitation
from webapp.models.trail import SecurityEvent, TrailSeal
from webapp.operation import prune, trail
from webapp.ports import ports
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service


def count(table: type[Model]) -> int:
    db.session.rollback()
    return db.session.scalars(select(func.count()).select_from(table)).one()


def age(table: type[Model], column: str, by: timedelta) -> None:
    """As if each of its rows had been written so much earlier."""
    with transaction() as session:
        for row in session.scalars(select(table)):
            setattr(row, column, getattr(row, column) - by)
        for seal in session.scalars(select(TrailSeal).where(TrailSeal.trail == table.__tablename__)):
            seal.last_at -= by


def open_case(app: Flask, made: Made) -> None:
    form = {"subject": "other", "message": "A message to the manager"}
    assert signed_in(app, made).post("/contact", data=form).status_code == 303


def begin_card(app: Flask, made: Made) -> None:
    assert signed_in(app, made).post("/billing/cards/new").status_code == 303


def hear(_app: Flask, _made: Made) -> None:
    with transaction() as session:
        session.add(Notification(id="evt_1", heard_at=ports().clock.system_now()))


def count_a_form(app: Flask, made: Made) -> None:
    with app.test_request_context():
        limits.count(("post", "contact.send", made.account))


def ask_for_link(app: Flask, made: Made) -> None:
    app.test_client().post("/password/forgotten", data={"email": made.email})


def ask_for_email(app: Flask, made: Made) -> None:
    signed_in(app, made).post("/account/email", data={"email": "new@example.test"})


def sign_in_twice(app: Flask, made: Made) -> None:
    for _browser in range(2):
        signed_in(app, made)


KINDS: dict[str, tuple[Callable[[Flask, Made], object], type[Model], str, timedelta]] = {
    "sessions": (signed_in, MemberSession, "created_at", timedelta(hours=12)),
    "reset links": (ask_for_link, PasswordReset, "created_at", timedelta(minutes=30)),
    "known browsers": (signed_in, KnownBrowser, "seen_at", timedelta(days=365)),
    "links to disown": (sign_in_twice, AlarmLink, "created_at", timedelta(days=7)),
    "new e-mails": (ask_for_email, EmailChange, "asked_at", timedelta(hours=24)),
    "limits": (count_a_form, RateLimit, "ends_at", timedelta(hours=1)),
    "gateway events": (hear, Notification, "heard_at", timedelta(days=30)),
    "card pages": (begin_card, CardSetup, "begun_at", timedelta(days=7)),
    "quotes": (quoted, Quote, "expires_at", timedelta(days=30, minutes=30)),
    "cases": (open_case, Case, "opened_at", timedelta(days=366 * 5)),
    "activity": (open_case, Activity, "at", timedelta(days=366 * 10)),
    "security events": (signed_in, SecurityEvent, "at", timedelta(days=366)),
}


@pytest.fixture(autouse=True)
def sealed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "SETTLED", timedelta(0))


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_pruned_when_it_is_old_enough_and_not_before(app: Flask, business: Made, name: str) -> None:
    make, table, column, period = KINDS[name]
    before = count(table)
    make(app, business)
    made = count(table) - before
    assert made > 0
    age(table, column, period - timedelta(minutes=2))
    assert prune.prune()[name] == 0
    kept = count(table)
    age(table, column, timedelta(minutes=3))
    assert prune.prune()[name] >= made
    assert count(table) <= kept - made
    after = dump(counts=True)
    assert prune.prune().total() == 0
    assert dump(counts=True) == after


def test_the_active_users_of_a_day_are_kept_for_400_days(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prune, "BATCH", 3)
    for _ in range(2):
        scenarios.make("business")
    kept = count(ActiveUsersOfDay)
    with transaction() as session:
        for row in session.scalars(select(ActiveUsersOfDay).where(ActiveUsersOfDay.day < BEFORE)).all():
            row.day -= timedelta(days=400 - 115)  # they were 116 to 120 days old
    assert prune.prune()["days of active users"] == 10
    assert count(ActiveUsersOfDay) == kept - 10
    assert prune.prune().total() == 0


def test_the_body_of_an_old_mail_is_emptied_and_its_row_stays(app: Flask, business: Made) -> None:
    open_case(app, business)
    age(Message, "sent_at", timedelta(days=89, hours=23))
    assert prune.prune()["bodies of mails"] == 0
    age(Message, "sent_at", timedelta(hours=2))
    assert prune.prune()["bodies of mails"] == 1
    assert db.session.execute(select(Message.body, Message.html)).all() == [("", "")]
    assert prune.prune()["bodies of mails"] == 0


def test_a_mail_that_is_still_to_be_sent_keeps_its_body(app: Flask, business: Made) -> None:
    open_case(app, business)
    with transaction() as session:
        session.execute(update(Message).values(delivery="unsent"))
    age(Message, "sent_at", timedelta(days=999))
    assert prune.prune()["bodies of mails"] == 0


@pytest.mark.parametrize("outcome", ["sent", "given_up"])
def test_a_link_that_sets_a_password_goes_with_its_mail(app: Flask, business: Made, outcome: str) -> None:
    server = Post()
    with running(server) as port:
        mails_to(app, f"smtp://localhost:{port}")
        with app.test_request_context():
            passwords.request_reset(business.email)
        if outcome == "given_up":
            with transaction() as session:
                session.execute(update(Message).values(recipient="no address"))
        delivery.send_due()
    db.session.rollback()
    row = db.session.execute(select(Message.delivery, Message.body, Message.html)).one()
    assert tuple(row) == (outcome, "", "")


def test_the_link_of_an_invitation_goes_with_its_mail(app: Flask, business: Made) -> None:
    with running(Post()) as port:
        mails_to(app, f"smtp://localhost:{port}")
        signed_in(app, business).post("/team", data={"email": "nadia@example.test", "role": "viewer"})
        delivery.send_due()
    db.session.rollback()
    assert db.session.execute(select(Message.delivery, Message.body, Message.html)).all() == [("sent", "", "")]


def test_an_invitation_that_nobody_accepted_is_pruned(app: Flask, business: Made) -> None:
    signed_in(app, business).post("/team", data={"email": "nadia@example.test", "role": "viewer"})
    age(Invitation, "sent_at", INVITATIONS_KEPT - timedelta(minutes=1))
    assert prune.prune()["invitations"] == 0
    age(Invitation, "sent_at", timedelta(minutes=2))
    assert prune.prune()["invitations"] == 1


def test_a_link_of_an_older_version_is_pruned_at_once(app: Flask, business: Made) -> None:
    ask_for_link(app, business)
    assert prune.prune()["bodies of reset mails"] == 0, "the sandbox's panel shows it"
    with transaction() as session:
        session.execute(update(Message).values(delivery="given_up"))
    assert prune.prune()["bodies of reset mails"] == 1


BEFORE = scenarios.START.date() - timedelta(days=115)
FOR_GOOD = ("invoice", "payment", "refund", "period", "subscription", "card", "member", "account", "issuer")


def test_what_was_paid_stays_for_good(app: Flask, business: Made) -> None:
    unpaid, paid = quoted(app, business, 15), quoted(app, business)
    pay(app, business, paid)
    age(Quote, "expires_at", timedelta(days=9999))
    before = dump()
    assert before.keys() >= set(FOR_GOOD)
    assert prune.prune()["quotes"] == 1
    after = dump()
    assert [name for name in FOR_GOOD if before[name] != after[name]] == []
    assert (stored_or_none(Quote, paid) is None, stored_or_none(Quote, unpaid) is None) == (False, True)
    assert count(Payment) > 0


def test_a_quote_whose_card_is_being_entered_stays(app: Flask, business: Made) -> None:
    quote = quoted(app, business)
    with transaction() as session:
        now = ports().clock.system_now()
        session.add(CardSetup(reference="r", account_id=business.account, quote_id=quote, begun_at=now))
    age(Quote, "expires_at", timedelta(days=99))
    prune.prune()
    assert stored_or_none(Quote, quote) is not None
    age(CardSetup, "begun_at", timedelta(days=8))
    prune.prune()
    assert stored_or_none(Quote, quote) is None


def test_it_goes_batch_by_batch_and_stops_when_it_is_told_to(
    app: Flask, business: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune, "BATCH", 3)
    now = ports().clock.system_now() - timedelta(days=99)
    with transaction() as session:
        session.add_all(Notification(id=f"evt_{n}", heard_at=now) for n in range(10))
    stop = Event()
    stop.set()
    assert prune.prune(stop).total() == 0
    assert prune.prune()["gateway events"] == 10


def test_one_process_prunes_once_a_day(app: Flask) -> None:
    with app.test_request_context():
        assert [limits.is_first(prune.DAILY, "prune") for _ in range(3)] == [True, False, False]
    age(RateLimit, "ends_at", timedelta(days=1))
    assert limits.is_first(prune.DAILY, "prune")


def test_the_command_says_what_it_did(app: Flask, business: Made) -> None:
    done = app.test_cli_runner().invoke(args=["prune"])
    assert (done.exit_code, done.output) == (0, "nothing was old enough\n")
    hear(app, business)
    age(Notification, "heard_at", timedelta(days=31))
    assert app.test_cli_runner().invoke(args=["prune"]).output == "1 gateway events\n"
