"""What the owner sets for all members: a second factor, lost factors, and the spending limit; and what support does."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.access.test_sso import come_back
from tests.servers.provider import provider_of_our_own
from tests.support import team, trail
from tests.support.authenticator import code_at, is_in, options, with_app, with_passkey
from tests.support.faces import provider as configured
from tests.support.world import dump, signed_in, state, words
from webapp.db import db, transaction
from webapp.models.access import SignInKey
from webapp.models.accounts import Account
from webapp.models.activity import Activity
from webapp.models.second_factor import Passkey, RecoveryCode, Totp
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made


def require(client: FlaskClient, required: str = "yes") -> None:
    data = {"required": required, "understood": "y"}
    assert client.post("/account-security/second-factor", data=data).status_code == 303


def test_requiring_a_factor_wants_a_tick_and_asks_those_without_by_mail(
    app: Flask, business: Made, client: FlaskClient
) -> None:
    member = team.add(business, "viewer")
    with_app(client)
    before = dump()
    answer = client.post("/account-security/second-factor", data={"required": "yes"})
    assert (answer.status_code, "Tick “I understand” to confirm." in words(answer.text)) == (422, True)
    assert dump() == before
    require(client)
    asked = [mail["to"] for mail in state(app, business)["messages"] if "Set up your second" in mail["subject"]]
    assert asked == [member.email]


def test_a_member_without_a_factor_can_do_nothing_but_set_one_up(
    app: Flask, business: Made, client: FlaskClient
) -> None:
    member = team.add(business, "manager")
    browser = team.browser(app, member)
    assert "2 members have no second factor yet" in words(client.get("/account-security").text)
    with_app(client)
    require(client)
    assert "1 member has none yet" in words(client.get("/account-security").text)
    before = dump()
    for path in ("/subscriptions", "/billing", "/sessions", "/activity", "/drafts/discard", "/contact"):
        for answer in (browser.get(path), browser.post(path)):
            assert answer.headers.get("Location") == "/second-factor" or answer.status_code == 405, path
    fragment = {"HX-Request": "true", "HX-Request-Type": "partial"}
    assert browser.get("/subscriptions", headers=fragment).headers["HX-Redirect"] == "/second-factor"
    assert dump() == before
    assert "requires a second factor of every member" in words(browser.get("/second-factor").text)
    assert browser.get("/accessibility").status_code == 200
    _phone, codes = with_app(browser)
    assert codes
    assert is_in(browser)
    assert is_in(client), "the owner has one"


def test_the_last_factor_stays_while_one_is_required(app: Flask, business: Made, client: FlaskClient) -> None:
    with_app(client)
    assert "Every member has a second factor." in words(client.get("/account-security").text)
    require(client)
    assert "Set up another one first" in words(client.get("/second-factor/app/remove").text)
    answer = client.post("/second-factor/app/remove")
    assert answer.status_code == 409
    assert "Set up another one first" in answer.text
    with_passkey(client)
    assert client.post("/second-factor/app/remove").status_code == 303
    passkey = db.session.scalars(select(Passkey.id)).one()
    assert client.post(f"/second-factor/passkeys/{passkey}/remove").status_code == 409
    require(client, "no")
    assert client.post(f"/second-factor/passkeys/{passkey}/remove").status_code == 303
    db.session.rollback()
    what = db.session.scalars(select(Activity.what).where(Activity.account_id == business.account)).all()
    assert {"second_factor_required", "second_factor_optional", "second_factor_removed"} <= set(what)


def test_who_signs_in_at_the_provider_is_asked_for_nothing(app: Flask, business: Made) -> None:
    with provider_of_our_own() as provider, configured(app, provider.issuer):
        provider.claims = {"email": business.email}
        with_app(signed_in(app, business))
        with transaction() as session:
            session.get_one(Account, business.account).requires_factor = True
        client, answer = come_back(app, provider)
        assert answer.headers["Location"] == "/subscriptions", "its own factors count"
        assert is_in(client)
        without = scenarios.make("business")
        with transaction() as session:
            session.get_one(Account, without.account).requires_factor = True
        provider.claims |= {"email": without.email, "sub": "2"}
        client, _answer = come_back(app, provider)
        assert is_in(client)
        assert not is_in(signed_in(app, without)), "with the password they are asked"


def test_the_owner_resets_a_lost_factor(app: Flask, business: Made, client: FlaskClient) -> None:
    member = team.add(business, "viewer")
    browser = team.browser(app, member)
    with_app(browser)
    with_passkey(browser)
    address = f"/team/{member.id}/reset-factor"
    assert member.name in client.get(address).text
    manager = team.browser(app, team.add(business, "manager"))
    stranger = signed_in(app, scenarios.make("business"))
    for other, status in ((manager, 403), (stranger, 404)):
        assert (other.get(address).status_code, other.post(address).status_code) == (status, status)
    assert client.post(address).status_code == 303
    assert not is_in(browser), "sessions end: one may be a thief's"
    assert is_in(team.browser(app, member))
    for table in (Totp, Passkey, RecoveryCode):
        assert db.session.scalars(select(table)).all() == []
    db.session.rollback()
    told = [mail for mail in state(app, business)["messages"] if "reset" in mail["subject"]]
    assert [mail["to"] for mail in told] == [member.email]
    assert "Camille Martin has removed all second factors" in told[0]["text"]
    assert client.post(address).status_code == 404
    assert client.post(f"/team/{'x' * 32}/reset-factor").status_code == 404


def test_support_resets_the_factor_of_an_owner(app: Flask) -> None:
    made = scenarios.make("two-factor")
    run = app.test_cli_runner().invoke
    for arguments in (["nobody@example.test", "--as", "Dominique"], [made.email, "--as", " "], [made.email]):
        assert run(args=["reset-factor", *arguments]).exit_code != 0
    done = run(args=["reset-factor", made.email.upper(), "--as", "Dominique Petit"])
    assert (done.exit_code, "told by mail" in done.output) == (0, True)
    assert run(args=["reset-factor", made.email, "--as", "Dominique"]).exit_code == 1
    assert is_in(signed_in(app, made))
    row = db.session.scalars(select(Activity).where(Activity.what == "second_factor_reset")).one()
    assert (row.by, trail.after(row)) == ("Dominique Petit", {"member": made.email})
    db.session.rollback()
    assert "Dominique Petit" in state(app, made)["messages"][-1]["text"]


def test_the_keys_of_removed_passkeys_are_forgotten(app: Flask, business: Made, client: FlaskClient) -> None:
    member = team.add(business, "viewer")
    before = len(db.session.scalars(select(SignInKey)).all())
    with_passkey(team.browser(app, member))
    assert client.post(f"/team/{member.id}/reset-factor").status_code == 303
    assert len(db.session.scalars(select(SignInKey)).all()) == before


@pytest.mark.parametrize(
    ("typed", "cents", "status"),
    [
        ("500", 50000, 303),
        ("1 234,5", 123450, 303),
        ("0,01 €", 1, 303),
        ("0", 0, 303),
        ("", None, 303),
        ("-1", None, 422),
        ("1,234", None, 422),
        ("x", None, 422),
        ("9999999999", None, 422),
        ("٣", None, 422),
    ],
)
def test_the_spending_limit(
    app: Flask, business: Made, client: FlaskClient, typed: str, cents: int | None, status: int
) -> None:
    assert client.post("/account-security/spending-limit", data={"limit": typed}).status_code == status
    assert db.session.get_one(Account, business.account).spending_limit == cents
    db.session.rollback()
    if cents == 123450:
        assert 'value="1234,50"' in client.get("/account-security").text
        assert "€1,234.50" in words(client.get("/activity").text)


def test_both_factors_work_beside_each_other(app: Flask, business: Made, client: FlaskClient) -> None:
    phone, _codes = with_app(client)
    key = with_passkey(client)
    page = app.test_client()
    page.set_cookie("locale", "en")
    page.post("/sign-in", data={"email": business.email, "password": business.password})
    shown = page.get("/sign-in/factor").text
    assert "Use a passkey" in shown
    assert 'name="code"' in shown
    credential = key.get(options(page, "factor"))
    assert page.post("/sign-in/factor/passkey", data={"credential": credential}).status_code == 303
    other = app.test_client()
    other.post("/sign-in", data={"email": business.email, "password": business.password})
    assert other.post("/sign-in/factor", data={"code": code_at(phone)}).status_code == 303
