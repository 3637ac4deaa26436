"""The outbox and a real mail server: each mail arrives once, as it is stored, whatever the server does."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from itertools import count
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from e2e.portal import free_port, running_portal
from tests.servers.mailserver import PASSWORD, USER, Post, certificate, running
from tests.soak.killed import apart
from tests.support.moments import commits_watched
from tests.support.world import dump, pay, quoted, state, subscription
from webapp import cases, documents, outbox, service
from webapp.adapters.smtp import Smtp
from webapp.auth import SignedIn
from webapp.config import Misconfigured, check
from webapp.db import db, new_id, transaction
from webapp.ports import Mailer, Send, ports
from webapp.records import Invoice, Message
from webapp.relay import parse_relay
from webapp.sandbox.clock import SandboxClock
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service
FROM = "My Qlik à Paris <billing@portal.example.test>"


class Moved(SandboxClock):
    """The machine's time, and a while."""

    ahead = timedelta()

    def system_now(self) -> datetime:
        return super().system_now() + self.ahead

    def passes(self, gone: timedelta) -> None:
        self.ahead += gone


@pytest.fixture
def clock(app: Flask) -> Moved:
    clock = Moved()
    app.extensions["ports"] = replace(ports(), clock=clock)
    return clock


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def office(app: Flask, clock: Moved, post: Post) -> Iterator[int]:
    """A mail server that the portal knows; its port."""
    with running(post) as port:
        mails_to(app, f"smtp://localhost:{port}")
        yield port


def mails_to(app: Flask, url: str, timeout: float = 5) -> None:
    app.config.update(SMTP_URL=url, MAIL_FROM=FROM)
    app.extensions["ports"] = replace(ports(), mailer=Smtp(parse_relay(url), FROM, timeout))


def written(made: Made, recipient: str = "reader@example.test", **told: object) -> str:
    """A mail in the outbox; its id."""
    words = {"subject": "Reçu", "body": "Bonjour,\nvoilà.\n", "html": "<p>Bonjour</p>"}
    with transaction() as session:
        message = Message(
            id=new_id(),
            account_id=made.account,
            recipient=recipient,
            about=f"test/{new_id()}",
            sent_at=made.now,
            **words | told,
        )
        session.add(message)
        return message.id


def found(message_id: str) -> Message:
    db.session.rollback()
    return db.session.get_one(Message, message_id, populate_existing=True)


def text_of(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n").rstrip("\n")


def test_a_mail_arrives_as_it_is_stored_with_its_document(app: Flask, office: int, post: Post, business: Made) -> None:
    assert pay(app, business, quoted(app, business)) == "captured"
    assert outbox.send_due() == {"sent": 2}
    db.session.rollback()
    stored = {row.recipient: row for row in db.session.scalars(select(Message))}
    assert sorted(post.recipients) == sorted(stored)
    for mail in post.taken:
        row = stored[mail["To"]]
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
        if row.attached_id is None:  # to the owner, who reads it in the portal
            assert list(mail.iter_attachments()) == []
            continue
        (attached,) = mail.iter_attachments()
        invoice = db.session.get_one(Invoice, row.attached_id)
        assert (attached.get_filename(), attached.get_content_type(), attached.get_content()) == (
            documents.filename(invoice),
            "application/pdf",
            documents.pdf_of(invoice),
        )
    assert sorted(row.attached_id is None for row in stored.values()) == [False, True]
    assert outbox.send_due() == {}
    assert len(post.taken) == 2


def test_the_managers_answer_goes_to_the_owner_who_wrote(app: Flask, office: int, post: Post, business: Made) -> None:
    owner = SignedIn("", business.account, "Camille", business.email, "fr", "Ateliers", "")
    with app.test_request_context():
        cases.open_case(owner, "other", None, "A question of mine.")
    assert outbox.send_due() == {"sent": 1}
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
    clock: Moved,
    office: int,
    post: Post,
    business: Made,
    caplog: pytest.LogCaptureFixture,
    command: str,
    answer: str,
    becomes: str,
) -> None:
    mail, post.answers = written(business), {command: answer}
    assert outbox.send_due() == {becomes: 1}
    assert found(mail).fault == answer
    assert [record.levelname for record in caplog.records] == ["ERROR" if becomes == "given up" else "WARNING"]
    post.answers = {}
    assert outbox.send_due() == {}
    clock.passes(timedelta(minutes=2))
    assert outbox.send_due() == ({} if becomes == "given up" else {"sent": 1})
    assert len(post.taken) == (becomes == "later")
    assert found(mail).delivery == ("given_up" if becomes == "given up" else "sent")


