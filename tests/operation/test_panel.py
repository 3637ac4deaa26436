"""The sandbox's panel: what a tester can do there without writing a program."""

import re

import pytest
from flask import Flask

from tests.operation.test_sandbox import BROWSER
from tests.support import team
from tests.support.world import dump, state, words
from webapp.db import db
from webapp.models.accounts import Account
from webapp.sandbox import labels, panel, scenarios
from webapp.sandbox.gateway import FAULTS
from webapp.sandbox.scenarios import Made


def show(app: Flask, query: str, locale: str = "en") -> str:
    client = app.test_client()
    client.set_cookie("locale", locale)
    answer = client.get(f"/sandbox?{query}", headers=BROWSER)
    assert answer.status_code == 200
    return str(answer.text)


def test_each_member_of_the_team_has_a_button_that_signs_in(app: Flask) -> None:
    made = scenarios.make("team")
    forms = re.findall(r'<form[^>]*action="/sign-in".*?</form>', show(app, f"account={made.account}"), re.S)
    signed_in = {}
    for form in forms:
        fields = dict(re.findall(r'name="(email|password)" value="([^"]+)"', form))
        client = app.test_client()
        answer = client.post("/sign-in", data=fields)
        signed_in[fields["email"]] = (fields["password"], answer.status_code, client.get("/sessions").status_code)
    told = {member["email"]: member["password"] for member in made.members} | {made.email: made.password}
    assert signed_in == {email: (password, 303, 200) for email, password in told.items()}
    assert len(forms) == 4


def test_a_member_with_a_password_of_its_own_is_listed_without_a_button(app: Flask, business: Made) -> None:
    member = team.add(business, "viewer", name="Alix")
    page = show(app, f"account={business.account}")
    assert member.email in page
    assert re.findall('name="password" value="([^"]*)"', page) == [business.password]


def test_the_list_is_paged_and_searched(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel, "ACCOUNTS_LISTED", 2)
    made = [scenarios.make(name) for name in ("business", "no-card", "business")]

    def listed(query: str) -> list[str]:
        return re.findall(r'<span class="muted">(sao-[^<]+)</span>', show(app, query))

    assert listed("") == [made[2].email, made[1].email]
    assert 'href="/sandbox?skipped=2">Older accounts</a>' in show(app, "")
    assert listed("skipped=2") == [made[0].email]
    assert 'href="/sandbox">Newer accounts</a>' in show(app, "skipped=2")
    assert "Older accounts" not in show(app, "skipped=2")
    for search in ("NO-CARD", made[1].email[4:12], made[1].account):
        assert listed(f"search={search}") == [made[1].email]
    for nothing in ("search=%25", "search=_", "skipped=99999999999999999999999"):
        assert listed(nothing) == []
    assert "No account matches." in show(app, "search=zz")
    assert len(listed("skipped=-5")) == 2


def test_an_account_is_deleted_and_no_other(app: Flask, business: Made) -> None:
    other = scenarios.make("business")
    action = f"/sandbox/panel/{business.account}/remove"
    assert f'action="{action}"' in show(app, f"account={business.account}")
    answer = app.test_client().post(action, headers=BROWSER)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sandbox")
    db.session.rollback()
    assert (db.session.get(Account, business.account), bool(state(app, other)["invoices"])) == (None, True)
    before = dump()
    assert app.test_client().post(action, headers=BROWSER).status_code == 404
    assert dump() == before


def test_a_button_moves_the_clock_to_the_next_event(app: Flask, business: Made) -> None:
    assert '<button class="outline" name="to" value="next">Next event</button>' in show(app, "")
    form = {"to": "next"}
    app.test_client().post(f"/sandbox/accounts/{business.account}/clock", data=form, headers=BROWSER)
    assert state(app, business)["now"].startswith("2027-02-08")


def test_scenarios_faults_and_states_are_told_in_words(app: Flask) -> None:
    assert set(labels.SCENARIO) == set(scenarios.SCENARIOS)
    assert set(labels.FAULT) == set(FAULTS)
    made = scenarios.make("business-past-due")
    page = words(show(app, f"account={made.account}", "fr"))
    for code in ("past_due", "timeout", "refunded"):
        assert code not in page
    assert "Paiement en retard" in page
