"""« Ce n’était pas moi »: the link of a security mail ends all access of its member, and leads to a new password."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.servers.provider import Provider, provider_of_our_own
from tests.support import team
from tests.support.alarms import NEW, alarm, alarm_in, mails, set_password, sign_in, stranger, titles
from tests.support.authenticator import age_proofs, is_in, with_app, with_passkey
from tests.support.faces import provider as configured
from tests.support.invitations import last_mail, link_in
from tests.support.world import dump, post, state
from webapp.access import limits, tokens
from webapp.db import Model, db, transaction
from webapp.domain.access import ALARM_LIFETIME, RESET_LIFETIME
from webapp.mail import security_mails
from webapp.mail.messages import security as words
from webapp.models.access import PasswordReset, ProviderIdentity
from webapp.models.accounts import Member
from webapp.models.alarms import AlarmLink, EmailChange
from webapp.models.second_factor import HeldForm, Passkey, RecoveryCode, Totp
from webapp.models.team import Handover
from webapp.ports import ports
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service
STRANGE, OTHER = "Sign-in from a new browser", "mallory@example.test"
THIEFS = "lampe pluie torchon wagon"


@pytest.fixture
def thief(app: Flask, business: Made, client: FlaskClient) -> FlaskClient:
    """A second browser, with the password of the owner, who is told of it."""
    browser = stranger(app)
    assert sign_in(browser, business.email, business.password) == 303
    return browser


def rows(table: type[Model]) -> int:
    db.session.rollback()
    return len(db.session.scalars(select(table)).all())


def test_the_button_ends_all_and_leads_to_a_new_password(
    app: Flask, business: Made, client: FlaskClient, thief: FlaskClient
) -> None:
    link, victim = alarm(app, business, STRANGE), stranger(app)
    before = dump()
    page = victim.get(link)
    assert (page.status_code, "End all sessions" in page.text) == (200, True)
    assert dump() == before, "a program that opens links changes nothing"
    assert (is_in(client), is_in(thief)) == (True, True)
    answer = victim.post(link)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/password/reset")
    assert (is_in(client), is_in(thief)) == (False, False)
    assert sign_in(stranger(app), business.email, business.password) == 422, "the old password no longer works"
    assert "Now set a new password" in victim.get("/password/reset").text
    assert set_password(victim) == 303
    assert sign_in(victim, business.email, NEW) == 303
    assert sign_in(thief, business.email, business.password) == 422


def test_a_known_browser_is_new_again(app: Flask, business: Made, client: FlaskClient, thief: FlaskClient) -> None:
    victim = stranger(app)
    victim.post(alarm(app, business, STRANGE))
    set_password(victim)
    count = titles(app, business).count(STRANGE)
    assert sign_in(thief, business.email, NEW) == 303
    assert titles(app, business).count(STRANGE) == count + 1


def test_a_link_works_once(app: Flask, business: Made, thief: FlaskClient) -> None:
    link, victim = alarm(app, business, STRANGE), stranger(app)
    victim.post(link)
    set_password(victim)
    before = dump()
    for answer in (victim.get(link), victim.post(link)):
        assert (answer.status_code, "This link no longer works" in answer.text) == (410, True)
    assert dump() == before


@pytest.mark.parametrize("token", ["x", "{account}.x", "never.x", "é%00"])
def test_what_is_no_link_is_answered_alike(app: Flask, business: Made, token: str) -> None:
    before, path = dump(), "/not-me/" + token.format(account=business.account)
    for answer in (stranger(app).get(path), stranger(app).post(path)):
        assert answer.status_code == 410
    assert dump() == before


def test_a_link_expires_by_the_accounts_clock(app: Flask, business: Made, thief: FlaskClient) -> None:
    link = alarm(app, business, STRANGE)
    post(app, f"/{business.account}/clock", advance=f"P{ALARM_LIFETIME.days - 1}D")
    assert stranger(app).get(link).status_code == 200
    post(app, f"/{business.account}/clock", advance="P1D")
    assert stranger(app).get(link).status_code == stranger(app).post(link).status_code == 410
    assert is_in(thief)


def test_an_older_mail_ends_all_and_has_a_link_mailed(app: Flask, business: Made, thief: FlaskClient) -> None:
    """A mail that was passed on lets nobody in: the member's mailbox is asked once more."""
    link, finder = alarm(app, business, STRANGE), stranger(app)
    post(app, f"/{business.account}/clock", advance=f"PT{int(RESET_LIFETIME.total_seconds() // 60)}M")
    answer = finder.post(link)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert finder.get("/password/reset").status_code == 410
    assert not is_in(thief)
    reset = link_in(last_mail(app, business, business.email))
    victim = stranger(app)
    assert (victim.get(reset).status_code, set_password(victim)) == (303, 303)
    assert sign_in(victim, business.email, NEW) == 303


