"""The second factors of a member, and what an account's owner says about them.

Each change is written with its mail to the member and its record in the activity. It locks the account, as changes of
the team do: of two at once the second sees what the first did.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ..accounts import activity
from ..db import LOCK, NotFound, db, transaction
from ..domain.refusals import LastFactorKept
from ..mail import security_mails
from ..mail.messages import second_factor as words
from ..mail.messages.security import Told
from ..models.access import SignInKey
from ..models.accounts import Account, Member
from ..models.second_factor import HeldForm, Passkey, RecoveryCode, Totp
from ..ports import ports
from . import factors, members, passkeys, recovery_codes, security, sessions, totp
from .identity import SignedIn

APP, CODES = words.APP, "codes"  # beside the ids of passkeys, what a link undoes


class Factors(NamedTuple):
    """`codes`: how many recovery codes are left. `required`: whether the account requires a factor of each member."""

    app: bool
    passkeys: list[Passkey]
    codes: int
    required: bool

    @property
    def any(self) -> bool:
        return self.app or bool(self.passkeys)


def of_member(member: SignedIn) -> Factors:
    required = db.session.scalars(select(Account.requires_factor).where(Account.id == member.account_id)).one()
    return Factors(totp.is_set_up(member), passkeys.of_member(member), recovery_codes.left(member), required)


def add_app(member: SignedIn, code: str) -> list[str] | None:
    """The app whose secret was shown becomes a factor if it gave this code; None if it did not.

    Returns the recovery codes that come with the first factor, to be shown once; none if there are some.
    """
    with _changing(member.account_id, member.member_id) as session:
        if not totp.confirm(session, member, code):
            return None
        return _added(session, member, words.APP, APP)


def add_passkey(member: SignedIn, credential: str, name: str) -> list[str]:
    """The passkey that the browser made becomes a factor. Returns the recovery codes, as `add_app`.

    Raises passkeys.Refused.
    """
    verified = passkeys.verify_new(credential)
    key = members.passkey_key(verified.credential_id)
    try:
        with _changing(member.account_id, member.member_id) as session:
            session.add(SignInKey(key_hash=key, account_id=member.account_id))
            session.add(
                Passkey(
                    account_id=member.account_id,
                    id=passkeys.id_of(verified.credential_id),
                    member_id=member.member_id,
                    credential_id=verified.credential_id,
                    public_key=verified.public_key,
                    sign_count=verified.sign_count,
                    name=name,
                    added_at=ports().clock.system_now(),
                )
            )
            session.flush()
            return _added(session, member, words.PASSKEY, passkeys.id_of(verified.credential_id), name)
    except IntegrityError as fault:
        raise passkeys.Refused("it is known already") from fault


def remove_app(member: SignedIn) -> None:
    """Raises NotFound if there is none, LastFactorKept if it must stay."""
    with _changing(member.account_id, member.member_id) as session:
        this = Totp.account_id == member.account_id, Totp.member_id == member.member_id
        removed = delete(Totp).where(*this, Totp.secret.is_not(None)).returning(Totp.member_id)
        if session.execute(removed).one_or_none() is None:
            raise NotFound(member.member_id)
        _removed(session, member, words.APP)


def remove_passkey(member: SignedIn, passkey_id: str) -> None:
    """Raises NotFound, LastFactorKept."""
    with _changing(member.account_id, member.member_id) as session:
        passkey = session.get(Passkey, (member.account_id, passkey_id))
        if passkey is None or passkey.member_id != member.member_id:
            raise NotFound(passkey_id)
        name = passkey.name
        session.delete(passkey)
        members.forget_key(members.passkey_key(passkey.credential_id))
        session.flush()
        _removed(session, member, words.PASSKEY, name)


def new_codes(member: SignedIn) -> list[str]:
    """A new set of recovery codes, which replaces the old one. Raises NotFound if there is no factor to recover."""
    with _changing(member.account_id, member.member_id) as session:
        if not factors.has_any(session, member.account_id, member.member_id):
            raise NotFound(member.member_id)
        _tell(session, member.account_id, member.member_id, "recovery_codes_made", words.codes_made, factor=CODES)
        return recovery_codes.make(session, member)


def recovery_code_used(session: Session, member: SignedIn) -> None:
    """Tells that a recovery code was used, in the open transaction."""
    _tell(session, member.account_id, member.member_id, "recovery_code_used", words.code_used)


def reset(account_id: str, member_id: str, by: str) -> None:
    """Removes every factor of a member who has lost them, and ends their sessions. `by`: the name of who does it.

    Raises NotFound if the member has none.
    """
    with _changing(account_id, member_id) as session:
        if not factors.has_any(session, account_id, member_id):
            raise NotFound(member_id)
        erase(session, account_id, member_id)
        sessions.end(session, account_id, member_id, "revoked")
        _tell(session, account_id, member_id, "second_factor_reset", lambda: words.reset(by), by=by)


def erase(session: Session, account_id: str, member_id: str) -> None:
    """Deletes all that this module keeps of a member, in the open transaction."""
    of = Passkey.account_id == account_id, Passkey.member_id == member_id
    for credential_id in session.scalars(delete(Passkey).where(*of).returning(Passkey.credential_id)).all():
        members.forget_key(members.passkey_key(credential_id))
    for table in (Totp, RecoveryCode, HeldForm):
        session.execute(delete(table).where(table.account_id == account_id, table.member_id == member_id))


@contextmanager
def _changing(account_id: str, member_id: str) -> Iterator[Session]:
    """A transaction that has locked the account. Raises NotFound if the member was removed since the request began."""
    with transaction() as session:
        session.get_one(Account, account_id, with_for_update=LOCK, populate_existing=True)
        members.lock_member(session, account_id, member_id)
        yield session


def disown(session: Session, account_id: str, member_id: str, added: Collection[str]) -> None:
    """Removes factors that somebody else added, in the open transaction: APP, CODES, or the ids of passkeys."""
    if APP in added:
        session.execute(delete(Totp).where(Totp.account_id == account_id, Totp.member_id == member_id))
    keys = Passkey.account_id == account_id, Passkey.member_id == member_id, Passkey.id.in_(added)
    for credential_id in session.scalars(delete(Passkey).where(*keys).returning(Passkey.credential_id)).all():
        members.forget_key(members.passkey_key(credential_id))
    if CODES in added or (added and not factors.has_any(session, account_id, member_id)):
        codes = RecoveryCode.account_id == account_id, RecoveryCode.member_id == member_id
        session.execute(delete(RecoveryCode).where(*codes))


def _added(session: Session, member: SignedIn, kind: str, factor: str, name: str = "") -> list[str]:
    told = partial(words.added, kind, name)
    _tell(session, member.account_id, member.member_id, "second_factor_added", told, factor=factor)
    return [] if recovery_codes.left(member) else recovery_codes.make(session, member)


def _removed(session: Session, member: SignedIn, kind: str, name: str = "") -> None:
    if not factors.has_any(session, member.account_id, member.member_id):
        if session.get_one(Account, member.account_id).requires_factor:
            raise LastFactorKept
        this = RecoveryCode.account_id == member.account_id, RecoveryCode.member_id == member.member_id
        session.execute(delete(RecoveryCode).where(*this))
    _tell(session, member.account_id, member.member_id, "second_factor_removed", lambda: words.removed(kind, name))


def _tell(
    session: Session,
    account_id: str,
    member_id: str,
    what: str,
    told: Callable[[], Told],
    by: str | None = None,
    factor: str | None = None,
) -> None:
    """The mail to the member, and the record in the activity of the account."""
    member = session.get_one(Member, (account_id, member_id))
    session.add_all(security_mails.tell(member, what, told, factor=factor))
    now: datetime = ports().clock.now(session.get_one(Account, account_id))
    security.happened(account_id, member_id, what)
    activity.record(account_id, what, now, after={"member": member.email}, by=by or member.name)
