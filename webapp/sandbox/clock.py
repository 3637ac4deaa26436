"""The clock of each sandbox account. It starts at the scenario's time, runs, and can be moved forward."""

from datetime import date, datetime

from sqlalchemy import bindparam, func, select

from ..adapters.clock import EASTERNMOST, in_zone, machine_now
from ..db import Across, across, db, transaction
from ..models.accounts import Account
from .tables import SandboxAccount

_table = SandboxAccount.__table__.c  # each page asks for the time: columns, as an object takes longer
_setting = select(_table.set_to, _table.set_at).where(_table.account_id == bindparam("account_id"))


class SandboxClock:
    def system_now(self) -> datetime:
        return machine_now()

    def now(self, account: Account) -> datetime:
        set_to, set_at = db.session.execute(_setting, {"account_id": account.id}).one()
        return in_zone(set_to + (machine_now() - set_at), account.zone)

    def latest_day(self, account_id: str | None) -> date:
        query = select(func.max(SandboxAccount.set_to), func.min(SandboxAccount.set_at))
        mine = SandboxAccount.account_id == account_id
        query = across(query, Across.SANDBOX) if account_id is None else query.where(mine)
        set_to, set_at = db.session.execute(query).one()
        now = machine_now()
        return ((set_to or now) + (now - (set_at or now)) + EASTERNMOST).date()


def set_clock(account_id: str, to: datetime) -> None:
    """Moves an account's clock to an instant. If the clock is already later, it stays."""
    with transaction() as session:
        setting, machine_time = session.get_one(SandboxAccount, account_id, with_for_update=True), machine_now()
        setting.set_to = max(to, setting.set_to + (machine_time - setting.set_at))
        setting.set_at = machine_time
