"""Second factors that are changed, and members who are removed, by two requests at once."""

import re
from collections.abc import Callable
from functools import partial

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.support import team
from tests.support.authenticator import Authenticator, age_proofs, code_at, options, with_app, with_passkey
from tests.support.together import Stop, together
from tests.support.world import signed_in, subscription
from webapp.access import account_rules
from webapp.access.identity import SignedIn
from webapp.db import db, transaction
from webapp.domain.access import RECOVERY_CODES
from webapp.domain.permissions import Role
from webapp.models.access import RateLimit
from webapp.models.accounts import Member
from webapp.models.mail import Message
from webapp.models.second_factor import Passkey, RecoveryCode, Totp
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.team import members

pytestmark = pytest.mark.service
STOPS = [None, *(Stop(act, moment) for act in (0, 1) for moment in (3, 6, 12))]


def acting(member: Member) -> SignedIn:
    return SignedIn(member.id, member.account_id, member.name, member.email, "en", "Ateliers", "", Role(member.role))


def owner_of(made: Made) -> SignedIn:
    found = acting(next(one for one in members.list_members(made.account) if one.role == Role.OWNER))
    db.session.rollback()
    return found


def posting(client: FlaskClient, path: str, **form: str) -> Callable[[], int]:
    return lambda: client.post(path, data=form).status_code


def count(model: type[Totp | Passkey | RecoveryCode], made: Made) -> int:
    db.session.rollback()
    return len(db.session.scalars(select(model).where(model.account_id == made.account)).all())


def new_phone(client: FlaskClient) -> pyotp.TOTP:
    """An app whose secret is shown and not confirmed yet."""
    client.post("/second-factor/app/begin")
    return pyotp.TOTP("".join(re.findall(r"<code>([A-Z2-7]+)</code>", client.get("/second-factor/app").text)))


def test_two_clicks_on_new_codes_leave_one_set(app: Flask) -> None:
    for stop in STOPS:
        made = scenarios.make("business")
        client = signed_in(app, made)
        with_app(client)
        assert together(app, [posting(client, "/second-factor/codes")] * 2, stop) == [200, 200], stop
        assert count(RecoveryCode, made) == RECOVERY_CODES, stop


def test_two_first_factors_bring_one_set_of_codes(app: Flask) -> None:
    for stop in STOPS:
        made = scenarios.make("business")
        client, other = signed_in(app, made), signed_in(app, made)
        credential = Authenticator().create(options(other, "add"))
        acts = [
            posting(client, "/second-factor/app", code=code_at(new_phone(client))),
            posting(other, "/second-factor/passkeys", name="Laptop", credential=credential),
        ]
        assert sorted(map(str, together(app, acts, stop))) == ["200", "303"], "the codes are shown once"
        assert count(RecoveryCode, made) == RECOVERY_CODES, stop


def test_of_two_last_factors_one_stays_where_one_is_required(app: Flask) -> None:
    for stop in STOPS:
        made = scenarios.make("business")
        client = signed_in(app, made)
        with_app(client)
        with_passkey(client)
        passkey = db.session.scalars(select(Passkey.id).where(Passkey.account_id == made.account)).one()
        account_rules.require_factor(made.account, True)
        acts = [
            posting(client, "/second-factor/app/remove"),
            posting(client, f"/second-factor/passkeys/{passkey}/remove"),
        ]
        assert sorted(map(str, together(app, acts, stop))) == ["303", "409"], stop
        assert count(Totp, made) + count(Passkey, made) == 1, stop


def sign_in(app: Flask, browser: FlaskClient, member: Member) -> Callable[[], int]:
    return posting(app.test_client(), "/sign-in", email=member.email, password=team.PASSWORD)


def confirm_app(app: Flask, browser: FlaskClient, member: Member) -> Callable[[], int]:
    return posting(browser, "/second-factor/app", code=code_at(new_phone(browser)))


def remove_app(app: Flask, browser: FlaskClient, member: Member) -> Callable[[], int]:
    with_app(browser)
    return posting(browser, "/second-factor/app/remove")


