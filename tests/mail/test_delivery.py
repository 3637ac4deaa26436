"""Delivery by a real mail server: each mail arrives once, as stored, whatever the server answers."""

from collections import Counter
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from e2e.portal import free_port
from tests.servers.mailserver import Post
from tests.support.outgoing import FROM, MovableClock, mails_to, queued, stored_mail, text_of
from tests.support.world import pay, quoted, stored
from webapp.access.identity import SignedIn
from webapp.accounts import cases
from webapp.db import db
from webapp.domain.permissions import Role
from webapp.invoices import documents
from webapp.mail import delivery
from webapp.models.invoices import Invoice
from webapp.models.mail import Message
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service


def test_a_mail_arrives_as_it_is_stored_with_its_document(app: Flask, office: int, post: Post, business: Made) -> None:
    assert pay(app, business, quoted(app, business)) == "captured"
    assert delivery.send_due() == {"sent": 2}
    db.session.rollback()
    written = {row.recipient: row for row in db.session.scalars(select(Message))}
    assert sorted(post.recipients) == sorted(written)
    for mail in post.taken:
        row = written[mail["To"]]
        assert (mail["Subject"], text_of(mail, "plain"), text_of(mail, "html")) == (
            row.subject,
            row.body.rstrip("\n"),
            row.html.rstrip("\n"),
        )
        assert (mail["From"], mail["Reply-To"]) == (FROM, "sophie.laurent@example.test")
        assert mail["Message-ID"] == f"<{row.id}@portal.example.test>"
        assert mail["Date"].datetime == row.sent_at.replace(microsecond=0)
        assert mail["Auto-Submitted"] == "auto-generated"
        assert (row.delivery, row.attempts, row.fault) == ("sent", 1, None)
        if row.attached_id is None:  # the owner reads the document in the portal
            assert list(mail.iter_attachments()) == []
            continue
        (attached,) = mail.iter_attachments()
        invoice = stored(Invoice, row.attached_id)
        assert (attached.get_filename(), attached.get_content_type(), attached.get_content()) == (
            documents.filename(invoice),
            "application/pdf",
            documents.pdf_of(invoice),
        )
    assert sorted(row.attached_id is None for row in written.values()) == [False, True]
    assert delivery.send_due() == {}
    assert len(post.taken) == 2


def test_the_managers_answer_goes_to_the_owner_who_wrote(app: Flask, office: int, post: Post, business: Made) -> None:
    owner = SignedIn("", business.account, "Camille", business.email, "fr", "Ateliers", "", Role.OWNER)
    with app.test_request_context():
        cases.open_case(owner, "other", None, "A question of mine.")
    assert delivery.send_due() == {"sent": 1}
    assert (post.taken[0]["To"], post.taken[0]["Reply-To"]) == ("sophie.laurent@example.test", business.email)


@pytest.mark.parametrize(
    ("command", "answer", "becomes"),
    [
        ("RCPT", "550 5.1.1 No such user", "given up"),
        ("RCPT", "450 4.2.1 Greylisted", "later"),
        ("RCPT", "421 Closing", "later"),
        ("DATA", "554 5.7.1 Spam", "given up"),
        ("DATA", "451 Out of disk", "later"),
        ("MAIL", "550 Not a sender of ours", "later"),
        ("MAIL", "552 5.3.4 Too large", "given up"),
    ],
)
def test_what_an_answer_of_the_server_means(
    app: Flask,
    clock: MovableClock,
    office: int,
    post: Post,
    business: Made,
    caplog: pytest.LogCaptureFixture,
    command: str,
    answer: str,
    becomes: str,
) -> None:
    mail, post.answers = queued(business), {command: answer}
    assert delivery.send_due() == {becomes: 1}
    assert stored_mail(mail).fault == answer
    assert [record.levelname for record in caplog.records] == ["ERROR" if becomes == "given up" else "WARNING"]
    post.answers = {}
    assert delivery.send_due() == {}
    clock.passes(timedelta(minutes=2))
    assert delivery.send_due() == ({} if becomes == "given up" else {"sent": 1})
    assert len(post.taken) == (becomes == "later")
    assert stored_mail(mail).delivery == ("given_up" if becomes == "given up" else "sent")


def test_a_refused_mail_does_not_hold_up_the_next_ones(office: int, post: Post, business: Made) -> None:
    bad = queued(business, recipient="two@example.test\r\nBcc: all@example.test")
    good = [queued(business) for _ in range(3)]
    assert delivery.send_due() == {"sent": 3, "given up": 1}
    assert {stored_mail(mail).delivery for mail in good} == {"sent"}
    assert stored_mail(bad).fault == "its headers cannot be written: the address is not valid"


def test_a_connection_that_breaks_off_after_the_last_byte_sends_again_under_the_same_id(
    clock: MovableClock, office: int, post: Post, business: Made
) -> None:
    mail, post.drops = queued(business), True
    assert delivery.send_due() == {"later": 1}
    post.drops = False
    clock.passes(timedelta(minutes=2))
    assert delivery.send_due() == {"sent": 1}
    assert [mail["Message-ID"] for mail in post.taken] == [f"<{mail}@portal.example.test>"] * 2
    assert post.taken[0]["Date"] == post.taken[1]["Date"]


def test_a_server_that_does_not_answer_in_time_is_tried_later(
    app: Flask, clock: MovableClock, office: int, post: Post, business: Made
) -> None:
    mails_to(app, f"smtp://localhost:{office}", timeout=0.2)
    mail, post.holds = queued(business), True
    assert delivery.send_due() == {"later": 1}
    assert "timed out" in (stored_mail(mail).fault or "")
    post.holds = False
    mails_to(app, f"smtp://localhost:{office}")
    clock.passes(timedelta(minutes=2))
    assert delivery.send_due() == {"sent": 1}


def test_a_server_that_is_away_is_left_alone_after_three(app: Flask, clock: MovableClock, business: Made) -> None:
    mails_to(app, f"smtp://localhost:{free_port()}")
    mails = [queued(business) for _ in range(5)]
    assert delivery.send_due() == {"later": 3}
    assert Counter(stored_mail(mail).attempts for mail in mails) == {1: 3, 0: 2}


def test_the_pause_doubles_from_a_minute_to_four_hours_give_or_take_a_fifth() -> None:
    for attempts, minutes in [(1, 1), (2, 2), (3, 4), (8, 128), (9, 240), (10, 240), (10_000, 240)]:
        for _ in range(20):
            assert 0.8 <= delivery.pause(attempts) / timedelta(minutes=minutes) <= 1.2
    assert len({delivery.pause(1) for _ in range(20)}) > 1


def test_after_three_days_a_mail_is_given_up_with_one_error(
    clock: MovableClock, office: int, post: Post, business: Made, caplog: pytest.LogCaptureFixture
) -> None:
    mail, post.answers = queued(business), {"RCPT": "450 4.2.1 Greylisted"}
    begun = clock.system_now()
    while stored_mail(mail).delivery == "unsent":
        clock.passes((stored_mail(mail).due_at or clock.system_now()) - clock.system_now())
        delivery.send_due()
    gone = clock.system_now() - begun
    assert timedelta(days=3) <= gone < timedelta(days=3, hours=5)
    (error,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert error.endswith(f"was given up after {stored_mail(mail).attempts} attempts: 450 4.2.1 Greylisted")
    assert post.taken == []
