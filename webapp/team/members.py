"""The members of an account: listing them, changing a role, removing, leaving.

Each change locks the account and reads the roles again, so that two changes at once cannot leave it without an owner.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from ..access import members as known
from ..access import second_factor
from ..access.identity import SignedIn
from ..accounts import activity, people
from ..db import LOCK, NotFound, db, transaction
from ..domain.permissions import Procedure, Role
from ..domain.refusals import NotPermitted, OwnerStays, RoleMoved
from ..domain.team import MailKind, unwanted_at_first
from ..mail import team_mails
from ..models.access import MemberSession, PasswordReset
from ..models.accounts import Account, Member
from ..models.alarms import AlarmLink, EmailChange, KnownBrowser
from ..models.drafts import Draft
from ..models.team import Handover
from ..ports import ports
from ..subscriptions import loading


class Locked(NamedTuple):
    """The account, which this transaction has locked, its time, and its members."""

    account: Account
    now: datetime
    members: Sequence[Member]

    @property
    def owner(self) -> Member:
        return next(member for member in self.members if member.role == Role.OWNER)

    def member(self, member_id: str) -> Member:
        """Raises NotFound if it is not, or no longer, a member of the account."""
        for member in self.members:
            if member.id == member_id:
                return member
        raise NotFound(member_id)


def lock(session: Session, account_id: str) -> Locked:
    account = session.get_one(Account, account_id, with_for_update=LOCK)
    return Locked(account, ports().clock.now(account), list_members(account_id))


def lock_as_owner(session: Session, me: SignedIn) -> Locked:
    """Raises NotPermitted if somebody else has become the owner since the request began."""
    locked = lock(session, me.account_id)
    if locked.owner.id != me.member_id:
        raise NotPermitted(Procedure.TEAM, locked.owner.name)
    return locked


def list_members(account_id: str) -> Sequence[Member]:
    """The owner first, then by name."""
    query = select(Member).where(Member.account_id == account_id).execution_options(populate_existing=True)
    members = db.session.scalars(query).all()
    return sorted(members, key=lambda member: (member.role != Role.OWNER, member.name.casefold(), member.email))


def find_member(account_id: str, member_id: str) -> Member:
    """Raises NotFound."""
    query = select(Member).where(Member.account_id == account_id, Member.id == member_id)
    member = db.session.scalars(query).one_or_none()
    if member is None:
        raise NotFound(member_id)
    return member


def change_role(me: SignedIn, member_id: str, role: Role, shown: str = "") -> Member:
    """Gives a member a role other than owner. `shown` is the role that the page showed, if it said so.

    Raises NotFound, OwnerStays, or RoleMoved if the member has another role by now than was shown.
    """
    with transaction() as session:
        locked = lock_as_owner(session, me)
        member = locked.member(member_id)
        if member.role == Role.OWNER:
            raise OwnerStays()
        if shown and shown != member.role:
            raise RoleMoved()
        before = member.role
        if role != before:
            if set(member.unwanted_mails) == set(unwanted_at_first(Role(before))):
                member.unwanted_mails = [str(kind) for kind in unwanted_at_first(role)]
            member.role = role
            facts = {"member": member.email}
            activity.record(
                me.account_id, "member_role_changed", locked.now, {"role": before}, {**facts, "role": str(role)}
            )
            session.add_all(team_mails.role_changed(locked.account, locked.owner, member, before))
    return member


def unwanted_mails(me: SignedIn) -> list[str]:
    query = select(Member.unwanted_mails).where(Member.account_id == me.account_id, Member.id == me.member_id)
    return db.session.scalars(query).one()


def choose_mails(me: SignedIn, wanted: Collection[str]) -> None:
    """Stores which kinds of mails the signed-in member gets. Mails about their own access always come."""
    unwanted = [str(kind) for kind in MailKind if kind not in wanted]
    with transaction() as session:
        loading.lock_all(me.account_id)  # a notice may be due to somebody who did not want it until now
        this = Member.account_id == me.account_id, Member.id == me.member_id
        session.execute(update(Member).where(*this).values(unwanted_mails=unwanted))


def remove(me: SignedIn, member_id: str) -> Member:
    """Removes a member, whose sessions end at once. Raises NotFound or OwnerStays."""
    with transaction() as session:
        locked = lock_as_owner(session, me)
        member = go(session, locked, member_id, "member_removed")
        session.add(team_mails.removed(locked.account, member, me.name, locked.now))
    return member


def leave(me: SignedIn) -> None:
    """The signed-in member leaves the account. Raises OwnerStays."""
    with transaction() as session:
        locked = lock(session, me.account_id)
        member = go(session, locked, me.member_id, "member_left")
        session.add_all(team_mails.left(locked.account, locked.owner, member, locked.now))


def go(session: Session, locked: Locked, member_id: str, what: str) -> Member:
    """Deletes a member and all that lets them in. What they did stays, and payments that they began complete."""
    member = locked.member(member_id)
    if member.role == Role.OWNER:
        raise OwnerStays()
    session.get_one(Member, (member.account_id, member.id), with_for_update=True)  # nothing can refer to them any more
    before = {"member": member.email, "role": member.role}
    activity.record(locked.account.id, what, locked.now, before)
    known.unbind(session, member)
    known.forget_key(known.email_key(member.email))
    people.keep(member)
    second_factor.erase(session, member.account_id, member.id)
    own = Handover, Draft, PasswordReset, MemberSession, KnownBrowser, AlarmLink, EmailChange
    for table in own:
        session.execute(delete(table).where(table.account_id == member.account_id, table.member_id == member.id))
    session.flush()
    session.expunge(member)
    session.execute(delete(Member).where(Member.account_id == member.account_id, Member.id == member.id))
    return member
