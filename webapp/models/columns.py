"""Column types and constraints that several tables share."""

from sqlalchemy import BigInteger, CheckConstraint, String

Id = String(40)
Currency = String(3)
Cents = BigInteger
PaymentKey, RefundKey = String(100), String(120)  # a refund's key is its payment's, and a number


def one_of(column: str, *values: str) -> CheckConstraint:
    """A constraint that `column` holds one of `values`."""
    quoted = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({quoted})", name=column)
