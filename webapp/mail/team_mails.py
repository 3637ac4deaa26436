"""The mails about the team, each written in the transaction of the change that it reports.

Mails about somebody's own access always come. Only the owner is told of others, if they want such mails.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from flask_babel import force_locale, gettext

from ..db import Base, new_id
from ..domain.team import INVITATION_LIFETIME, MailKind
from ..models.accounts import Account, Member
from ..models.mail import Message
from ..models.team import Invitation
from ..sentences.labels import ROLES
from . import layout, security_mails
from .messages import team as words

Words = Callable[[], layout.Mail]


def invitation(account: Account, owner: Member, invited: Invitation, token: str) -> Message:
    """The link is the first address in the mail."""
    ends_at = account.local(invited.sent_at + INVITATION_LIFETIME)
    with force_locale(account.document_locale):
        footer = gettext(
            "You are receiving this e-mail because %(owner)s invited this address to the account of %(name)s.",
            owner=owner.name,
            name=account.legal_name,
        )
        mail = words.invitation(account, owner, invited.email, invited.role, ends_at, token)
        written = layout.write(mail, invited.email, footer)
    return _message(account, invited.email, written, "invitation", invited.sent_at)


def joined(account: Account, owner: Member, member: Member, now: datetime) -> list[Message]:
    return _to_owner(account, owner, "joined", partial(words.joined, account, member), now)


def left(account: Account, owner: Member, member: Member, now: datetime) -> list[Message]:
    return _to_owner(account, owner, "left", partial(words.left, account, member), now)


def _to_owner(account: Account, owner: Member, about: str, mail: Words, now: datetime) -> list[Message]:
    return [] if MailKind.TEAM in owner.unwanted_mails else [_to(account, owner, about, mail, now)]


def role_changed(account: Account, owner: Member, member: Member, before: str) -> list[Base]:
    """To the member, and to the owner who changed it."""
    told = security_mails.write(member, "role_changed", partial(words.role_changed, account, member, before))
    return [*told, *security_mails.role_given(owner, member, ROLES[before], ROLES[member.role])]


def removed(account: Account, member: Member, by: str, now: datetime) -> Message:
    return _to(account, member, "removed", partial(words.removed, account, by), now)


def handover_proposed(
    account: Account, owner: Member, member: Member, ends_at: datetime, now: datetime
) -> list[Message]:
    offer = partial(words.handover_offered, account, owner, account.local(ends_at))
    told = partial(words.handover, account, "proposed", owner, member, now)
    return [
        _to(account, member, "handover_offered", offer, now),
        _to(account, owner, "handover_proposed", told, now),
        _to_manager(account, "handover_proposed", told, now),
    ]


def handover_cancelled(account: Account, owner: Member, member: Member, now: datetime) -> list[Message]:
    return _to_all(account, "cancelled", owner, member, now)


def handover_declined(account: Account, owner: Member, member: Member, now: datetime) -> list[Message]:
    return _to_all(account, "declined", owner, member, now)


def handover_accepted(account: Account, owner: Member, member: Member, now: datetime) -> list[Base]:
    """`owner` is who was the owner until now. Both have another role."""
    told, about = partial(words.handover, account, "accepted", owner, member, now), "handover_accepted"
    both = [row for reader in (owner, member) for row in security_mails.write(reader, about, told)]
    return [*both, _to_manager(account, about, told, now)]


def _to_all(account: Account, what: str, owner: Member, member: Member, now: datetime) -> list[Message]:
    told, about = partial(words.handover, account, what, owner, member, now), f"handover_{what}"
    both = [_to(account, reader, about, told, now) for reader in (owner, member)]
    return [*both, _to_manager(account, about, told, now)]


def _to(account: Account, member: Member, about: str, mail: Words, now: datetime) -> Message:
    with force_locale(member.locale or account.document_locale):
        written = layout.write(mail(), member.name, layout.footer(account, member.role))
    return _message(account, member.email, written, about, now)


def _to_manager(account: Account, about: str, mail: Words, now: datetime) -> Message:
    with force_locale(account.document_locale):
        written = layout.write(mail(), account.manager_name, layout.manager_footer(account))
    return _message(account, account.manager_email, written, about, now)


def _message(account: Account, recipient: str, written: layout.Written, about: str, now: datetime) -> Message:
    return Message(
        account_id=account.id, recipient=recipient, **written._asdict(), about=f"{about}/{new_id()}", sent_at=now
    )