def test_a_refused_mail_does_not_hold_up_the_next_ones(office: int, post: Post, business: Made) -> None:
    bad = written(business, recipient="two@example.test\r\nBcc: all@example.test")
    good = [written(business) for _ in range(3)]
    assert outbox.send_due() == {"sent": 3, "given up": 1}
    assert {found(one).delivery for one in good} == {"sent"}
    assert found(bad).fault == "its headers cannot be written: the address is not valid"


def test_a_connection_that_breaks_off_after_the_last_byte_sends_again_under_the_same_id(
    clock: Moved, office: int, post: Post, business: Made
) -> None:
    mail, post.drops = written(business), True
    assert outbox.send_due() == {"later": 1}
    post.drops = False
    clock.passes(timedelta(minutes=2))
    assert outbox.send_due() == {"sent": 1}
    assert [one["Message-ID"] for one in post.taken] == [f"<{mail}@portal.example.test>"] * 2
    assert post.taken[0]["Date"] == post.taken[1]["Date"]


def test_a_server_that_does_not_answer_in_time_is_tried_later(
    app: Flask, clock: Moved, office: int, post: Post, business: Made
) -> None:
    mails_to(app, f"smtp://localhost:{office}", timeout=0.2)
    mail, post.holds = written(business), True
    assert outbox.send_due() == {"later": 1}
    assert "timed out" in (found(mail).fault or "")
    post.holds = False
    mails_to(app, f"smtp://localhost:{office}")
    clock.passes(timedelta(minutes=2))
    assert outbox.send_due() == {"sent": 1}


def test_a_server_that_is_away_is_left_alone_after_three(app: Flask, clock: Moved, business: Made) -> None:
    mails_to(app, f"smtp://localhost:{free_port()}")
    mails = [written(business) for _ in range(5)]
    assert outbox.send_due() == {"later": 3}
    assert Counter(found(mail).attempts for mail in mails) == {1: 3, 0: 2}


def test_the_pause_doubles_from_a_minute_to_four_hours_give_or_take_a_fifth() -> None:
    for attempts, minutes in [(1, 1), (2, 2), (3, 4), (8, 128), (9, 240), (10, 240), (10_000, 240)]:
        for _ in range(20):
            assert 0.8 <= outbox.pause(attempts) / timedelta(minutes=minutes) <= 1.2
    assert len({outbox.pause(1) for _ in range(20)}) > 1