def new_codes(app: Flask, browser: FlaskClient, member: Member) -> Callable[[], int]:
    with_app(browser)
    return posting(browser, "/second-factor/codes")


def begin_app(app: Flask, browser: FlaskClient, member: Member) -> Callable[[], int]:
    return posting(browser, "/second-factor/app/begin")


def ask_for_a_link(app: Flask, browser: FlaskClient, member: Member) -> Callable[[], int]:
    return posting(app.test_client(), "/password/forgotten", email=member.email)


def use_a_link(app: Flask, browser: FlaskClient, member: Member) -> Callable[[], int]:
    stranger = app.test_client()
    stranger.post("/password/forgotten", data={"email": member.email})
    stranger.get(_mailed(member, "/password/reset/"))
    return posting(stranger, "/password/reset", new="autres mots bien longs", again="autres mots bien longs")


def change_password(app: Flask, browser: FlaskClient, member: Member) -> Callable[[], int]:
    new = "autres mots bien longs"
    return posting(browser, "/password", current=team.PASSWORD, new=new, again=new)


def keep_a_draft(app: Flask, browser: FlaskClient, member: Member) -> Callable[[], int]:
    return posting(browser, "/drafts/keep?form=contact.send", message="Bonjour")


ACTS = [
    sign_in,
    confirm_app,
    remove_app,
    new_codes,
    begin_app,
    ask_for_a_link,
    use_a_link,
    change_password,
    keep_a_draft,
]


@pytest.mark.parametrize("act", [*ACTS, "hold"])
def test_a_member_who_is_removed_meanwhile_meets_no_fault(app: Flask, business: Made, act: object) -> None:
    """And nothing keeps the owner from removing them."""
    owner = owner_of(business)
    for stop in STOPS:
        with transaction() as session:
            session.execute(update(RateLimit).values(hits=0))
        member = team.add(business, "manager")
        browser = team.browser(app, member)
        if callable(act):
            acts = act(app, browser, member)
        else:
            age_proofs(business)
            acts = posting(browser, f"/subscriptions/{subscription(business)}/cancel", understood="y")
        done, answered = together(app, [partial(_remove, owner, member.id), acts], stop)
        assert done == "removed"
        assert answered in (200, 303, 404, 409, 410, 422), (act, stop)
        db.session.rollback()
        assert db.session.get(Member, (business.account, member.id)) is None


def _remove(owner: SignedIn, member_id: str) -> str:
    members.remove(owner, member_id)
    return "removed"


def disown(app: Flask, browser: FlaskClient, member: Member) -> Callable[[], int]:
    return posting(app.test_client(), _mailed(member, "/not-me/"))


def remove_the_app(app: Flask, browser: FlaskClient, member: Member) -> Callable[[], int]:
    return posting(browser, "/second-factor/app/remove")


@pytest.mark.parametrize("act", [use_a_link, remove_the_app, disown])
def test_a_factor_that_is_given_meanwhile_meets_no_fault(
    app: Flask, business: Made, act: Callable[[Flask, FlaskClient, Member], Callable[[], int]]
) -> None:
    """Whoever changes the access of a member locks the member first: neither waits for what the other holds."""
    for stop in [None, *(Stop(number, moment) for number in (0, 1) for moment in range(11, 18))]:
        with transaction() as session:
            session.execute(update(RateLimit).values(hits=0))
        member = team.add(business, "manager")
        browser, begun = team.browser(app, member), app.test_client()
        phone, _codes = with_app(browser)
        begun.post("/sign-in", data={"email": member.email, "password": team.PASSWORD})
        give = posting(begun, "/sign-in/factor", code=code_at(phone))
        answers = together(app, [give, act(app, browser, member)], stop)
        assert set(answers) <= {200, 303, 409, 410, 422}, (act, stop, answers)


def _mailed(member: Member, path: str) -> str:
    """The link of the member's newest mail that has one of this path."""
    mine = Message.recipient == member.email, Message.body.contains(path)
    body = db.session.scalars(select(Message.body).where(*mine).order_by(Message.sent_at)).all()[-1]
    db.session.rollback()
    return path + body.partition(path)[2].split()[0]
