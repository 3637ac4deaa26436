"""The mails about a member's own access, and about cards and billing e-mails, each with « Ce n’était pas moi ».

They come whatever kinds of mails a member does without. Each function returns rows for the caller to add: the mail, and
the link in it, whose token is stored as a hash. The text of the mail is deleted once it is sent.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from flask import g, has_request_context
from flask_babel import force_locale, gettext
from sqlalchemy import select

from ..access import tokens
from ..accounts import activity
from ..db import Base, db, new_id
from ..domain import access
from ..domain.permissions import Role
from ..models.accounts import Account, Member
from ..models.alarms import AlarmLink, EmailChange
from ..models.mail import Message
from ..ports import ports
from . import layout
from .messages import security as words
from .messages.security import Told

FAMILY = "security/"  # what `about` of these mails begins with
UNFINISHED = f"{FAMILY}factor_missing/"


def tell(
    member: Member,
    what: str,
    told: Callable[[], Told],
    *,
    to: str = "",
    old_email: str | None = None,
    factor: str | None = None,
) -> list[Base]:
    """To the member, or to another address `to` of theirs. `old_email`, `factor`: what the link undoes."""
    return write(member, what, lambda: words.to_member(member.email, told()), to=to, old_email=old_email, factor=factor)


def write(
    member: Member,
    what: str,
    mail: Callable[[], layout.Mail],
    *,
    to: str = "",
    old_email: str | None = None,
    factor: str | None = None,
) -> list[Base]:
    """The same for a mail with words of its own."""
    account = db.session.get_one(Account, member.account_id)
    token, now = tokens.new_token(account.id), ports().clock.now(account)
    link = AlarmLink(
        account_id=account.id,
        token_hash=tokens.hash_token(token),
        member_id=member.id,
        created_at=now,
        old_email=old_email,
        factor=factor,
    )
    message = _message(account, member, f"{FAMILY}{what}", lambda: words.with_alarm(mail(), token), now)
    message.recipient = to or member.email
    return [link, message]


def factor_missing(member: Member, session_id: str, browser: str) -> list[Base]:
    """The right password was given, and the factor may not follow: the mail waits until it can no longer.

    None is written while there is one: an attacker who knows the password sends a mail an hour at most.
    """
    account = db.session.get_one(Account, member.account_id)
    now = ports().clock.now(account)
    this = Message.account_id == account.id, Message.about.startswith(UNFINISHED), Message.recipient == member.email
    recent = select(Message.id).where(*this, Message.sent_at > now - access.UNFINISHED_TOLD_EVERY)
    if db.session.scalars(recent.limit(1)).first() is not None:
        return []
    link, message = tell(member, "factor_missing", lambda: words.factor_missing(browser, account.local(now)))
    if isinstance(message, Message):
        message.about = unfinished(session_id)
        message.due_at = ports().clock.system_now() + access.HALFWAY_LIFETIME
    return [link, message]


def unfinished(session_id: str) -> str:
    """`about` of the mail that tells of this session."""
    return f"{UNFINISHED}{session_id}"


def email_changed(member: Member, before: str, *, to_before: bool = True) -> list[Base]:
    """To the old address first: its link puts the address back, and that of the new one does not."""

    def told() -> Told:
        return words.email_changed(before, member.email)

    old = tell(member, "email_changed", told, to=before, old_email=before) if to_before else []
    return [*old, *tell(member, "email_changed", told)]


def email_put_back(member: Member, dropped: str) -> Message:
    """To the address that was put in the place of the old one. It has no link: the older address counts."""
    account = db.session.get_one(Account, member.account_id)

    def mail() -> layout.Mail:
        told = words.email_put_back(dropped, member.email)
        action = gettext("Contact the account manager"), f"mailto:{account.manager_email}"
        return layout.Mail(told.title, dropped, [told.sentence], told.facts, action)

    message = _message(account, member, f"{FAMILY}email_put_back", mail, ports().clock.now(account))
    message.recipient = dropped
    return message


def confirm_email(account: Account, member: Member, change: EmailChange, token: str) -> Message:
    """To the new address, with the link that confirms it."""
    ends_at = account.local(change.asked_at + access.EMAIL_CHANGE_LIFETIME)

    def mail() -> layout.Mail:
        return words.confirm_email(member.name, account.legal_name, change.email, ends_at, token)

    message = _message(account, member, "confirm_email", mail, change.asked_at)
    message.recipient = change.email
    return message


def card_changed(account: Account, what: str, brand: str, last4: str) -> list[Base]:
    """To the member who did it, and to the owner. `what`: a kind of the activity."""
    return _to_actor_and_owner(account, what, lambda: words.card_changed(what, brand, last4))


def billing_emails_changed(account: Account, before: list[str]) -> list[Base]:
    """To the member who did it, to the owner, and to each address that received invoices until now."""
    now = ports().clock.now(account)

    def told() -> Told:
        return words.billing_emails_changed(before, account.billing_emails)

    rows = _to_actor_and_owner(account, "billing_emails_changed", told)
    reached = {row.recipient.casefold() for row in rows if isinstance(row, Message)}
    owner = _owner(account)
    for address in before:
        if address.casefold() in reached:
            continue
        with force_locale(account.document_locale):
            mail = words.to_billing_email(account.legal_name, told(), owner.name, owner.email)
            footer = gettext(
                "You are receiving this e-mail because this address was a billing contact for %(name)s.",
                name=account.legal_name,
            )
            written = layout.write(mail, "", footer)
        rows.append(_row(account, address, written, f"{FAMILY}billing_emails_changed", now))
    return rows


def factor_required(account: Account, members: Iterable[Member]) -> list[Base]:
    """To the members who have no second factor, now that the owner requires one."""
    owner, now = _owner(account), ports().clock.now(account)

    def mail() -> layout.Mail:
        return words.factor_required(account.legal_name, owner.name)

    return [_message(account, member, f"{FAMILY}factor_required", mail, now) for member in members]


def role_given(owner: Member, member: Member, before: str, after: str) -> list[Base]:
    """To the owner, who changed the role of a member. `before` and `after` are lazy strings."""
    return tell(owner, "role_given", lambda: words.role_given(member.name, str(before), str(after)))


def _to_actor_and_owner(account: Account, what: str, told: Callable[[], Told]) -> list[Base]:
    signed_in = g.get("member") if has_request_context() else None
    actor = db.session.get(Member, (account.id, signed_in.member_id)) if signed_in else None
    owner, rows = _owner(account), tell(actor, what, told) if actor else []
    if actor is None or actor.id != owner.id:
        by = actor.name if actor else activity.supporter.get() or "My Qlik"
        now = ports().clock.now(account)
        mail = _message(account, owner, f"{FAMILY}{what}", lambda: words.to_owner(account.legal_name, told(), by), now)
        rows.append(mail)
    return rows


def _owner(account: Account) -> Member:
    query = select(Member).where(Member.account_id == account.id, Member.role == Role.OWNER)
    return db.session.scalars(query).one()


def _message(account: Account, member: Member, about: str, mail: Callable[[], layout.Mail], now: datetime) -> Message:
    """To the member, in the member's language."""
    with force_locale(member.locale or account.document_locale):
        written = layout.write(mail(), member.name, layout.footer(account, member.role))
    return _row(account, member.email, written, about, now)


def _row(account: Account, recipient: str, written: layout.Written, about: str, now: datetime) -> Message:
    return Message(
        account_id=account.id, recipient=recipient, **written._asdict(), about=f"{about}/{new_id()}", sent_at=now
    )
