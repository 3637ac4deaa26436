"""The tenant's user directory. Its count of active users lags, as Qlik's help says: "wait at least two minutes"."""

from datetime import timedelta

from sqlalchemy import select

from ..db import db
from ..models.accounts import Account
from ..ports import ActiveUsers, Clock, DirectoryUnavailable
from .tables import SandboxAccount, SandboxHeadcount

LAG = timedelta(minutes=2)


class SandboxDirectory:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def active_users(self, tenant: str) -> ActiveUsers:
        rows = db.session.scalars(
            select(SandboxHeadcount)
            .where(SandboxHeadcount.tenant == tenant)
            .order_by(SandboxHeadcount.since.desc(), SandboxHeadcount.id.desc())
        ).all()
        if not rows or db.session.get_one(SandboxAccount, rows[0].account_id).directory_down:
            raise DirectoryUnavailable(f"{tenant} does not answer")
        as_of = self.clock.now(db.session.get_one(Account, rows[0].account_id)) - LAG
        headcount = next((row for row in rows if row.since <= as_of), rows[-1])
        return ActiveUsers(headcount.active, as_of)