def test_what_was_half_way_is_withdrawn(app: Flask, business: Made, thief: FlaskClient) -> None:
    thief.post("/account/email", data={"email": OTHER})
    link = link_in(last_mail(app, business, OTHER))
    age_proofs(business)
    assert thief.post("/account/email", data={"email": "again@example.test"}).headers["Location"].startswith("/confirm")
    stranger(app).post("/password/forgotten", data={"email": business.email})
    assert (rows(EmailChange), rows(HeldForm), rows(PasswordReset)) == (1, 1, 1)
    victim = stranger(app)
    victim.post(alarm(app, business, STRANGE))
    assert (rows(EmailChange), rows(HeldForm), rows(PasswordReset)) == (0, 0, 1), "the one it leads to"
    set_password(victim)
    sign_in(victim, business.email, NEW)
    assert victim.post(link).status_code == 410


def test_a_handover_that_somebody_else_proposed_is_withdrawn(app: Flask, business: Made, thief: FlaskClient) -> None:
    partner = team.add(business, "manager")
    assert thief.post(f"/team/{partner.id}/handover", data={"understood": "y"}).status_code == 303
    assert rows(Handover) == 1
    stranger(app).post(alarm(app, business, STRANGE))
    assert rows(Handover) == 0
    assert team.browser(app, partner).post("/team/handover", data={"understood": "y"}).status_code == 409
    assert "Handover of the account cancelled" in titles(app, business, partner.email)


def test_a_handover_of_before_stays_open(app: Flask, business: Made, client: FlaskClient) -> None:
    partner = team.add(business, "manager")
    client.post(f"/team/{partner.id}/handover", data={"understood": "y"})
    post(app, f"/{business.account}/clock", advance="PT1H")
    sign_in(stranger(app), business.email, business.password)
    stranger(app).post(alarm(app, business, STRANGE))
    assert rows(Handover) == 1


def test_the_old_address_puts_itself_back(app: Flask, business: Made, thief: FlaskClient) -> None:
    """The thief has changed the address and the password, and has added factors of their own."""
    thief.post("/account/email", data={"email": OTHER})
    thief.post(link_in(last_mail(app, business, OTHER)))
    thief.post("/password", data={"current": business.password, "new": THIEFS, "again": THIEFS})
    with_app(thief)
    with_passkey(thief)
    (mail,) = [one for one in mails(app, business, "Your e-mail address has been changed") if one["to"] != OTHER]
    assert mail["to"] == business.email
    victim = stranger(app)
    assert f"you sign in with {business.email} again" in victim.get(alarm_in(mail)).text
    assert victim.post(alarm_in(mail)).headers["Location"] == "/password/reset"
    assert [member["email"] for member in state(app, business)["members"]] == [business.email]
    assert (rows(Totp), rows(Passkey), rows(RecoveryCode)) == (0, 0, 0)
    assert set_password(victim) == 303
    assert sign_in(victim, business.email, NEW) == 303, "no factor of the thief keeps the member out"
    assert not is_in(thief)
    assert titles(app, business, OTHER)[-1] == "The change of your e-mail address has been cancelled"
    for one in mails(app, business):
        if one["to"] == OTHER and "/not-me/" in one["text"]:
            assert stranger(app).post(alarm_in(one)).status_code == 410, "links of the thief undo nothing"


