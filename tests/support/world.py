"""Shorthand for the tests: accounts, quotes, payments, invoices and the state of the database."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from html import unescape
from typing import Any, TypeVar

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, inspect, select, text, update

from webapp.db import Base, db, new_id, transaction
from webapp.invoices import listing
from webapp.models.accounts import Account
from webapp.models.invoices import Invoice
from webapp.purchases import payments, quotes
from webapp.sandbox.scenarios import Made

LIST = "/billing/invoices"
RETURN_URL = "http://localhost/back"


Row = TypeVar("Row")


def stored(table: type[Row], key: str) -> Row:
    """A row of an account, whichever: the last column of its primary key is unique in tests."""
    row = stored_or_none(table, key)
    assert row is not None
    return row


def stored_or_none(table: type[Row], key: str) -> Row | None:
    *_, last = inspect(table).primary_key
    return db.session.scalars(select(table).where(last == key).execution_options(populate_existing=True)).one_or_none()


def post(app: Flask, path: str, **form: object) -> Any:
    """Posts to a route of the sandbox; returns its JSON."""
    answer = app.test_client().post(f"/sandbox/accounts{path}", data=form, headers={"Accept": "application/json"})
    assert answer.status_code in (200, 201), answer.text
    return answer.json


def state(app: Flask, made: Made) -> Any:
    return app.test_client().get(f"/sandbox/accounts/{made.account}/state").json


def subscription(made: Made) -> str:
    subscription_id = made.subscriptions["business"]
    assert subscription_id is not None
    return subscription_id


def quoted(app: Flask, made: Made, seats: int = 14) -> str:
    """Makes a quote with the default card, ready to pay."""
    with app.test_request_context():
        quote = quotes.quote_renewal(made.account, subscription(made), seats)
        quotes.choose_card(made.account, subscription(made), quote, made.cards[0])
    return quote


def pay(app: Flask, made: Made, quote: str, attempt: int = 1) -> str:
    """Pays the quote; returns the state of the attempt."""
    with app.test_request_context():
        return payments.pay(made.account, subscription(made), quote, attempt, RETURN_URL).state


def invoice_of(made: Made) -> Invoice:
    db.session.rollback()
    return listing.invoices_of(made.account)[0]


def pdf_url(made: Made) -> str:
    return f"{LIST}/{invoice_of(made).id}/download"


def xml_url(made: Made) -> str:
    return pdf_url(made).replace("/download", "/xml")


def rewrite(made: Made, **content: Any) -> None:
    """Changes the snapshot of the newest invoice, which the portal never does."""
    invoice = invoice_of(made)
    snapshot = {name: content.get(name, value) for name, value in invoice.snapshot.items()}
    with transaction() as session:
        session.execute(update(Invoice).where(Invoice.id == invoice.id).values(snapshot=snapshot))


def buyer(made: Made, **content: Any) -> dict[str, Any]:
    return {**invoice_of(made).snapshot["buyer"], **content}


def issue(made: Made, count: int, of: str | None = None, first_day: date = date(2020, 1, 1)) -> None:
    """Adds `count` past invoices like the account's own, two a day."""
    like = invoice_of(made)
    columns = {
        name: getattr(like, name) for name in ("issuer_id", "account_id", "currency", "net", "tax", "total", "snapshot")
    }
    with transaction() as session:
        for n in range(count):
            session.add(
                Invoice(
                    id=new_id(),
                    subscription_id=of or subscription(made),
                    number=f"OLD-{n:06d}",
                    issued_on=first_day + timedelta(n // 2),
                    **columns,
                )
            )


def move_to(made: Made, **columns: object) -> None:
    """Changes the account's billing information, past the form."""
    with transaction() as session:
        account = session.get_one(Account, made.account)
        for name, value in columns.items():
            setattr(account, name, value)
    db.session.remove()


def renew_url(made: Made) -> str:
    return f"/subscriptions/{subscription(made)}/renew"


def step(made: Made, quote: str, name: str) -> str:
    return f"{renew_url(made)}/{quote}/{name}"


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collects the statements that are sent to the database."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def dump(counts: bool = False) -> dict[str, list[Any]]:
    """Every row of every table, to show that nothing changed; `counts` includes the rate limits, and the security
    events, which refused attempts write."""
    db.session.rollback()
    return {
        table.name: sorted(map(repr, db.session.execute(text(f'SELECT * FROM "{table.name}"')).all()))
        for table in Base.metadata.sorted_tables
        if counts or table.name not in ("rate_limit", "security_event")
    }


def card_page(client: FlaskClient) -> str:
    return str(client.post("/billing/cards/new").headers["Location"]).removeprefix("http://localhost")


CARD = {"number": "4242 4242 4242 4242", "expiry": "12/31", "code": "123", "holder": "Camille Martin"}


def words(text: str) -> str:
    """The visible text of a page, in one line with plain spaces."""
    text = unescape(re.sub(r"<script.*?</script>|<[^>]+>", " ", text, flags=re.S))
    return " ".join(text.replace("\u00a0", " ").replace("\u202f", " ").split())


def signed_in(app: Flask, made: Made) -> FlaskClient:
    """The owner's client, reading English."""
    client = app.test_client()
    client.set_cookie("locale", "en")
    answer = client.post("/sign-in", data={"email": made.email, "password": made.password})
    assert answer.status_code == 303
    return client
