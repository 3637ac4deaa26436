"""Each member chooses which mails they get; those about their own access always come."""

from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.support import team
from tests.support.world import pay, post, quoted, signed_in, state, statements, subscription
from webapp.access import passwords
from webapp.db import db, transaction
from webapp.domain.team import MailKind
from webapp.models.accounts import Account, Member
from webapp.renewals import sweep
from webapp.sandbox import scenarios
from webapp.sandbox.clock import set_clock
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service


def wants(browser: FlaskClient, *kinds: str) -> None:
    assert browser.post("/account/mails", data={"sent": "1", "kinds": list(kinds)}).status_code == 303


def told(app: Flask, made: Made, email: str) -> list[str]:
    return [message["subject"] for message in state(app, made)["messages"] if message["to"] == email]


@pytest.fixture
def manager(app: Flask, business: Made) -> tuple[Member, FlaskClient]:
    member = team.add(business, "manager")
    return member, team.browser(app, member)


def everything_happens(app: Flask, made: Made) -> None:
    """A change is requested, a renewal announced and paid, the next one refused."""
    signed_in(app, made).post(
        f"/subscriptions/{subscription(made)}/reduce/confirm", data={"seats": 8, "understood": "y"}
    )
    assert pay(app, made, quoted(app, made)) == "captured"
    post(app, f"/{made.account}/clock", advance="P20D")
    post(app, f"/{made.account}/gateway", next="decline")
    post(app, f"/{made.account}/clock", advance="P45D")


@pytest.mark.parametrize("kind", [MailKind.NOTICES, MailKind.REFUSALS, MailKind.INVOICES])
def test_a_member_gets_what_they_chose_and_the_others_everything(
    app: Flask, business: Made, manager: tuple[Member, FlaskClient], kind: MailKind
) -> None:
    member, browser = manager
    wants(browser, kind)
    everything_happens(app, business)
    mine, owners = told(app, business, member.email), told(app, business, business.email)
    assert mine
    assert set(mine) < set(owners), "some, in the same words"


def test_who_wants_nothing_gets_nothing(app: Flask, business: Made, manager: tuple[Member, FlaskClient]) -> None:
    member, browser = manager
    wants(browser)
    everything_happens(app, business)
    assert told(app, business, member.email) == []


def test_the_page_shows_the_choice(app: Flask, manager: tuple[Member, FlaskClient]) -> None:
    _member, browser = manager
    assert browser.get("/account/mails").text.count("checked") == 3
    wants(browser, "refusals")
    page = browser.get("/account/mails").text
    assert (page.count("checked"), 'value="refusals" checked' in page) == (1, True)


@pytest.mark.parametrize("form", [{}, {"kinds": "x"}, {"sent": "1", "kinds": ["refusals", "x"]}])
def test_a_wrong_form_changes_nothing(manager: tuple[Member, FlaskClient], form: dict[str, object]) -> None:
    member, browser = manager
    wants(browser, "refusals")
    assert browser.post("/account/mails", data=form).status_code == 422
    db.session.rollback()
    unwanted = db.session.scalars(select(Member.unwanted_mails).where(Member.id == member.id)).one()
    assert "refusals" not in unwanted
    assert len(unwanted) == 3


def test_mails_about_ones_own_access_always_come(
    app: Flask, business: Made, manager: tuple[Member, FlaskClient]
) -> None:
    member, browser = manager
    wants(browser)
    with app.test_request_context():
        passwords.request_reset(member.email)
    owner = signed_in(app, business)
    owner.post(f"/team/{member.id}/role", data={"role": "viewer"})
    owner.post(f"/team/{member.id}/handover", data={"understood": "y"})
    owner.post("/team/handover/cancel")
    owner.post(f"/team/{member.id}/remove", data={"understood": "y"})
    assert len(told(app, business, member.email)) == 5


def test_a_billing_email_gets_its_invoices_in_any_case(
    app: Flask, business: Made, manager: tuple[Member, FlaskClient]
) -> None:
    member, browser = manager
    with transaction() as session:
        mine = update(Account).where(Account.id == business.account)
        session.execute(mine.values(billing_emails=[member.email]))
    wants(browser)
    assert pay(app, business, quoted(app, business)) == "captured"
    assert len(told(app, business, member.email)) == 1


def test_a_new_role_brings_its_mails_unless_they_were_chosen(app: Flask, business: Made) -> None:
    owner = signed_in(app, business)
    for chosen in (False, True):
        viewer = team.add(business, "viewer", unwanted=list(MailKind))
        if chosen:
            wants(team.browser(app, viewer), "invoices")
        owner.post(f"/team/{viewer.id}/role", data={"role": "manager"})
        db.session.rollback()
        unwanted = db.session.scalars(select(Member.unwanted_mails).where(Member.id == viewer.id)).one()
        assert ("notices" in unwanted) == chosen


@pytest.mark.parametrize("unwanted", [[], list(MailKind)], ids=["everything", "nothing"])
def test_the_sweep_asks_the_same_for_any_choice(app: Flask, unwanted: list[str]) -> None:
    """Who wants what is read with the subscription; a renewal has as many statements as with an owner alone."""
    counts = []
    for many in (0, 3):
        made = scenarios.make("business")
        for _ in range(many):
            team.add(made, "accountant", unwanted=unwanted)
        with app.app_context():
            set_clock(made.account, datetime(2027, 2, 15, 0, 1, tzinfo=UTC))
            with statements() as sent:
                sweep.sweep(made.account)
        counts.append(len(sent))
    assert counts[0] == counts[1]
