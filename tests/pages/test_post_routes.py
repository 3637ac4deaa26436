"""Every POST route of the url_map, without a list of them: a wrong form or another account's ids change nothing."""

from collections.abc import Iterator
from itertools import product

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.routing import Rule

from tests.support import team
from tests.support.invitations import invited
from tests.support.world import RETURN_URL, dump, pay, post, quoted, signed_in, subscription
from webapp.adapters.clock import machine_now
from webapp.db import db, transaction
from webapp.invoices import listing
from webapp.models.access import MemberSession
from webapp.models.accounts import Member
from webapp.models.second_factor import HeldForm, Passkey
from webapp.models.team import Invitation
from webapp.purchases import cards
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.sandbox.tables import SandboxCharge
from webapp.subscriptions import loading

WRONG = {"seats": "x", "attempt": "x", "scenario": "x", "to": "x", "next": "x", "active": "x"}
# Routes that act without a form, and what they then do.
NEED_NO_FORM = {
    "billing.add_card": "begins a visit to the gateway's card page",
    "billing.prepare_year": "makes documents of the year that its address names",
    "sandbox.remove": "the address names the account",
    "sandbox.set_gateway": "without a fault, the next charge goes well",
    "sandbox_gateway.answer_challenge": "any answer but yes is a no",
    "sandbox_tenant.remove": "removes one active user",
    "second_factor.begin_app": "makes a secret to be set up",
    "sessions.stay": "extends the session",
    "sessions.end_others": "ends the owner's other sessions",
    "sign_in.sign_out": "ends the session",
}


def post_routes(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]


def ids_of(app: Flask, made: Made) -> dict[str, object]:
    """What the addresses of an account are made of; a route with another argument needs a line here."""
    signed_in(app, made)
    charged = quoted(app, made)
    post(app, f"/{made.account}/gateway", next="challenge")
    assert pay(app, made, charged) == "pending"
    session = db.session.scalars(select(MemberSession.id)).first()
    challenge = db.session.scalars(select(SandboxCharge.challenge).where(SandboxCharge.customer == made.account)).one()
    post(app, f"/{made.account}/gateway", next="decline")
    tenant = loading.load(made.account, subscription(made)).tenant
    invitation = invited(app, made, signed_in(app, made), "nadia@example.test").rpartition("/")[2]
    db.session.rollback()
    ids: dict[str, object] = {
        "account": made.account,
        "card_id": made.cards[0],
        "challenge": challenge,
        "held_id": held(made, session),
        "member_id": db.session.scalars(select(Member.id).where(Member.account_id == made.account)).one(),
        "passkey_id": passkey(made),
        "change_id": loading.load(made.account, subscription(made)).open_changes[0].id,
        "invitation_id": db.session.scalars(select(Invitation.id)).one(),
        "member": team.add(made, "viewer").id,
        "token": invitation,
        "invoice_id": listing.invoices_of(made.account)[0].id,
        "quote_id": charged,
        "reference": cards.begin_card_setup(made.account, charged, RETURN_URL, "en").rpartition("/")[2],
        "session_id": session,
        "subscription_id": subscription(made),
        "tenant": tenant,
        "year": 2026,
    }
    assert None not in ids.values()
    db.session.remove()
    return ids


def held(made: Made, session: str | None) -> str:
    """A form of theirs that waits for a proof."""
    member_id = db.session.scalars(select(Member.id).where(Member.account_id == made.account)).one()
    with transaction() as database:
        form = HeldForm(
            account_id=made.account, member_id=member_id, session_id=session, path="/sessions/stay", fields=[]
        )
        form.held_at = machine_now()
        database.add(form)
        database.flush()
        return form.id


def passkey(made: Made) -> str:
    member_id = db.session.scalars(select(Member.id).where(Member.account_id == made.account)).one()
    with transaction() as database:
        values = {"credential_id": "x", "public_key": "x", "sign_count": 0, "name": "x", "added_at": machine_now()}
        database.add(Passkey(account_id=made.account, member_id=member_id, id="x" * 32, **values))
    return "x" * 32


def addresses(app: Flask, ids: dict[str, object]) -> Iterator[tuple[str, str]]:
    """The endpoint and the address of each POST route, in each of its variants."""
    urls = app.url_map.bind("localhost")
    for rule in post_routes(app):
        choices = [getattr(rule._converters[name], "items", None) or [ids[name]] for name in rule.arguments]
        for values in product(*choices):
            yield rule.endpoint, urls.build(rule.endpoint, dict(zip(rule.arguments, values, strict=True)), "POST")


@pytest.fixture
def theirs(app: Flask) -> dict[str, object]:
    return ids_of(app, scenarios.make("business-reduction-pending"))


@pytest.mark.parametrize("form", [{}, WRONG], ids=["empty", "wrong"])
def test_a_stranger_changes_nothing(app: Flask, theirs: dict[str, object], form: dict[str, str]) -> None:
    before = dump()
    for endpoint, address in addresses(app, theirs):
        if endpoint in NEED_NO_FORM and endpoint.startswith("sandbox"):
            continue
        answer = app.test_client().post(address, data=form)
        assert answer.status_code == 303 or 400 <= answer.status_code < 500, (address, answer.status_code)
        assert dump() == before, address


@pytest.mark.parametrize("form", [{}, WRONG], ids=["empty", "wrong"])
def test_an_owner_changes_nothing_by_a_wrong_form_or_ids_of_another_account(
    app: Flask, theirs: dict[str, object], form: dict[str, str]
) -> None:
    made = scenarios.make("business")
    mine, on_my_subscription = signed_in(app, made), theirs | {"subscription_id": subscription(made)}
    before = dump()
    for endpoint, address in [*addresses(app, theirs), *addresses(app, on_my_subscription)]:
        if endpoint not in NEED_NO_FORM:
            answer = mine.post(address, data=form)
            assert answer.status_code == 303 or 400 <= answer.status_code < 500, (address, answer.status_code)
            assert dump() == before, address


@pytest.mark.parametrize("endpoint", sorted(NEED_NO_FORM))
def test_what_needs_no_form_is_done_without_one(app: Flask, theirs: dict[str, object], endpoint: str) -> None:
    """Each route of NEED_NO_FORM acts without a form; a route that does not must leave the list."""
    made = scenarios.make("business")
    mine, _other_session = signed_in(app, made), signed_in(app, made)
    before = dump()
    addressed = [address for name, address in addresses(app, theirs) if name == endpoint]
    assert addressed
    assert {mine.post(address).status_code for address in addressed} <= {200, 204, 303}
    assert dump() != before
