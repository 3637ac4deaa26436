"""Shorthand for the tests: what QA's contract does, from inside."""

from typing import Any

from flask import Flask
from sqlalchemy import text

from webapp import purchase
from webapp.db import Base, db
from webapp.sandbox.scenarios import Made

RETURN_URL = "http://localhost/back"


def post(app: Flask, path: str, **form: object) -> Any:
    """A sandbox route, answered in JSON."""
    answer = app.test_client().post(f"/sandbox/accounts{path}", data=form, headers={"Accept": "application/json"})
    assert answer.status_code in (200, 201), answer.text
    return answer.json


def state(app: Flask, made: Made) -> Any:
    return app.test_client().get(f"/sandbox/accounts/{made.account}/state").json


def subscription(made: Made) -> str:
    found = made.subscriptions["business"]
    assert found is not None
    return found


def quoted(app: Flask, made: Made, seats: int = 14) -> str:
    """A quote with the default card chosen, ready to be paid."""
    with app.test_request_context():
        quote = purchase.quote_renewal(made.account, subscription(made), seats)
        purchase.choose_card(made.account, subscription(made), quote, made.cards[0])
    return quote


def pay(app: Flask, made: Made, quote: str, attempt: int = 1) -> str:
    """What became of the attempt."""
    with app.test_request_context():
        return purchase.pay(made.account, subscription(made), quote, attempt, RETURN_URL).state


def dump() -> dict[str, list[Any]]:
    """Every row of every table, to show that nothing changed."""
    db.session.rollback()
    return {
        table.name: sorted(map(repr, db.session.execute(text(f'SELECT * FROM "{table.name}"')).all()))
        for table in Base.metadata.sorted_tables
    }
