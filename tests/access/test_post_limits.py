"""Every form has a limit for an account, for each of its members, and for a stranger's address."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from limits import parse
from sqlalchemy import func, select
from werkzeug.routing import Rule

from tests.access.test_throttle import guess, pass_time
from tests.support.world import renew_url, signed_in, subscription
from webapp.access import limits, members, post_limits
from webapp.access.sign_in import hasher
from webapp.db import db, transaction
from webapp.models.accounts import Member
from webapp.models.activity import Case
from webapp.models.purchases import Quote
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

MOST = 100  # of one kind in an hour


def test_no_limit_by_account_is_above_a_hundred_an_hour() -> None:
    for names in (limits.LIMITS, {**limits.LIMITS, **limits.SANDBOX_LIMITS}):
        for name in ("post", "post_member", "sign_in"):
            found = parse(names[name])
            assert found.amount * 3600 / found.get_expiry() <= MOST


def routes(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]


@pytest.mark.parametrize("name", ["app", "stripe_app"])
def test_no_route_that_writes_is_without_a_limit(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one POST an hour allowed, each second one is refused, whatever the first one answered."""
    app: Flask = request.getfixturevalue(name)
    made = scenarios.make("business")
    ids = {"subscription_id": subscription(made), "year": 2026}
    monkeypatch.setattr(limits, "SANDBOX_LIMITS", {})
    ours = {"sign_in": "1000 per hour", "address": "1000 per hour"}  # the test's own sign-ins
    monkeypatch.setattr(limits, "LIMITS", dict.fromkeys(limits.LIMITS, "1 per hour") | ours)
    free, urls = set(), app.url_map.bind("localhost")
    for rule in routes(app):
        choices = {part: next(iter(getattr(kind, "items", ())), "1" * 20) for part, kind in rule._converters.items()}
        path = urls.build(rule.endpoint, {part: ids.get(part, choices[part]) for part in rule.arguments})
        stranger = rule.endpoint == "sign_in.submit"
        form = {"email": "nobody@example.test", "password": "wrong"} if stranger else {}
        statuses = []
        for _ in range(2):
            client = app.test_client() if stranger else signed_in(app, made)
            statuses.append(client.post(path, data=form).status_code)
        if 429 not in statuses:
            free.add(rule.endpoint)
    uncounted = {rule.endpoint for rule in routes(app) if rule.endpoint.split(".")[0] in post_limits.UNCOUNTED}
    assert free == uncounted - {"sandbox_gateway.enter_card"}
    assert {endpoint.split(".")[0] for endpoint in free} <= {"webhooks", "sandbox", "sandbox_gateway", "sandbox_tenant"}


@pytest.mark.parametrize(
    ("path", "form", "table"),
    [
        ("/contact", {"subject": "other", "message": "A message to the manager %d"}, Case),
        ("RENEW", {"seats": "14"}, Quote),
        ("/billing/information", {"legal_name": "x%d"}, None),
    ],
)
def test_a_flood_of_one_account_ends(
    app: Flask, business: Made, client: FlaskClient, path: str, form: dict[str, str], table: type | None
) -> None:
    path = renew_url(business) if path == "RENEW" else path
    filled = [{name: value % n if "%d" in value else value for name, value in form.items()} for n in range(120)]
    answers = [client.post(path, data=one) for one in filled]
    statuses = [answer.status_code for answer in answers]
    assert 429 not in statuses[:60], "generous for people"
    assert statuses.count(429) >= 20
    assert int(answers[-1].headers["Retry-After"]) > 3000
    if table is not None:
        assert db.session.scalars(select(func.count()).select_from(table)).one() <= MOST
    assert signed_in(app, scenarios.make("business")).post("/contact").status_code == 422
    pass_time(timedelta(hours=1))
    assert client.post(path, data=filled[0]).status_code != 429


def test_one_member_does_not_use_up_what_the_account_is_allowed(app: Flask, business: Made) -> None:
    with transaction():
        members.add_member(
            Member(
                account_id=business.account,
                role="manager",
                name="Zoé",
                email="zoe@acme.test",
                password_hash=hasher.hash("x" * 12),
            )
        )
    first, second = signed_in(app, business), app.test_client()
    assert guess(second, "zoe@acme.test", "x" * 12).status_code == 303
    assert [first.post("/contact").status_code for _ in range(MOST)].count(429) > 0
    statuses = [second.post("/contact").status_code for _ in range(MOST)]
    assert statuses[0] == 422
    assert 429 in statuses, "the account's"


def test_right_passwords_sign_in_a_hundred_times_an_hour(app: Flask, business: Made) -> None:
    statuses = [guess(app.test_client(), business.email, business.password).status_code for _ in range(MOST + 1)]
    assert statuses == [303] * MOST + [429]


def test_a_strangers_language_is_counted_by_address(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SANDBOX_LIMITS", {})
    client = app.test_client()
    statuses = [client.post("/language", data={"locale": "en"}).status_code for _ in range(301)]
    assert statuses == [303] * 300 + [429]
