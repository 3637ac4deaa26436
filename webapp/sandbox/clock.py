"""The clock of each sandbox account: it starts where its scenario says, ticks, and is moved forward by testers."""

from datetime import date, datetime

from sqlalchemy import func, select

from ..adapters.clock import EASTERNMOST, in_zone, machine_now
from ..db import db
from ..models.accounts import Account
from .tables import SandboxAccount


class SandboxClock:
    def system_now(self) -> datetime:
        return machine_now()

    def now(self, account: Account) -> datetime:
        setting = db.session.get_one(SandboxAccount, account.id)
        return in_zone(setting.set_to + (machine_now() - setting.set_at), account.zone)

    def latest_day(self, account_id: str | None) -> date:
        query = select(func.max(SandboxAccount.set_to), func.min(SandboxAccount.set_at))
        set_to, set_at = db.session.execute(
            query if account_id is None else query.where(SandboxAccount.account_id == account_id)
        ).one()
        now = machine_now()
        return ((set_to or now) + (now - (set_at or now)) + EASTERNMOST).date()
