"""The tables, one module for each noun. Constraints and partial unique indexes refuse invalid states.

Importing this package registers every table.
"""

from . import (
    access,
    accounts,
    activity,
    cards,
    drafts,
    invoices,
    mail,
    operation,
    purchases,
    restores,
    second_factor,
    subscriptions,
    team,
    trail,
)

__all__ = [
    "access",
    "accounts",
    "activity",
    "cards",
    "drafts",
    "invoices",
    "mail",
    "operation",
    "purchases",
    "restores",
    "second_factor",
    "subscriptions",
    "team",
    "trail",
]
