"""The mails about the team name no reader in the third person and lead nobody to where they cannot go."""

import pytest
from flask import Flask
from sqlalchemy import update

from tests.support import team
from tests.support.mails import read, sent
from tests.support.world import signed_in
from webapp.db import transaction
from webapp.models.accounts import Account, Member
from webapp.models.mail import Message
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service
YES = {"understood": "y"}
MANAGER = "sophie.laurent@example.test"


def mail_to(recipient: str, kind: str) -> Message:
    (found,) = [mail for mail in sent() if mail.recipient == recipient and kind in mail.about]
    return found


@pytest.fixture
def nadia(business: Made) -> Member:
    read(business, "en")
    with transaction() as session:
        session.execute(update(Account).values(document_locale="en"))
    return team.add(business, "viewer", name="Nadia Benali")


def test_each_reader_of_a_handover_is_spoken_to(app: Flask, business: Made, nadia: Member) -> None:
    owner, member = signed_in(app, business), team.browser(app, nadia)
    owner.post(f"/team/{nadia.id}/handover", data=YES)
    assert "You have proposed to hand over the account" in mail_to(business.email, "handover_proposed").body
    assert "Camille Martin has proposed" in mail_to(MANAGER, "handover_proposed").body
    member.post("/team/handover", data=YES)
    assert "You are now the owner of the account" in mail_to(nadia.email, "handover_accepted").body
    assert "Nadia Benali is now the owner" in mail_to(business.email, "handover_accepted").body
    assert "You are now a manager." in mail_to(business.email, "handover_accepted").body
    assert "http" not in mail_to(MANAGER, "handover_accepted").body, "the account manager cannot sign in"


@pytest.mark.parametrize(
    ("by_owner", "owners", "members"),
    [
        (True, "You have cancelled the proposal", "Camille Martin has cancelled the proposal to hand over the account"),
        (False, "Nadia Benali has declined", "You have declined to take over the account."),
    ],
)
def test_both_are_told_how_a_proposal_ended(
    app: Flask, business: Made, nadia: Member, by_owner: bool, owners: str, members: str
) -> None:
    owner, member = signed_in(app, business), team.browser(app, nadia)
    owner.post(f"/team/{nadia.id}/handover", data=YES)
    if by_owner:
        owner.post("/team/handover/cancel")
    else:
        member.post("/team/handover", data={"answer": "decline"})
    about = "handover_cancelled" if by_owner else "handover_declined"
    assert owners in mail_to(business.email, about).body
    assert members in mail_to(nadia.email, about).body


def test_a_removed_member_is_not_called_a_member(app: Flask, business: Made, nadia: Member) -> None:
    signed_in(app, business).post(f"/team/{nadia.id}/remove", data=YES)
    body = mail_to(nadia.email, "removed").body
    assert "because you were a member of the team" in body
    assert "as a member of the team" not in body
    assert "Open My Qlik" not in body


def test_an_invitation_greets_no_address(app: Flask, business: Made, nadia: Member) -> None:
    signed_in(app, business).post("/team", data={"email": "luc@example.test", "role": "viewer"})
    assert mail_to("luc@example.test", "invitation").body.startswith("Hello,\n")
