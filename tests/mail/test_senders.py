"""Several senders at once, and senders that are killed: no mail is lost, and none is sent twice without need."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.message import EmailMessage
from itertools import count

import pytest
from flask import Flask

from tests.servers.mailserver import Post
from tests.soak.killed import apart
from tests.support.moments import commits_watched
from tests.support.outgoing import MovableClock, queued, stored_mail
from tests.support.world import dump, pay, quoted
from webapp.db import db
from webapp.mail import delivery
from webapp.ports import Mailer, Send, ports
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service


class Watched:
    """Wraps the real mailer, and calls `reached` before and after each mail."""

    def __init__(self, mailer: Mailer, reached: Callable[[str], None]) -> None:
        self.sender, self.mailer, self.reached, self.greet = mailer.sender, mailer, reached, mailer.greet

    @contextmanager
    def sending(self) -> Iterator[Send]:
        with self.mailer.sending() as send:

            def send_and_report(mail: EmailMessage, recipient: str) -> None:
                self.reached("before send")
                send(mail, recipient)
                self.reached("after send")

            yield send_and_report


@contextmanager
def watched(app: Flask, reached: Callable[[str], None]) -> Iterator[None]:
    mailer = ports().mailer
    assert mailer is not None
    with commits_watched(app, reached, mailer=Watched(mailer, reached)):
        yield


def test_no_transaction_is_open_while_the_mail_server_is_spoken_to(app: Flask, office: int, business: Made) -> None:
    open_ones: list[bool] = []
    assert pay(app, business, quoted(app, business)) == "captured"  # its document is made while the mail is sent
    with watched(app, lambda moment: open_ones.append(db.session().in_transaction()) if "send" in moment else None):
        assert delivery.send_due() == {"sent": 2}
    assert open_ones == [False] * 4


def test_several_senders_at_once_send_each_mail_once(app: Flask, office: int, post: Post, business: Made) -> None:
    mails = {queued(business) for _ in range(24)}
    db.session.remove()

    def sender(_number: int) -> int:
        with app.app_context():
            return delivery.send_due()["sent"]

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(sender, range(4))) == 24
    assert Counter(mail["Message-ID"].split("@")[0][1:] for mail in post.taken) == Counter(mails)


def test_a_sender_that_dies_at_any_moment_loses_no_mail(
    app: Flask, clock: MovableClock, office: int, post: Post, business: Made
) -> None:
    moments: list[str] = []
    queued(business)
    with watched(app, moments.append):
        assert delivery.send_due() == {"sent": 1}
    sent_at = moments.index("after send") + 1
    marked_at = moments.index("after commit", sent_at) + 1
    assert len(moments) >= marked_at
    for die_at in range(1, marked_at + 1):
        mail = queued(business)
        post.taken.clear()
        assert os.WTERMSIG(_dies(app, die_at)) == signal.SIGKILL
        delivery.send_due()  # the dead sender's claim may still hold
        clock.passes(delivery.CLAIM)
        delivery.send_due()
        assert stored_mail(mail).delivery == "sent"
        twice = sent_at <= die_at < marked_at
        assert [sent_mail["Message-ID"] for sent_mail in post.taken] == [f"<{mail}@portal.example.test>"] * (1 + twice)


def _dies(app: Flask, at: int) -> int:
    """Sends in a process that is killed at that moment; returns its wait status."""

    def work(_out: int) -> None:
        met = count(1)

        def reached(_moment: str) -> None:
            if next(met) == at:
                os.kill(os.getpid(), signal.SIGKILL)

        with watched(app, reached):
            delivery.send_due()

    return apart(app, work)[1]


def test_of_a_claim_that_lapsed_only_what_was_sent_counts(
    app: Flask, clock: MovableClock, office: int, post: Post, business: Made
) -> None:
    mail, slow = queued(business), delivery._claim()
    clock.passes(delivery.CLAIM)
    second = delivery._claim()
    assert slow is not None
    assert second is not None
    for final in (False, True):
        before = dump()
        delivery._failed(slow, "late", final=final)
        assert dump() == before
    mailer = ports().mailer
    assert mailer is not None
    with mailer.sending() as send:
        assert delivery._attempt(slow, mailer.sender, send) == ("sent", False)
    delivery._failed(second, "550 refused", final=True)
    assert (stored_mail(mail).delivery, stored_mail(mail).fault, len(post.taken)) == ("sent", None, 1)
