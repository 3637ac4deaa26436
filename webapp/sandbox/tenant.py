"""The tenant's user directory. Its count of active users is as late as owners are asked to wait."""

from sqlalchemy import select

from ..db import db
from ..domain import subscription as rules
from ..models.accounts import Account
from ..ports import ActiveUsers, Clock, DirectoryUnavailable
from .tables import SandboxAccount, SandboxHeadcount


class SandboxDirectory:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def active_users(self, tenant: str) -> ActiveUsers:
        rows = db.session.scalars(
            select(SandboxHeadcount)
            .where(SandboxHeadcount.tenant == tenant)
            .order_by(SandboxHeadcount.since.desc(), SandboxHeadcount.id.desc())
        ).all()
        if not rows or db.session.get_one(SandboxAccount, rows[0].customer).directory_down:
            raise DirectoryUnavailable(f"{tenant} does not answer")
        as_of = self.clock.now(db.session.get_one(Account, rows[0].customer)) - rules.ACTIVE_USERS_LAG
        headcount = next((row for row in rows if row.since <= as_of), rows[-1])
        return ActiveUsers(headcount.active, as_of)
