"""Words of the mails about the team. Each function is called in the reader's language."""

from datetime import datetime

from flask_babel import gettext

from ...formats import day as on
from ...formats import last_minute
from ...models.accounts import Account, Member
from ...sentences.labels import ROLE_WORDS, ROLES
from ...urls import public_url
from ..layout import Mail


def invitation(account: Account, owner: Member, email: str, role: str, ends_at: datetime, token: str) -> Mail:
    return Mail(
        gettext("Invitation to My Qlik"),
        account.legal_name,
        [
            gettext(
                "%(owner)s invites you to the account of %(name)s in My Qlik, with its subscriptions and invoices.",
                owner=owner.name,
                name=account.legal_name,
            ),
            gettext("The link works once. If you do not expect this invitation, ignore this e-mail."),
        ],
        [(gettext("Role"), _role(role)), (gettext("Link valid until"), last_minute(ends_at))],
        (gettext("Accept the invitation"), public_url("invitations.page", token=token)),
    )


def joined(account: Account, member: Member) -> Mail:
    opening = gettext("%(name)s (%(email)s) accepted your invitation.", name=member.name, email=member.email)
    return _told(gettext("A member has joined the team"), account, opening, member.role)


def left(account: Account, member: Member) -> Mail:
    opening = gettext("%(name)s (%(email)s) has left the account.", name=member.name, email=member.email)
    return _told(gettext("A member has left the team"), account, opening, member.role)


def _told(title: str, account: Account, opening: str, role: str) -> Mail:
    action = gettext("See the team"), public_url("team.page")
    return Mail(title, account.legal_name, [opening], [(gettext("Role"), str(ROLES[role]))], action)


def role_changed(account: Account, member: Member, before: str) -> Mail:
    return Mail(
        gettext("Your role has changed"),
        account.legal_name,
        [gettext("Your role in the My Qlik account of %(name)s has changed.", name=account.legal_name)],
        [(gettext("Before"), str(ROLES[before])), (gettext("From now on"), _role(member.role))],
        (gettext("Open My Qlik"), public_url("subscriptions.index")),
    )


def removed(account: Account, by: str) -> Mail:
    opening = gettext(
        "%(by)s has ended your access to the My Qlik account of %(name)s. You are signed out everywhere, and will "
        "receive no further e-mails as a member.",
        by=by,
        name=account.legal_name,
    )
    return Mail(gettext("Your access has ended"), account.legal_name, [opening], [], None)


def handover_offered(account: Account, owner: Member, ends_at: datetime) -> Mail:
    """To the member who would become the owner."""
    return Mail(
        gettext("Proposal to hand over a My Qlik account to you"),
        account.legal_name,
        [
            gettext(
                "%(owner)s proposes that you become the owner of the My Qlik account of %(name)s.",
                owner=owner.name,
                name=account.legal_name,
            ),
            gettext("Nothing changes until you accept."),
        ],
        [(gettext("Answer by"), last_minute(ends_at))],
        (gettext("Accept or decline"), public_url("handover.page")),
    )


def handover(
    account: Account, what: str, owner: Member, member: Member, now: datetime, reader: Member | None = None
) -> Mail:
    """What became of the proposal: to the owner or the member as `reader`, or to the account manager."""
    names = {"owner": owner.name, "member": member.name, "account": account.legal_name}
    title, opening = {
        "proposed": (
            gettext("Handover of the account proposed"),
            gettext("%(owner)s has proposed to hand over the account of %(account)s to %(member)s.", **names),
        ),
        "cancelled": (
            gettext("Handover of the account cancelled"),
            gettext("%(owner)s has cancelled the proposal to hand over the account to %(member)s.", **names),
        ),
        "declined": (
            gettext("Handover of the account declined"),
            gettext("%(member)s has declined to take over the account. %(owner)s remains its owner.", **names),
        ),
        "accepted": (
            gettext("The account has been handed over"),
            gettext("%(member)s is now the owner of the account of %(account)s. %(owner)s becomes a manager.", **names),
        ),
    }[what]
    if reader is owner:
        opening = _to_old_owner(what, names)
    elif reader is member:
        opening = _to_new_owner(what, names)
    action = (gettext("Open My Qlik"), public_url("subscriptions.index")) if reader else None
    return Mail(title, account.legal_name, [opening], [(gettext("Date"), on(account.local(now)))], action)


def _to_old_owner(what: str, names: dict[str, str]) -> str:
    return {
        "proposed": gettext("You have proposed to hand over the account of %(account)s to %(member)s.", **names),
        "cancelled": gettext("You have cancelled the proposal to hand over the account to %(member)s.", **names),
        "declined": gettext("%(member)s has declined to take over the account. You remain its owner.", **names),
        "accepted": gettext(
            "%(member)s is now the owner of the account of %(account)s. You are now a manager.", **names
        ),
    }[what]


def _to_new_owner(what: str, names: dict[str, str]) -> str:
    return {
        "cancelled": gettext("%(owner)s has cancelled the proposal to hand over the account to you.", **names),
        "declined": gettext("You have declined to take over the account. %(owner)s remains its owner.", **names),
        "accepted": gettext(
            "You are now the owner of the account of %(account)s. %(owner)s becomes a manager.", **names
        ),
    }[what]


def _role(role: str) -> str:
    return f"{ROLES[role]} – {ROLE_WORDS[role]}"
