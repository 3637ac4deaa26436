"""Who may do what: one table of roles and procedures."""

from enum import StrEnum


class Role(StrEnum):
    OWNER = "owner"
    MANAGER = "manager"
    ACCOUNTANT = "accountant"
    VIEWER = "viewer"


INVITABLE = (Role.MANAGER, Role.ACCOUNTANT, Role.VIEWER)  # the owner hands the account over instead


class Procedure(StrEnum):
    """What a route is for."""

    SEE = "see"  # subscriptions, invoices, archives and activity; download
    CHANGE = "change"  # renew, add, reduce, cancel, undo
    BILLING = "billing"  # cards, billing information, send an invoice again
    CONTACT = "contact"  # write to the account manager
    TEAM = "team"  # members, invitations, handover, second factor for all, spending limit
    WATCH = "watch"  # security events of all members; each sees their own
    OWN = "own"  # one's own password, factors, sessions, language and mails


ALLOWED: dict[Procedure, tuple[Role, ...]] = {
    Procedure.SEE: (Role.OWNER, Role.MANAGER, Role.ACCOUNTANT, Role.VIEWER),
    Procedure.CHANGE: (Role.OWNER, Role.MANAGER),
    Procedure.BILLING: (Role.OWNER, Role.MANAGER, Role.ACCOUNTANT),
    Procedure.CONTACT: (Role.OWNER, Role.MANAGER, Role.ACCOUNTANT),
    Procedure.TEAM: (Role.OWNER,),
    Procedure.WATCH: (Role.OWNER,),
    Procedure.OWN: (Role.OWNER, Role.MANAGER, Role.ACCOUNTANT, Role.VIEWER),
}

PROVEN = frozenset({Procedure.TEAM})  # each form of these asks for the password or a factor, unless it was just given


def may(role: Role, procedure: Procedure) -> bool:
    return role in ALLOWED[procedure]
