"""The tables, a module a noun. What the code must never do, a constraint or a partial unique index refuses.

Importing this package registers every table.
"""

from . import access, accounts, activity, invoices, mail, purchases, restores, subscriptions

__all__ = ["access", "accounts", "activity", "invoices", "mail", "purchases", "restores", "subscriptions"]
