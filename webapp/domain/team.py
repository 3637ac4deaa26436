"""How long an invitation and the proposal to hand an account over can be answered, and who gets which mails."""

from datetime import timedelta
from enum import StrEnum

from .permissions import Role

INVITATION_LIFETIME = timedelta(days=7)
HANDOVER_LIFETIME = timedelta(days=7)
INVITATIONS_KEPT = timedelta(days=30)  # so that one that was not answered can be sent again


class MailKind(StrEnum):
    """Kinds of mails that a member may do without. Mails about their own access always come."""

    NOTICES = "notices"  # before a renewal; requested changes
    REFUSALS = "refusals"  # a payment that failed, or that the bank asks about
    INVOICES = "invoices"  # receipts and credit notes
    TEAM = "team"  # who joined, left or changed


def unwanted_at_first(role: Role) -> list[MailKind]:
    """What a new member of this role is not sent until they choose."""
    if role is Role.VIEWER:
        return list(MailKind)
    return [MailKind.TEAM] if role is Role.ACCOUNTANT else []
