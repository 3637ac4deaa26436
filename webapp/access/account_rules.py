"""What the owner of an account sets for all of its members: whether each needs a second factor, and the limit above
which a payment asks for proof."""

from typing import NamedTuple

from sqlalchemy import select

from ..accounts import activity
from ..db import LOCK, NotFound, transaction
from ..db import db as database
from ..mail import security_mails
from ..models.access import ProviderIdentity
from ..models.accounts import Account, Member
from ..ports import ports
from . import factors


class MemberFactor(NamedTuple):
    """`bound`: whether the member is known at the provider, whose own factors count for a sign-in there."""

    id: str
    name: str
    email: str
    has_factor: bool
    bound: bool


class Rules(NamedTuple):
    requires_factor: bool
    spending_limit: int | None


def rules_of(account_id: str) -> Rules:
    query = select(Account.requires_factor, Account.spending_limit).where(Account.id == account_id)
    return Rules(*database.session.execute(query).one())


def members_of(account_id: str) -> list[MemberFactor]:
    identity = ProviderIdentity.account_id == Member.account_id, ProviderIdentity.member_id == Member.id
    columns = Member.id, Member.name, Member.email, factors.is_set_up(), select(1).where(*identity).exists()
    query = select(*columns).where(Member.account_id == account_id).order_by(Member.name, Member.id)
    return [MemberFactor(*row) for row in database.session.execute(query)]


def find_member(account_id: str, member_id: str) -> Member:
    """Raises NotFound."""
    member = database.session.get(Member, (account_id, member_id))
    if member is None:
        raise NotFound(member_id)
    return member


def require_factor(account_id: str, required: bool) -> bool:
    """Returns whether this changes anything."""
    with transaction() as session:
        account = session.get_one(Account, account_id, with_for_update=LOCK)
        if account.requires_factor == required:
            return False
        account.requires_factor = required
        what = "second_factor_required" if required else "second_factor_optional"
        activity.record(account_id, what, ports().clock.now(account))
        if required:
            without = [row.id for row in members_of(account_id) if not row.has_factor and not row.bound]
            mine = Member.account_id == account_id, Member.id.in_(without)
            session.add_all(security_mails.factor_required(account, session.scalars(select(Member).where(*mine)).all()))
    return True


def set_spending_limit(account_id: str, limit: int | None) -> bool:
    """`limit` in cents, None for no limit. Returns whether this changes anything."""
    with transaction() as session:
        account = session.get_one(Account, account_id, with_for_update=LOCK)
        before = account.spending_limit
        if before == limit:
            return False
        account.spending_limit = limit
        now = ports().clock.now(account)
        activity.record(account_id, "spending_limit_changed", now, _amount(before), _amount(limit))
    return True


def _amount(cents: int | None) -> dict[str, int]:
    return {} if cents is None else {"total": cents}
