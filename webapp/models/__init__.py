"""The tables, one module for each noun. Constraints and partial unique indexes refuse invalid states.

Importing this package registers every table.
"""

from . import (
    access,
    accounts,
    activity,
    alarms,
    cards,
    drafts,
    invoices,
    mail,
    operation,
    prices,
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
    "alarms",
    "cards",
    "drafts",
    "invoices",
    "mail",
    "operation",
    "prices",
    "purchases",
    "restores",
    "second_factor",
    "subscriptions",
    "team",
    "trail",
]
