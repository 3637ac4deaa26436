"""The account is in every key: no row refers to another account's, and every table can be distributed by account."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import JSON, Date, ForeignKeyConstraint, Integer, LargeBinary, Table, UniqueConstraint, select, update
from sqlalchemy.exc import IntegrityError

from tests.support.world import pay, post, quoted
from webapp.db import Base, Instant, db, new_id, transaction
from webapp.operation.distribution import COPIED, Place, place_of, places
from webapp.purchases import refunds
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made

DISTRIBUTED = [table for table in Base.metadata.sorted_tables if place_of(table) is Place.DISTRIBUTED]
REFERENCES = [
    pytest.param(table, key, id=f"{table.name}: {', '.join(key.column_keys)}")
    for table in DISTRIBUTED
    for key in sorted(table.foreign_key_constraints, key=lambda key: str(key.column_keys))
    if len(key.column_keys) > 1
]


def account_column(table: Table) -> str:
    return "id" if table.name == "account" else "account_id"


@pytest.mark.parametrize("table", DISTRIBUTED, ids=lambda table: table.name)
def test_a_table_can_be_distributed(table: Table) -> None:
    """Citus: each key has the account, and a reference leads to the same account or to what every machine has."""
    account = account_column(table)
    assert next(iter(table.primary_key.columns)).name == account
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            assert account in constraint.columns
    for index in table.indexes:
        assert account in index.columns or not index.unique
    for key in table.foreign_key_constraints:
        leads_to = key.referred_table
        if place_of(leads_to) is Place.DISTRIBUTED:
            pairs = {element.parent.name: element.column.name for element in key.elements}
            assert pairs[account] == account_column(leads_to)
        else:
            assert leads_to.name in COPIED
        assert (key.ondelete, key.onupdate) == (None, None)


def test_each_table_has_one_place_and_the_others_refer_to_no_account() -> None:
    assert set(places()) == set(Base.metadata.tables)
    for table in Base.metadata.sorted_tables:
        if place_of(table) is not Place.DISTRIBUTED:
            assert all(place_of(key.referred_table) is not Place.DISTRIBUTED for key in table.foreign_key_constraints)


@pytest.fixture
def full(app: Flask) -> tuple[Made, Made]:
    """Two accounts with rows in as many tables as purchases, changes, refunds and mails write."""
    both = scenarios.make("business-two-cards"), scenarios.make("business-two-cards")
    for made in both:
        pay(app, made, quoted(app, made))
        number = db.session.scalars(
            select(Base.metadata.tables["invoice"].c.number).where(
                Base.metadata.tables["invoice"].c.account_id == made.account,
                Base.metadata.tables["invoice"].c.payment_key.is_not(None),
            )
        ).one()
        with app.test_request_context():
            refunds.credit(made.account, number, 100)
        post(app, f"/{made.account}/clock", advance="PT1M")
    db.session.rollback()
    return both


@pytest.mark.service
@pytest.mark.parametrize(("table", "key"), REFERENCES)
def test_the_database_refuses_a_row_of_another_account(
    full: tuple[Made, Made], table: Table, key: ForeignKeyConstraint
) -> None:
    """A row of one account is made to refer to what only the other has."""
    ours, theirs = (made.account for made in full)
    target = key.referred_table
    foreign = db.session.execute(select(target).where(target.c.account_id == theirs).limit(1)).one_or_none()
    assert foreign is not None, f"no row of {target.name} to refer to"
    values = {element.parent.name: element.column.name for element in key.elements}
    pointing = {own: getattr(foreign, other) for own, other in values.items() if own != "account_id"}
    pointed = (table.c[name].is_not(None) for name in pointing)  # other constraints may need a value there
    row = db.session.execute(select(table).where(table.c.account_id == ours, *pointed).limit(1)).one_or_none()
    row = row or db.session.execute(select(table).where(table.c.account_id == ours).limit(1)).one_or_none()
    db.session.rollback()
    if row is None:
        statement: Any = table.insert().values(**{**_made_up(table), **pointing, "account_id": ours})
    else:
        this = [column == getattr(row, column.name) for column in table.primary_key.columns]
        statement = update(table).where(*this).values(**pointing)
    with pytest.raises(IntegrityError) as refused:
        _write(statement)
    assert "foreign key" in str(refused.value).lower()


def _write(statement: Any) -> None:
    with transaction() as session:
        session.execute(statement)


MADE_UP: dict[str, dict[str, Any]] = {  # by table
    "change": {"kind": "cancellation"},
    "later_prices": {"valid_from": date(2027, 2, 1)},  # after `told_on`
}


def _made_up(table: Table) -> dict[str, Any]:
    """Values that the other constraints of a table without rows accept."""
    by_type = {Instant: datetime.now(UTC), Date: date(2027, 1, 1), JSON: {}, Integer: 0, LargeBinary: b"%PDF"}
    made_up: dict[str, Any] = {}
    for column in table.columns:
        if not column.nullable and column.server_default is None:
            found = (value for kind, value in by_type.items() if isinstance(column.type, kind))
            made_up[column.name] = next(found, new_id()[:20])
    wanted: dict[str, dict[str, Any]] = {
        "change": {"kind": "cancellation"},
        "later_prices": {"valid_from": date(2027, 2, 1)},
    }
    return made_up | wanted.get(table.name, {})