def test_after_three_days_a_mail_is_given_up_with_one_error(
    clock: Moved, office: int, post: Post, business: Made, caplog: pytest.LogCaptureFixture
) -> None:
    mail, post.answers = written(business), {"RCPT": "450 4.2.1 Greylisted"}
    begun = clock.system_now()
    while found(mail).delivery == "unsent":
        clock.passes((found(mail).due_at or clock.system_now()) - clock.system_now())
        outbox.send_due()
    gone = clock.system_now() - begun
    assert timedelta(days=3) <= gone < timedelta(days=3, hours=5)
    (error,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert error.endswith(f"was given up after {found(mail).attempts} attempts: 450 4.2.1 Greylisted")
    assert post.taken == []


# Sign-in and encryption


def test_it_signs_in_with_the_password_of_the_address(
    app: Flask, clock: Moved, post: Post, business: Made, caplog: pytest.LogCaptureFixture
) -> None:
    with running(post, auth_required=True, auth_require_tls=False) as port:
        mail = written(business, delivery="unsent")
        mails_to(app, f"smtp://{USER}:wr0ng-one@localhost:{port}")
        assert outbox.send_due() == {"later": 1}
        assert found(mail).fault == "the mail server refused the login (535)"
        clock.passes(timedelta(minutes=2))
        mails_to(app, f"smtp://{USER}:{PASSWORD.replace('@', '%40')}@localhost:{port}")
        assert outbox.send_due() == {"sent": 1}
    assert post.logins[-1] == (USER, PASSWORD)
    assert "wr0ng-one" not in caplog.text + repr(ports().mailer) + repr(parse_relay(f"smtp://u:wr0ng-one@h:{port}"))


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_what_is_sent_is_encrypted_to_a_server_that_is_trusted(
    app: Flask, clock: Moved, post: Post, business: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    context, trusted = certificate(tmp_path)
    how = {"ssl_context": context} if scheme == "smtps" else {"tls_context": context, "require_starttls": True}
    with running(post, **how) as port:
        mails_to(app, f"{scheme}://localhost:{port}")
        mail = written(business)
        assert outbox.send_due() == {"later": 1}
        assert "CERTIFICATE_VERIFY_FAILED" in (found(mail).fault or "")
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        clock.passes(timedelta(minutes=2))
        assert outbox.send_due() == {"sent": 1}
    assert post.over_tls == [True]


def test_no_password_goes_out_in_the_clear_to_another_machine(
    app: Flask, clock: Moved, post: Post, business: Made
) -> None:
    with running(post, auth_required=True, auth_require_tls=False) as port:
        mails_to(app, f"smtp://{USER}:x@localhost:{port}")
        far = replace(parse_relay("smtp://u:x@mail.example.test"), host="localhost", port=port)
        app.extensions["ports"] = replace(ports(), mailer=Smtp(far, FROM, 5))
        mail = written(business)
        assert outbox.send_due() == {"later": 1}
    assert "STARTTLS" in (found(mail).fault or "")
    assert (post.logins, post.taken) == ([], [])


# Addresses and headers


@pytest.mark.parametrize(
    ("recipient", "told"),
    [
        ("reader@example.test", "reader@example.test"),
        ("a,b@example.test", '"a,b"@example.test'),
        ("anna@bücher.example.test", "anna@xn--bcher-kva.example.test"),
    ],
)
def test_the_address_that_the_server_is_told(
    office: int, post: Post, business: Made, recipient: str, told: str
) -> None:
    written(business, recipient=recipient)
    assert outbox.send_due() == {"sent": 1}
    assert post.recipients == [told]


@pytest.mark.parametrize("international", [False, True])
def test_an_international_name_needs_a_server_that_takes_it(
    app: Flask, clock: Moved, post: Post, business: Made, international: bool
) -> None:
    with running(post, enable_SMTPUTF8=international) as port:
        mails_to(app, f"smtp://localhost:{port}")
        mail = written(business, recipient="zoë@example.test")
        assert outbox.send_due() == ({"sent": 1} if international else {"given up": 1})
    assert post.recipients == (["zoë@example.test"] if international else [])
    assert found(mail).fault == (
        None if international else "the mail server takes no international addresses (SMTPUTF8)"
    )


@pytest.mark.parametrize(
    "told",
    [
        {"recipient": "nobody"},
        {"recipient": "@example.test"},
        {"recipient": "a b@example.test"},
        {"recipient": "a@example.test\nBcc: b@example.test"},
        {"recipient": "a@" + "x" * 70 + ".test"},
        {"subject": "Reçu\r\nBcc: all@example.test"},
        {"subject": "Reçu\nX: y"},
        {"reply_to": "a@example.test\r\nBcc: all@example.test"},
    ],
)
def test_no_line_is_added_to_the_headers(office: int, post: Post, business: Made, told: dict[str, str]) -> None:
    mail = written(business, **told)
    assert outbox.send_due() == {"given up": 1}
    assert (found(mail).fault or "").startswith("its headers cannot be written: ")
    assert post.taken == []


@pytest.mark.parametrize(
    "subject",
    [
        "Reçu",
        "plain",
        "x" * 200,
        "é" * 200,
        "Reçu de votre paiement\u00a0: Qlik Sense Business " + "« été » 12,00 € – " * 8,
        "Renewal of Qlik Sense Business for the whole of the next year, and for a number of seats that is long",
        "not =?utf-8?q?encoded?= at all",
        "=?utf-8?q?a=0D=0ABcc:_all=40example.test?=",
        'l’organisation 😀 @ : » \\ <b> l’organisation <b> « € « @ « abc =?utf-8?q?x?= "q" ' + "漢字 😀 " * 9 + "fin",
    ],
)
def test_a_subject_arrives_letter_by_letter(office: int, post: Post, business: Made, subject: str) -> None:
    written(business, subject=subject)
    assert outbox.send_due() == {"sent": 1}
    (mail,) = post.taken
    assert mail["Subject"] == subject
    assert (mail["Bcc"], mail.defects) == (None, [])


# Several at once, and processes that die


class Watched:
    """A mailer that tells when it sends and when it has; the real one does the rest."""

    def __init__(self, mailer: Mailer, reached: Callable[[str], None]) -> None:
        self.sender, self.mailer, self.reached, self.greet = mailer.sender, mailer, reached, mailer.greet

    @contextmanager
    def sending(self) -> Iterator[Send]:
        with self.mailer.sending() as send:

            def told(mail: EmailMessage, recipient: str) -> None:
                self.reached("before send")
                send(mail, recipient)
                self.reached("after send")

            yield told


@contextmanager
def watched(app: Flask, reached: Callable[[str], None]) -> Iterator[None]:
    mailer = ports().mailer
    assert mailer is not None
    with commits_watched(app, reached, mailer=Watched(mailer, reached)):
        yield


def test_no_transaction_is_open_while_the_mail_server_is_spoken_to(app: Flask, office: int, business: Made) -> None:
    open_ones: list[bool] = []
    assert pay(app, business, quoted(app, business)) == "captured"  # with a document, which is made on the way
    with watched(app, lambda moment: open_ones.append(db.session().in_transaction()) if "send" in moment else None):
        assert outbox.send_due() == {"sent": 2}
    assert open_ones == [False] * 4


def test_several_senders_at_once_send_each_mail_once(app: Flask, office: int, post: Post, business: Made) -> None:
    mails = {written(business) for _ in range(24)}
    db.session.remove()

    def sender(_number: int) -> int:
        with app.app_context():
            return outbox.send_due()["sent"]

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(sender, range(4))) == 24
    assert Counter(mail["Message-ID"].split("@")[0][1:] for mail in post.taken) == Counter(mails)


def test_a_sender_that_dies_at_any_moment_loses_no_mail(
    app: Flask, clock: Moved, office: int, post: Post, business: Made
) -> None:
    moments: list[str] = []
    written(business)
    with watched(app, moments.append):
        assert outbox.send_due() == {"sent": 1}
    sent_at = moments.index("after send") + 1
    marked_at = moments.index("after commit", sent_at) + 1
    assert len(moments) >= marked_at
    for die_at in range(1, marked_at + 1):
        mail = written(business)
        post.taken.clear()
        assert os.WTERMSIG(_dies(app, die_at)) == signal.SIGKILL
        outbox.send_due()  # beside a claim that may stand
        clock.passes(outbox.CLAIM)
        outbox.send_due()
        assert found(mail).delivery == "sent"
        twice = sent_at <= die_at < marked_at
        assert [one["Message-ID"] for one in post.taken] == [f"<{mail}@portal.example.test>"] * (1 + twice)


def _dies(app: Flask, at: int) -> int:
    """Sends in a process that is killed at that moment; its wait status."""

    def work(_out: int) -> None:
        met = count(1)

        def reached(_moment: str) -> None:
            if next(met) == at:
                os.kill(os.getpid(), signal.SIGKILL)

        with watched(app, reached):
            outbox.send_due()

    return apart(app, work)[1]


def test_of_a_claim_that_lapsed_only_what_was_sent_counts(
    app: Flask, clock: Moved, office: int, post: Post, business: Made
) -> None:
    mail, slow = written(business), outbox._claim()
    clock.passes(outbox.CLAIM)
    second = outbox._claim()
    assert slow is not None
    assert second is not None
    for final in (False, True):
        before = dump()
        outbox._failed(slow, "late", final=final)
        assert dump() == before
    mailer = ports().mailer
    assert mailer is not None
    with mailer.sending() as send:
        assert outbox._attempt(slow, mailer.sender, send) == ("sent", False)
    outbox._failed(second, "550 refused", final=True)
    assert (found(mail).delivery, found(mail).fault, len(post.taken)) == ("sent", None, 1)


# The sandbox, the settings and the command


def test_without_a_mail_server_mails_stay_in_the_panel_for_good(
    app: Flask, clock: Moved, post: Post, business: Made
) -> None:
    service.cancel(business.account, subscription(business))
    assert outbox.send_due() == {}
    with running(post) as port:
        mails_to(app, f"smtp://localhost:{port}")
        assert outbox.send_due() == {}
    (mail,) = state(app, business)["messages"]
    assert set(mail) == {"id", "to", "subject", "text", "sent_at"}
    assert found(mail["id"]).delivery == "kept"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {
                "SANDBOX": False,
                "GATEWAY": "stripe",
                "STRIPE_SECRET_KEY": "sk_test_12345",
                "QLIK_API_KEY": "any",
                "STRIPE_WEBHOOK_SECRET": "whsec_12345",
            },
            "SMTP_URL is not set: outside the sandbox",
        ),
        ({"SMTP_URL": "mail.example.test"}, "SMTP_URL is not"),
        ({"SMTP_URL": "http://x"}, "SMTP_URL is not"),
        ({"SMTP_URL": "smtp://x:nan"}, "SMTP_URL is not"),
        ({"SMTP_URL": "smtp://x/?tls=maybe"}, "SMTP_URL is not"),
        ({"SMTP_URL": "smtp://u:hidden@x/path"}, "SMTP_URL is not"),
        ({"SMTP_URL": "smtp://u@x"}, "give both"),
        ({"SMTP_URL": "smtp://u:hidden@x?tls=off"}, "never sent in the clear"),
        ({"SMTP_URL": "smtp://x", "MAIL_FROM": "nobody"}, "MAIL_FROM (nobody) is not an address"),
        ({"SMTP_URL": "smtp://x", "MAIL_FROM": "a@x.test, b@x.test"}, "MAIL_FROM"),
        ({"SMTP_URL": "smtp://x", "MAIL_FROM": "a@x.test\nBcc: b@x.test"}, "MAIL_FROM"),
        ({"SMTP_URL": "smtp://x", "MAIL_FROM": ""}, "MAIL_FROM () is not an address"),
    ],
)
def test_a_setting_that_is_wrong_is_one_sentence_without_the_password(
    app: Flask, settings: dict[str, object], sentence: str
) -> None:
    with pytest.raises(Misconfigured) as fault:
        check({**app.config, **settings})
    assert sentence in str(fault.value)
    assert "hidden" not in str(fault.value)


def test_the_command_says_what_became_of_the_mails(app: Flask, clock: Moved, post: Post, business: Made) -> None:
    def told() -> tuple[int, str]:
        done = app.test_cli_runner().invoke(args=["send-mail"])
        return done.exit_code, "".join(line for line in done.output.splitlines(True) if "webapp.outbox" not in line)

    assert told() == (1, "Error: SMTP_URL is not set: mails stay in the sandbox's panel.\n")
    with running(post) as port:
        mails_to(app, f"smtp://localhost:{port}")
        assert told() == (0, "nothing was due\n")
        written(business)
        assert told() == (0, "1 sent\n")
        written(business)
        written(business, recipient="nobody")
        assert told() == (1, "1 sent, 1 given up\nError: 1 mails were not sent: the log says why.\n")


@pytest.mark.slow
def test_the_server_has_a_sender_beside_it(post: Post) -> None:
    with running(post) as port, running_portal(SMTP_URL=f"smtp://localhost:{port}", SWEEP_EVERY="1") as portal:
        account = portal.account("business")
        portal.clock(account["account"], to="2027-02-10T09:00:00")  # the notice of the renewal
        assert post.arrived.wait(60)
    assert post.taken[0]["To"] == account["email"]
