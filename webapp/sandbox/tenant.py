"""The tenant's user directory. Its count of active users is as late as owners are asked to wait."""

from sqlalchemy import bindparam, select

from ..db import db
from ..domain import subscription as rules
from ..ports import ActiveUsers, DirectoryUnavailable
from .clock import read_clock
from .tables import SandboxHeadcount

_headcount = SandboxHeadcount.__table__.c
_headcounts = (
    select(_headcount.customer, _headcount.active, _headcount.since)
    .where(_headcount.tenant == bindparam("tenant"))
    .order_by(_headcount.since.desc(), _headcount.id.desc())
)


class SandboxDirectory:
    def active_users(self, tenant: str) -> ActiveUsers:
        rows = db.session.execute(_headcounts, {"tenant": tenant}).all()
        clock = read_clock(rows[0].customer) if rows else None
        if clock is None or clock.directory_down:
            raise DirectoryUnavailable(f"{tenant} does not answer")
        as_of = clock.now - rules.ACTIVE_USERS_LAG
        headcount = next((row for row in rows if row.since <= as_of), rows[-1])
        return ActiveUsers(headcount.active, as_of)
