"""`support deactivate` and `reactivate`: nobody signs in, and nothing is charged. The right password learns why."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from tests.operation.test_support import done, pytestmark, records, refused, run  # noqa: F401  both databases
from tests.support import team
from tests.support.invitations import invited
from tests.support.world import dump, pay, post, quoted, signed_in, state, subscription
from webapp.access.provider import VerifiedIdentity
from webapp.access.sign_in import sign_in_as
from webapp.db import db, transaction
from webapp.models.access import MemberSession
from webapp.models.accounts import Account
from webapp.models.activity import Activity
from webapp.models.prices import PriceList, Prices, Publication
from webapp.operation import doctor
from webapp.ports import ports
from webapp.renewals import sweep
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.subscriptions import loading, prices, service

CONTACT = "is deactivated. Contact your account manager: "


def sign_in(app: Flask, made: Made, password: str = "") -> Any:
    client = app.test_client()
    client.set_cookie("locale", "en")
    return client.post("/sign-in", data={"email": made.email, "password": password or made.password})


def told(name: str) -> str | None:
    db.session.rollback()
    return dict(doctor.CHECKS)[name]()


def test_it_is_refused_while_something_would_be_lost(app: Flask, business: Made) -> None:
    before = dump()
    sentence = refused("deactivate", business.account)
    assert "Its members would lose what they use: Qlik Sense Business on " in sentence
    assert "(paid until 2027-02-15)" in sentence
    assert "Nothing was changed." in sentence
    assert dump() == before


def test_it_is_refused_while_a_payment_is_pending(app: Flask, business: Made) -> None:
    post(app, f"/{business.account}/gateway", next="timeout")
    assert pay(app, business, quoted(app, business)) == "pending"
    assert "is pending: wait for its outcome" in refused("deactivate", business.account, "--cancel")


def test_nobody_signs_in_and_only_the_right_password_learns_why(app: Flask, business: Made) -> None:
    viewer = team.add(business, "viewer", email="zoe@example.test", name="Zoé")
    there = signed_in(app, business)
    assert there.get("/subscriptions").status_code == 200
    output = done("deactivate", business.account, "--cancel")
    assert "ends on 2027-02-15." in output
    gone = there.get("/subscriptions")
    assert (gone.status_code, gone.location.startswith("/sign-in")) == (303, True)
    assert CONTACT in there.get(gone.location).text
    right = sign_in(app, business)
    assert (right.status_code, CONTACT in right.text) == (403, True)
    wrong = sign_in(app, business, "not the password")
    unknown = app.test_client().post("/sign-in", data={"email": "nobody@example.test", "password": "not the password"})
    assert (wrong.status_code, CONTACT in wrong.text) == (unknown.status_code, False) == (422, False)
    assert viewer.email in run("show", business.account, "--as", "X").output


def test_it_renews_nothing_and_writes_no_notice(app: Flask, business: Made) -> None:
    done("deactivate", business.account, "--cancel")
    post(app, f"/{business.account}/clock", to="2027-04-20T08:00:00")
    assert sweep.sweep() == 0
    now = state(app, business)
    assert (now["subscriptions"][0]["status"], now["payments"], now["messages"]) == ("ended", [], [])
    assert len(now["invoices"]) == 6, "those that were issued stay"


def test_what_should_have_ended_and_did_not_is_never_charged(app: Flask, business: Made) -> None:
    """Whatever the account was when its flag was set."""
    flag(business, "Somebody")
    post(app, f"/{business.account}/clock", to="2027-02-20T08:00:00")
    assert sweep.sweep() == 0
    assert state(app, business)["payments"] == []
    assert "neither renews nor ends" in str(told("deactivated"))
    done("end-subscription", business.account, "--now")
    assert told("deactivated") is None


def flag(made: Made, by: str | None) -> None:
    with transaction() as session:
        values = {"deactivated_at": ports().clock.system_now(), "deactivated_by": by}
        session.execute(update(Account).where(Account.id == made.account).values(values))


def test_the_schema_refuses_that_nobody_did_it(app: Flask, business: Made) -> None:
    with pytest.raises(IntegrityError):
        flag(business, None)


@pytest.mark.parametrize("scenario", ["business-past-due", "business-lapsed"])
def test_what_is_not_paid_ends_at_once(app: Flask, scenario: str) -> None:
    made = scenarios.make(scenario)
    assert "has ended: its period was not paid." in done("deactivate", made.account, "--cancel")
    assert state(app, made)["subscriptions"][0]["status"] == "ended"
    assert sweep.sweep() == 0


def test_a_cancelled_one_stays_as_it_is(app: Flask, business: Made) -> None:
    service.cancel(business.account, subscription(business))
    (before,) = loading.load(business.account, subscription(business)).open_changes
    assert "paid until" in refused("deactivate", business.account)
    done("deactivate", business.account, "--cancel")
    assert loading.load(business.account, subscription(business)).open_changes == [before]


def test_one_without_anything_live_needs_no_option(app: Flask, business: Made) -> None:
    done("end-subscription", business.account, "--now")
    done("deactivate", business.account)
    assert "is deactivated already" in refused("deactivate", business.account)


def test_the_trail_says_who_and_support_sees_it(app: Flask, business: Made) -> None:
    done("deactivate", business.account, "--cancel")
    (row,) = records("account_deactivated")
    assert (row.by, row.account_id) == ("Jeanne Support (support)", business.account)
    shown = done("show", business.account)
    assert "deactivated on " in shown
    assert "by Jeanne Support (support)" in shown
    assert "(deactivated)" in run("find", business.email).output


def test_no_subscription_is_added_to_it(app: Flask, business: Made, tmp_path: Path) -> None:
    done("deactivate", business.account, "--cancel")
    (tmp_path / "one.json").write_text("{}")
    sentence = refused("add-subscription", business.account, str(tmp_path / "one.json"))
    assert "is deactivated: reactivate it first" in sentence


def test_a_provider_signs_nobody_in(app: Flask, business: Made) -> None:
    done("deactivate", business.account, "--cancel")
    vouched = VerifiedIdentity("https://id.example.test", "subject", business.email, "")
    with app.test_request_context():
        assert sign_in_as(vouched) == "deactivated"
        assert "Sophie Laurent" in g.deactivated
    assert db.session.scalars(select(MemberSession).where(MemberSession.ended.is_(None))).all() == []


def test_an_invitation_that_was_sent_before_is_over(app: Flask, business: Made) -> None:
    link = invited(app, business, signed_in(app, business), "nadia@example.test")
    assert app.test_client().get(link).status_code == 200
    done("deactivate", business.account, "--cancel")
    assert app.test_client().get(link).status_code == 410


def test_reactivated_they_sign_in_again_and_what_was_cancelled_stays_so(app: Flask, business: Made) -> None:
    assert "is not deactivated" in refused("reactivate", business.account)
    there = signed_in(app, business)
    done("deactivate", business.account, "--cancel")
    done("reactivate", business.account)
    assert there.get("/subscriptions").status_code == 303, "a session that was ended stays ended"
    assert sign_in(app, business).status_code == 303
    assert state(app, business)["subscriptions"][0]["status"] == "ending"
    kinds = [row.what for row in db.session.scalars(select(Activity).order_by(Activity.id))]
    assert kinds[-1:] == ["account_reactivated"]
    assert "(deactivated)" not in run("find", business.email).output


def test_invitations_and_half_done_sign_ins_end(app: Flask) -> None:
    made = scenarios.make("two-factor")
    client = app.test_client()
    client.set_cookie("locale", "en")
    assert "/sign-in/" in client.post("/sign-in", data={"email": made.email, "password": made.password}).location
    done("deactivate", made.account, "--cancel")
    page = client.get("/sign-in/second-factor", follow_redirects=True)
    assert "Enter your e-mail address" not in page.text
    assert client.get("/subscriptions").status_code == 303
    assert CONTACT in sign_in(app, made).text


def test_published_prices_are_not_told_and_doctor_knows_of_what_is_left(app: Flask, business: Made) -> None:
    assert told("published prices") is None
    done("deactivate", business.account, "--cancel")
    with transaction() as session:
        session.add(PriceList(id="dearer", currency="EUR", rows=[[None, 9000]]))
        session.flush()
        session.add(
            Publication(
                price_list_id="dearer",
                product="Qlik Sense Business",
                currency="EUR",
                valid_from=scenarios.START.date().replace(month=6),
                published_by="X",
                published_at=ports().clock.system_now(),
            )
        )
    assert "told of the prices of Qlik Sense Business from 2027-06-15" in str(told("published prices"))
    published = db.session.scalars(select(Publication)).one()
    assert not prices.tell(business.account, subscription(business), published, Prices("dearer", "EUR", []))
    assert loading.load(business.account, subscription(business)).later_prices == []
