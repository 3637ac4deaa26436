"""Addresses and headers of a mail: international names, long subjects, and no injected line."""

import pytest
from flask import Flask

from tests.servers.mailserver import Post, running
from tests.support.outgoing import MovableClock, mails_to, queued, stored_mail
from webapp.mail import delivery
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service


@pytest.mark.parametrize(
    ("recipient", "sent_to"),
    [
        ("reader@example.test", "reader@example.test"),
        ("a,b@example.test", '"a,b"@example.test'),
        ("anna@bücher.example.test", "anna@xn--bcher-kva.example.test"),
    ],
)
def test_the_address_that_the_server_is_told(
    office: int, post: Post, business: Made, recipient: str, sent_to: str
) -> None:
    queued(business, recipient=recipient)
    assert delivery.send_due() == {"sent": 1}
    assert post.recipients == [sent_to]


@pytest.mark.parametrize("international", [False, True])
def test_an_international_name_needs_a_server_that_takes_it(
    app: Flask, clock: MovableClock, post: Post, business: Made, international: bool
) -> None:
    with running(post, enable_SMTPUTF8=international) as port:
        mails_to(app, f"smtp://localhost:{port}")
        mail = queued(business, recipient="zoë@example.test")
        assert delivery.send_due() == ({"sent": 1} if international else {"given up": 1})
    assert post.recipients == (["zoë@example.test"] if international else [])
    assert stored_mail(mail).fault == (
        None if international else "the mail server takes no international addresses (SMTPUTF8)"
    )


@pytest.mark.parametrize(
    "content",
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
def test_no_line_is_added_to_the_headers(office: int, post: Post, business: Made, content: dict[str, str]) -> None:
    mail = queued(business, **content)
    assert delivery.send_due() == {"given up": 1}
    assert (stored_mail(mail).fault or "").startswith("its headers cannot be written: ")
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
    queued(business, subject=subject)
    assert delivery.send_due() == {"sent": 1}
    (mail,) = post.taken
    assert mail["Subject"] == subject
    assert (mail["Bcc"], mail.defects) == (None, [])
