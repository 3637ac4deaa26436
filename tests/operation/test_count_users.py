"""`count-users` counts each running subscription once a day, and leaves tenants that are down alone."""

from datetime import datetime, timedelta
from threading import Event

import pytest
from flask import Flask
from sqlalchemy import select, update

from tests.support.world import dump, post, subscription
from webapp.adapters.clock import machine_now
from webapp.db import db, transaction
from webapp.models.subscriptions import ActiveUsersOfDay, SubscriptionRow
from webapp.operation import count_users
from webapp.sandbox import scenarios
from webapp.sandbox.clock import set_clock
from webapp.sandbox.scenarios import Made

pytestmark = pytest.mark.service


@pytest.fixture
def yesterdays(app: Flask) -> list[Made]:
    """Three subscriptions that were counted yesterday."""
    now = machine_now()
    made = [scenarios.make("business", now=now - timedelta(hours=26)) for _ in range(3)]
    for one in made:
        set_clock(one.account, now)
    return made


def counted_at(made: Made) -> datetime:
    db.session.rollback()
    this = SubscriptionRow.account_id == made.account, SubscriptionRow.id == subscription(made)
    return db.session.scalars(select(SubscriptionRow.active_users_as_of).where(*this)).one()


@pytest.mark.parametrize("page", [1, 2, 200])
def test_each_is_counted_once_a_day(yesterdays: list[Made], monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(count_users, "PAGE", page)
    assert count_users.count_users(Event()) == {"counted": 3}
    for made in yesterdays:
        at = counted_at(made)
        assert machine_now() - at < timedelta(minutes=5)
        day = at.astimezone(made.now.tzinfo).date()
        assert db.session.get_one(ActiveUsersOfDay, (made.account, subscription(made), day)).active == 5
    before = dump()
    assert count_users.count_users(Event()).total() == 0
    assert dump() == before


def test_an_ended_subscription_is_not_asked_for(yesterdays: list[Made]) -> None:
    with transaction() as session:
        ended = update(SubscriptionRow).where(SubscriptionRow.id == subscription(yesterdays[0]))
        session.execute(ended.values(ended_on=machine_now().date()))
    assert count_users.count_users(Event()) == {"counted": 2}


def test_a_tenant_that_does_not_answer_keeps_its_count_and_stops_no_other(app: Flask, yesterdays: list[Made]) -> None:
    before = counted_at(yesterdays[1])
    post(app, f"/{yesterdays[1].account}/users", directory="down")
    assert count_users.count_users(Event()) == {"counted": 2, "silent": 1}
    assert counted_at(yesterdays[1]) == before


def test_it_gives_up_where_no_tenant_answers_and_stops_when_told_to(
    app: Flask, yesterdays: list[Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    for made in yesterdays:
        post(app, f"/{made.account}/users", directory="down")
    monkeypatch.setattr(count_users, "SILENCES", 2)
    assert count_users.count_users(Event()) == {"silent": 2}
    stop = Event()
    stop.set()
    assert count_users.count_users(stop).total() == 1


def test_the_command_says_what_it_did(app: Flask, yesterdays: list[Made]) -> None:
    outputs = [app.test_cli_runner().invoke(args=["count-users"]).output for _ in range(2)]
    assert outputs == ["3 counted\n", "all are fresh\n"]
