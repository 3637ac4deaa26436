"""Invitations: mailed links that make somebody a member, once, with the role that the owner chose."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ..access import members as known
from ..access import sessions, sign_in, tokens
from ..access.identity import SignedIn
from ..access.provider import VerifiedIdentity
from ..accounts import activity
from ..db import NotFound, db, new_id, transaction
from ..domain import team as rules
from ..domain.permissions import INVITABLE, Role
from ..domain.refusals import AddressTaken, AlreadyMember, InvitationOver
from ..mail import team_mails
from ..models.accounts import Account, Member
from ..models.team import Invitation
from ..ports import ports
from ..subscriptions import loading
from . import members


class Opened(NamedTuple):
    """An invitation that can be accepted, as its page shows it."""

    invitation: Invitation
    account: Account
    owner: str


def ends_at(invitation: Invitation) -> datetime:
    return invitation.sent_at + rules.INVITATION_LIFETIME


def list_pending(account_id: str) -> Sequence[Invitation]:
    """Those that were not accepted or withdrawn, expired ones too, the newest first."""
    query = select(Invitation).where(Invitation.account_id == account_id)
    return db.session.scalars(query.order_by(Invitation.sent_at.desc(), Invitation.email)).all()


def find_invitation(account_id: str, invitation_id: str) -> Invitation:
    """Raises NotFound."""
    query = select(Invitation).where(Invitation.account_id == account_id, Invitation.id == invitation_id)
    invitation = db.session.scalars(query).one_or_none()
    if invitation is None:
        raise NotFound(invitation_id)
    return invitation


def invite(me: SignedIn, email: str, role: Role) -> Invitation:
    """Mails an invitation. To an address that has one already, it is sent again, with this role.

    Raises AlreadyMember, or AddressTaken if the address signs in to another account: it is not said which.
    """
    if role not in INVITABLE:
        raise ValueError(role)
    email = sign_in.normalize_email(email)
    with transaction() as session:
        locked = members.lock_as_owner(session, me)
        _check_free(email, me.account_id)
        session.execute(delete(Invitation).where(Invitation.account_id == me.account_id, Invitation.email == email))
        invitation = Invitation(
            account_id=me.account_id, id=new_id(), email=email, role=role, token_hash="", invited_by=me.name
        )
        _send(session, locked, invitation)
        session.add(invitation)
        activity.record(me.account_id, "member_invited", locked.now, {}, {"member": email, "role": str(role)})
    return invitation


def send_again(me: SignedIn, invitation_id: str) -> Invitation:
    """Mails a new link; the one before stops working. Raises NotFound, AlreadyMember or AddressTaken."""
    with transaction() as session:
        locked = members.lock_as_owner(session, me)
        invitation = find_invitation(me.account_id, invitation_id)
        _check_free(invitation.email, me.account_id)
        _send(session, locked, invitation)
    return invitation


def withdraw(me: SignedIn, invitation_id: str) -> Invitation:
    """Raises NotFound."""
    with transaction() as session:
        locked = members.lock_as_owner(session, me)
        invitation = find_invitation(me.account_id, invitation_id)
        before = {"member": invitation.email, "role": invitation.role}
        activity.record(me.account_id, "invitation_withdrawn", locked.now, before)
        session.delete(invitation)
    return invitation


def _check_free(email: str, account_id: str) -> None:
    found = known.account_of(known.email_key(email))
    if found == account_id:
        raise AlreadyMember()
    if found != known.NO_ACCOUNT:
        raise AddressTaken()


def _send(session: Session, locked: members.Locked, invitation: Invitation) -> None:
    token = tokens.new_token(locked.account.id)
    invitation.token_hash, invitation.sent_at = tokens.hash_token(token), locked.now
    session.add(team_mails.invitation(locked.account, locked.owner, invitation, token))


def open_link(token: str) -> Opened:
    """Opening the link does not use it up. Raises InvitationOver."""
    account = db.session.get(Account, _account_id(token))
    invitation = _find_live(account, token) if account else None
    if account is None or invitation is None:
        raise InvitationOver()
    return Opened(invitation, account, known.name_of_owner(account.id))


def _account_id(token: str) -> str:
    return token.partition(".")[0]


def _find_live(account: Account, token: str) -> Invitation | None:
    if account.deactivated_at is not None:
        return None
    mine = Invitation.account_id == account.id, Invitation.token_hash == tokens.hash_token(token)
    invitation = db.session.scalars(select(Invitation).where(*mine)).one_or_none()
    return invitation if invitation and ports().clock.now(account) < ends_at(invitation) else None


def accept(token: str, name: str, password: str) -> None:
    """Makes the invited person a member with this password, and signs them in.

    Raises InvitationOver, or AddressTaken if the address has signed in elsewhere since then.
    """
    account_id, member_id = _join(token, name, sign_in.hasher.hash(password))
    sessions.begin(account_id, member_id)


def accept_identified(token: str, identity: VerifiedIdentity) -> bool:
    """Makes the person whom the provider identified a member. False if the invitation is to another address.

    Raises InvitationOver or AddressTaken.
    """
    email = sign_in.normalize_email(identity.email)
    if email != open_link(token).invitation.email:
        return False
    _join(token, email.partition("@")[0], "")
    return True


def _join(token: str, name: str, password_hash: str) -> tuple[str, str]:
    """The account and the id of the new member."""
    account_id = _account_id(token)
    with transaction() as session:
        if session.get(Account, account_id) is None:
            raise InvitationOver()
        loading.lock_all(account_id)  # who was not there yet is told of the next renewal, too
        locked = members.lock(session, account_id)
        invitation = _find_live(locked.account, token)
        if invitation is None:
            raise InvitationOver()
        role = Role(invitation.role)
        member = Member(
            account_id=account_id,
            id=new_id(),
            role=role,
            unwanted_mails=[str(kind) for kind in rules.unwanted_at_first(role)],
            name=name,
            email=invitation.email,
            password_hash=password_hash,
            locale=None,
        )
        session.delete(invitation)
        try:
            known.add_member(member)
        except IntegrityError:
            raise AddressTaken() from None
        after = {"member": member.email, "role": member.role}
        activity.record(account_id, "member_joined", locked.now, {}, after, person_id=member.id)
        session.add_all(team_mails.joined(locked.account, locked.owner, member, locked.now))
        return account_id, member.id