def test_the_new_address_cannot_keep_the_old_one_out(app: Flask, business: Made, thief: FlaskClient) -> None:
    """The thief uses the link of a later mail first: the earlier one stays good."""
    thief.post("/account/email", data={"email": OTHER})
    thief.post(link_in(last_mail(app, business, OTHER)))
    own, old = (
        [alarm_in(one) for one in mails(app, business, "Your e-mail address has") if one["to"] == to]
        for to in (OTHER, business.email)
    )
    assert stranger(app).post(own[0]).status_code == 303
    assert [member["email"] for member in state(app, business)["members"]] == [OTHER]
    assert stranger(app).post(old[0]).status_code == 303
    assert [member["email"] for member in state(app, business)["members"]] == [business.email]


def test_the_first_mail_undoes_what_came_after_it(app: Flask, business: Made, thief: FlaskClient) -> None:
    """Two changes of the address in a row: the link of the first sign-in puts the first address back."""
    link = alarm(app, business, STRANGE)
    for email in (OTHER, "mallory2@example.test"):
        thief.post("/account/email", data={"email": email})
        thief.post(link_in(last_mail(app, business, email)))
    assert stranger(app).post(link).status_code == 303
    assert [member["email"] for member in state(app, business)["members"]] == [business.email]
    assert rows(AlarmLink) == 0


def test_an_old_address_that_is_anothers_by_now_stays_theirs(app: Flask, business: Made, thief: FlaskClient) -> None:
    thief.post("/account/email", data={"email": OTHER})
    thief.post(link_in(last_mail(app, business, OTHER)))
    team.add(scenarios.make("business"), "viewer", business.email)
    victim = stranger(app)
    answer = victim.post(alarm_in(mails(app, business, "Your e-mail address has been changed")[0]))
    assert answer.headers["Location"] == "/sign-in"
    assert "could not be restored" in victim.get("/sign-in").text
    assert not is_in(thief)
    assert rows(PasswordReset) == 0


def add_app(client: FlaskClient) -> None:
    with_app(client)


def add_passkey(client: FlaskClient) -> None:
    with_passkey(client)


@pytest.mark.parametrize("add", [add_app, add_passkey])
def test_a_factor_that_somebody_else_added_is_removed(
    app: Flask, business: Made, client: FlaskClient, add: Callable[[FlaskClient], None]
) -> None:
    add(client)
    stranger(app).post(alarm(app, business, "A second factor has been added"))
    assert (rows(Totp), rows(Passkey), rows(RecoveryCode)) == (0, 0, 0)


def test_a_factor_of_before_stays(app: Flask, business: Made, client: FlaskClient) -> None:
    """A mail lets nobody around a factor that was there."""
    with_app(client)
    sign_in(stranger(app), business.email, business.password)
    stranger(app).post(alarm(app, business, "Your password was used without"))
    assert (rows(Totp), rows(RecoveryCode)) == (1, 10)


def test_recovery_codes_that_somebody_else_made_are_removed(app: Flask, business: Made, client: FlaskClient) -> None:
    with_app(client)
    client.post("/second-factor/codes")
    stranger(app).post(alarm(app, business, "New recovery codes"))
    assert (rows(Totp), rows(RecoveryCode)) == (1, 0)


def test_only_its_own_member_is_signed_out(app: Flask, business: Made, thief: FlaskClient) -> None:
    viewer = team.browser(app, team.add(business, "viewer"))
    link = alarm(app, business, STRANGE)
    assert viewer.post(link).status_code == 303, "a colleague's browser that opens it stays signed in"
    assert (is_in(viewer), is_in(thief)) == (True, False)


def test_it_is_in_the_activity_under_the_name_of_the_member(app: Flask, business: Made, thief: FlaskClient) -> None:
    stranger(app).post(alarm(app, business, STRANGE))
    (row,) = [one for one in state(app, business)["activity"] if one["what"] == "disowned"]
    assert row["by"] == "Camille Martin"


