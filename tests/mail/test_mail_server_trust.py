"""Sign-in at the mail server, and encryption: no password is sent in the clear."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from tests.servers.mailserver import PASSWORD, USER, Post, certificate, running
from tests.support.outgoing import FROM, MovableClock, mails_to, queued, stored_mail
from webapp.adapters.smtp import Smtp
from webapp.mail import delivery
from webapp.mail_server import parse_relay
from webapp.ports import ports
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service


def test_it_signs_in_with_the_password_of_the_address(
    app: Flask, clock: MovableClock, post: Post, business: Made, caplog: pytest.LogCaptureFixture
) -> None:
    with running(post, auth_required=True, auth_require_tls=False) as port:
        mail = queued(business, delivery="unsent")
        mails_to(app, f"smtp://{USER}:wr0ng-one@localhost:{port}")
        assert delivery.send_due() == {"later": 1}
        assert stored_mail(mail).fault == "the mail server refused the login (535)"
        clock.passes(timedelta(minutes=2))
        mails_to(app, f"smtp://{USER}:{PASSWORD.replace('@', '%40')}@localhost:{port}")
        assert delivery.send_due() == {"sent": 1}
    assert post.logins[-1] == (USER, PASSWORD)
    assert "wr0ng-one" not in caplog.text + repr(ports().mailer) + repr(parse_relay(f"smtp://u:wr0ng-one@h:{port}"))


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_what_is_sent_is_encrypted_to_a_server_that_is_trusted(
    app: Flask,
    clock: MovableClock,
    post: Post,
    business: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
) -> None:
    context, trusted = certificate(tmp_path)
    how = {"ssl_context": context} if scheme == "smtps" else {"tls_context": context, "require_starttls": True}
    with running(post, **how) as port:
        mails_to(app, f"{scheme}://localhost:{port}")
        mail = queued(business)
        assert delivery.send_due() == {"later": 1}
        assert "CERTIFICATE_VERIFY_FAILED" in (stored_mail(mail).fault or "")
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        clock.passes(timedelta(minutes=2))
        assert delivery.send_due() == {"sent": 1}
    assert post.over_tls == [True]


def test_no_password_goes_out_in_the_clear_to_another_machine(
    app: Flask, clock: MovableClock, post: Post, business: Made
) -> None:
    with running(post, auth_required=True, auth_require_tls=False) as port:
        mails_to(app, f"smtp://{USER}:x@localhost:{port}")
        far = replace(parse_relay("smtp://u:x@mail.example.test"), host="localhost", port=port)
        app.extensions["ports"] = replace(ports(), mailer=Smtp(far, FROM, 5))
        mail = queued(business)
        assert delivery.send_due() == {"later": 1}
    assert "STARTTLS" in (stored_mail(mail).fault or "")
    assert (post.logins, post.taken) == ([], [])
