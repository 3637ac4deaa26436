"""The settings of the mail server, the command `flask send-mail`, and the sender beside the server."""

import pytest
from flask import Flask

from e2e.portal import running_portal
from tests.servers.mailserver import Post, running
from tests.support.outgoing import MovableClock, mails_to, queued, stored_mail
from tests.support.world import state, subscription
from webapp.config import Misconfigured, check
from webapp.mail import delivery
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import service

pytestmark = pytest.mark.service


def test_without_a_mail_server_mails_stay_in_the_panel_for_good(
    app: Flask, clock: MovableClock, post: Post, business: Made
) -> None:
    service.cancel(business.account, subscription(business))
    assert delivery.send_due() == {}
    with running(post) as port:
        mails_to(app, f"smtp://localhost:{port}")
        assert delivery.send_due() == {}
    (mail,) = state(app, business)["messages"]
    assert set(mail) == {"id", "to", "subject", "text", "html", "attachments", "sent_at"}
    assert stored_mail(mail["id"]).delivery == "kept"


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


def test_the_command_says_what_became_of_the_mails(app: Flask, clock: MovableClock, post: Post, business: Made) -> None:
    def send_mail() -> tuple[int, str]:
        done = app.test_cli_runner().invoke(args=["send-mail"])
        return done.exit_code, "".join(
            line for line in done.output.splitlines(True) if "webapp.mail.delivery" not in line
        )

    assert send_mail() == (1, "Error: SMTP_URL is not set: mails stay in the sandbox's panel.\n")
    with running(post) as port:
        mails_to(app, f"smtp://localhost:{port}")
        assert send_mail() == (0, "nothing was due\n")
        queued(business)
        assert send_mail() == (0, "1 sent\n")
        queued(business)
        queued(business, recipient="nobody")
        assert send_mail() == (1, "1 sent, 1 given up\nError: 1 mails were not sent: the log says why.\n")


@pytest.mark.slow
def test_the_server_has_a_sender_beside_it(post: Post) -> None:
    with running(post) as port, running_portal(SMTP_URL=f"smtp://localhost:{port}", SWEEP_EVERY="1") as portal:
        account = portal.account("business")
        portal.clock(account["account"], to="2027-02-10T09:00:00")  # on this day the renewal's notice is sent
        assert post.arrived.wait(60)
    assert post.taken[0]["To"] == account["email"]
