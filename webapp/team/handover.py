"""Handing an account over: the owner proposes it to a member, who accepts or declines. Until then nothing changes."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete
from sqlalchemy.orm import Session

from ..access.identity import SignedIn
from ..accounts import activity
from ..db import db, transaction
from ..domain.permissions import Role
from ..domain.refusals import HandoverOpen, HandoverOver, OwnerStays
from ..domain.team import HANDOVER_LIFETIME
from ..mail import team_mails
from ..models.accounts import Account, Member
from ..models.subscriptions import Subscription
from ..models.team import Handover
from ..ports import ports
from . import members


class Proposal(NamedTuple):
    """`member` is the one to whom the account is offered, until `ends_at` by the account's clock."""

    member: Member
    ends_at: datetime


def open_proposal(account_id: str) -> Proposal | None:
    account = db.session.get_one(Account, account_id)
    handover = _find_open(account)
    if handover is None:
        return None
    member = members.find_member(account_id, handover.member_id)
    return Proposal(member, handover.proposed_at + HANDOVER_LIFETIME)


def _find_open(account: Account) -> Handover | None:
    handover = db.session.get(Handover, account.id, populate_existing=True)
    is_open = handover and ports().clock.now(account) < handover.proposed_at + HANDOVER_LIFETIME
    return handover if is_open else None


def is_offered_to(member_id: str, subscriptions: Sequence[Subscription]) -> bool:
    """Whether the account of these subscriptions is offered to this member, as it was when they were read."""
    if not subscriptions or (offer := subscriptions[0].offer) is None or offer.member_id != member_id:
        return False
    return ports().clock.now(subscriptions[0].account) < offer.proposed_at + HANDOVER_LIFETIME


def propose(me: SignedIn, member_id: str) -> Member:
    """Raises NotFound, OwnerStays if the member is the owner already, or HandoverOpen."""
    with transaction() as session:
        locked = members.lock_as_owner(session, me)
        member = locked.member(member_id)
        if member.role == Role.OWNER:
            raise OwnerStays()
        if _find_open(locked.account) is not None:
            raise HandoverOpen()
        _close(session, me.account_id)  # one that has expired
        session.flush()
        session.add(Handover(account_id=me.account_id, member_id=member_id, proposed_at=locked.now))
        _record(locked, "handover_proposed", member)
        ends_at = locked.now + HANDOVER_LIFETIME
        session.add_all(team_mails.handover_proposed(locked.account, locked.owner, member, ends_at, locked.now))
    return member


def cancel(me: SignedIn) -> None:
    """The owner takes the proposal back. Raises HandoverOver."""
    with transaction() as session:
        locked = members.lock_as_owner(session, me)
        _cancel(session, locked, _proposed(locked))


def cancel_since(session: Session, locked: members.Locked, moment: datetime) -> None:
    """Takes back what was proposed from this moment on, by the account's clock, in the open transaction."""
    handover = _find_open(locked.account)
    if handover is not None and handover.proposed_at >= moment:
        _cancel(session, locked, locked.member(handover.member_id))


def _cancel(session: Session, locked: members.Locked, member: Member) -> None:
    _close(session, locked.account.id)
    _record(locked, "handover_cancelled", member)
    session.add_all(team_mails.handover_cancelled(locked.account, locked.owner, member, locked.now))


def decline(me: SignedIn) -> None:
    """Raises HandoverOver if the account is not offered to this member, or no longer."""
    with transaction() as session:
        locked, member = _offered(session, me)
        _close(session, me.account_id)
        _record(locked, "handover_declined", member)
        session.add_all(team_mails.handover_declined(locked.account, locked.owner, member, locked.now))


def accept(me: SignedIn) -> None:
    """The member becomes the owner, and the owner a manager, in one transaction. Raises HandoverOver."""
    with transaction() as session:
        locked, member = _offered(session, me)
        before, owner = member.role, locked.owner
        _close(session, me.account_id)
        owner.role = Role.MANAGER
        session.flush()  # the schema allows no second owner for a moment either
        member.role, member.unwanted_mails = Role.OWNER, []  # the owner is told everything until they choose
        session.flush()
        activity.record(
            me.account_id,
            "handover_accepted",
            locked.now,
            {"owner": owner.email, "role": before},
            {"owner": member.email, "role": str(Role.OWNER)},
        )
        session.add_all(team_mails.handover_accepted(locked.account, owner, member, locked.now))


def _proposed(locked: members.Locked) -> Member:
    handover = _find_open(locked.account)
    if handover is None:
        raise HandoverOver()
    return locked.member(handover.member_id)


def _offered(session: Session, me: SignedIn) -> tuple[members.Locked, Member]:
    locked = members.lock(session, me.account_id)
    member = _proposed(locked)
    if member.id != me.member_id:
        raise HandoverOver()
    return locked, member


def _close(session: Session, account_id: str) -> None:
    session.execute(delete(Handover).where(Handover.account_id == account_id))


def _record(locked: members.Locked, what: str, member: Member) -> None:
    activity.record(locked.account.id, what, locked.now, {}, {"member": member.email})
