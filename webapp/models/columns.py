"""Column types, keys, constraints and indexes that several tables share.

Every table with rows of an account has `account_id` first in its primary key, and in each unique constraint and foreign
key. So no row can refer to another account's, and the tables can be distributed by account.
"""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, String, text
from sqlalchemy.orm import MappedColumn, mapped_column
from sqlalchemy.types import TypeEngine

Id = String(40)
Currency = String(3)
Cents = BigInteger
PaymentKey, RefundKey = String(100), String(120)  # a refund's key is its payment's, and a number


def sorted_text(length: int) -> TypeEngine[str]:
    """Text that is compared byte by byte, so that an index serves ranges and prefixes in any locale."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def account_key() -> MappedColumn[str]:
    """The first column of the primary key, in a table that refers to nothing else of the account."""
    return mapped_column(Id, ForeignKey("account.id"), primary_key=True)


def account_part() -> MappedColumn[str]:
    """The first column of the primary key, where `reference` leads to the account."""
    return mapped_column(Id, primary_key=True)


def reference(table: str, **columns: str) -> ForeignKeyConstraint:
    """A foreign key to a row of the same account: own column -> column of `table`."""
    return ForeignKeyConstraint(
        ["account_id", *columns], [f"{table}.account_id", *(f"{table}.{column}" for column in columns.values())]
    )


def one_of(column: str, *values: str) -> CheckConstraint:
    """A constraint that `column` holds one of `values`."""
    quoted = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({quoted})", name=column)


def index_where(condition: str, name: str, *columns: str, unique: bool = False) -> Index:
    """An index of the rows that meet `condition`, on both databases."""
    where: Any = text(condition)
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)
