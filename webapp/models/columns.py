"""Column types, constraints and indexes that several tables share."""

from sqlalchemy import BigInteger, CheckConstraint, Index, String, text

Id = String(40)
Currency = String(3)
Cents = BigInteger
PaymentKey, RefundKey = String(100), String(120)  # a refund's key is its payment's, and a number


def one_of(column: str, *values: str) -> CheckConstraint:
    """A constraint that `column` holds one of `values`."""
    quoted = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({quoted})", name=column)


def index_where(condition: str, name: str, *columns: str, unique: bool = False) -> Index:
    """An index of the rows that meet `condition`, on both databases."""
    where = text(condition)
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)