def test_links_are_limited_and_guesses_use_up_nothing(app: Flask, business: Made, thief: FlaskClient) -> None:
    link = alarm(app, business, STRANGE)
    for _guess in range(5):
        stranger(app).post(f"/not-me/{business.account}.guess")
    assert limits.LIMITS["alarm"].startswith("3 ")
    statuses = []
    for _again in range(4):
        with transaction() as session:
            session.add(_copy_of_link(business))
        statuses.append(stranger(app).post(f"/not-me/{business.account}.copy").status_code)
    assert statuses == [303, 303, 303, 429]
    assert stranger(app).get(link).status_code == 410, "it was earlier than none of them"


def _copy_of_link(made: Made) -> AlarmLink:
    member = db.session.scalars(select(Member)).one()
    key = tokens.hash_token(f"{made.account}.copy")
    return AlarmLink(
        account_id=made.account, token_hash=key, member_id=member.id, created_at=made.now - timedelta(minutes=1)
    )


def test_the_token_is_kept_as_its_hash_and_its_mail_is_emptied(app: Flask, business: Made, thief: FlaskClient) -> None:
    token = alarm(app, business, STRANGE).rsplit("/", 1)[1]
    assert token not in repr({name: found for name, found in dump().items() if name != "message"})


@pytest.fixture
def provider(app: Flask) -> Iterator[Provider]:
    with provider_of_our_own() as provider, configured(app, provider.issuer):
        yield provider


def test_who_signs_in_at_the_provider_alone_is_led_there(app: Flask, business: Made, provider: Provider) -> None:
    with transaction() as session:
        member = session.scalars(select(Member)).one()
        session.execute(update(Member).values(password_hash=""))
        bound_at = ports().clock.system_now() - timedelta(hours=1)
        bound = {"issuer": provider.issuer, "subject": "camille", "bound_at": bound_at}
        session.add(ProviderIdentity(account_id=business.account, member_id=member.id, **bound))
        session.flush()
        session.add_all(security_mails.tell(member, "new_browser", lambda: words.new_browser("", business.now)))
    (mail,) = mails(app, business)
    victim = stranger(app)
    assert "then change your password at id.example.test" in victim.get(alarm_in(mail)).text
    answer = victim.post(alarm_in(mail))
    assert answer.headers["Location"] == "/sign-in"
    assert "id.example.test" in victim.get("/sign-in").text
    assert rows(PasswordReset) == 0


def test_a_person_whom_the_thief_bound_at_the_provider_is_let_in_no_longer(
    app: Flask, business: Made, thief: FlaskClient, provider: Provider
) -> None:
    """The thief has changed the address, and has signed in at the provider as its holder."""
    thief.post("/account/email", data={"email": OTHER})
    thief.post(link_in(last_mail(app, business, OTHER)))
    assert is_in(at_the_provider(app, provider, OTHER))
    victim = stranger(app)
    link = alarm_in(mails(app, business, "Your e-mail address has been changed")[0])
    assert victim.post(link).headers["Location"] == "/password/reset"
    assert not is_in(at_the_provider(app, provider, OTHER))
    assert is_in(at_the_provider(app, provider, business.email)), "who holds the address is bound at their first visit"


def test_a_person_who_was_bound_before_stays_bound(
    app: Flask, business: Made, client: FlaskClient, provider: Provider
) -> None:
    assert is_in(at_the_provider(app, provider, business.email))
    before = db.session.scalars(select(ProviderIdentity.bound_at)).one()
    sign_in(stranger(app), business.email, business.password)
    stranger(app).post(alarm(app, business, STRANGE))
    db.session.rollback()
    assert db.session.scalars(select(ProviderIdentity.bound_at)).one() == before


def at_the_provider(app: Flask, provider: Provider, email: str) -> FlaskClient:
    """A new browser that comes back from there as the holder of this address."""
    browser = stranger(app)
    provider.claims["email"] = email
    there = browser.get("/sign-in/provider").headers["Location"]
    browser.get("/sign-in/provider/callback", query_string=provider.go(there))
    return browser
