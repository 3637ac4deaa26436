"""What mails tell members to do: only what their role may do, and otherwise who can."""

from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import update

from tests.mail.test_mails import EVENTS
from tests.support import team
from tests.support.mails import parsed, read, sent, until
from tests.support.world import invoice_of, post, signed_in
from webapp.db import transaction
from webapp.domain.permissions import Role
from webapp.models.accounts import Account
from webapp.models.mail import Message
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCard

CHANGES = (  # what an accountant and a viewer may not do
    "You can change the number of seats",
    "sign in to My Qlik and click Renew",
    "You can undo this request",
    "you can undo this request",
    "Add seats, or",
    "Renew in My Qlik",
    "Confirm it by",
    "To try again",
    "you can request fewer seats",
)
BILLS = ("Add another card", "add one in My Qlik", "Replace the default card")  # what a viewer may not do


def mails_of(email: str) -> list[Message]:
    return [mail for mail in sent() if mail.recipient == email]


def no_card_is_told_of(app: Flask, made: Made) -> None:
    until(app, made, "2027-02-09T09:00:00")


def last_attempt_is_refused(app: Flask, made: Made) -> None:
    with transaction() as session:
        session.execute(update(SandboxCard).values(behaviour="card_declined"))
    until(app, made, "2027-02-22T09:00:00")


def a_challenge_is_asked(app: Flask, made: Made) -> None:
    post(app, f"/{made.account}/gateway", next="challenge")
    until(app, made, "2027-02-15T09:00:00")


def more_users_are_active(app: Flask, made: Made) -> None:
    post(app, f"/{made.account}/users", active=19)
    until(app, made, "2027-02-15T09:00:00")


MORE = [
    ("no-card", no_card_is_told_of),
    ("business", a_challenge_is_asked),
    ("business", more_users_are_active),
    ("business", last_attempt_is_refused),
]


@pytest.mark.service
@pytest.mark.parametrize("role", [Role.ACCOUNTANT, Role.VIEWER, Role.MANAGER])
@pytest.mark.parametrize(("scenario", "event"), [event[:2] for event in EVENTS] + MORE)
def test_a_mail_asks_nobody_for_what_their_role_may_not_do(
    app: Flask, scenario: str, event: object, role: Role
) -> None:
    made = scenarios.make(scenario)
    member = team.add(made, role)
    event(app, made)  # type: ignore[operator]
    browser, mails = team.browser(app, member), mails_of(member.email)
    assert mails
    refused = {Role.MANAGER: (), Role.ACCOUNTANT: CHANGES, Role.VIEWER: CHANGES + BILLS}[role]
    for mail in mails:
        assert not [words for words in refused if words in mail.body], mail.body
        for link in parsed(mail).links:
            path = urlsplit(link).path
            assert browser.get(path).status_code != 403, (mail.subject, path)


@pytest.mark.service
def test_who_may_not_is_told_who_can_and_the_owner_what_to_do(app: Flask, business: Made) -> None:
    viewer = team.add(business, Role.VIEWER)
    read(business, "en")
    with transaction() as session:
        session.execute(update(Account).values(document_locale="en"))
    until(app, business, "2027-02-09T09:00:00")
    (mine,) = mails_of(viewer.email)
    (owners,) = mails_of(business.email)
    assert "Camille Martin or a manager can change the number of seats or cancel before then." in mine.body
    assert "You can change the number of seats or cancel in My Qlik before then." in owners.body


@pytest.mark.service
def test_who_is_no_member_gets_no_link_into_the_portal_and_no_company_is_greeted(app: Flask, business: Made) -> None:
    with transaction() as session:
        session.execute(update(Account).values(billing_emails=["compta@example.test"]))
    signed_in(app, business).post(f"/billing/invoices/{invoice_of(business).id}/send", data={"shown": "0"})
    mails = sent("document/") + sent("again/")
    assert mails, [mail.about for mail in sent()]
    for mail in mails:
        assert mail.body.startswith("Bonjour,\n"), mail.body
        assert not [link for link in parsed(mail).links if link.startswith("http")]
