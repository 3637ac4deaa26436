"""The clock of each sandbox account. It starts at the scenario's time, runs, and can be moved forward."""

from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import bindparam, func, select

from ..adapters.clock import EASTERNMOST, in_zone, machine_now
from ..db import Across, across, db, transaction
from ..models.accounts import Account
from .tables import SandboxAccount

_account = SandboxAccount.__table__.c
_clock = select(_account.set_to, _account.set_at, _account.directory_down).where(
    _account.account_id == bindparam("account_id")
)


class AccountClock(NamedTuple):
    """The account's time in UTC, and whether testers switched its directory off."""

    now: datetime
    directory_down: bool


def read_clock(account_id: str) -> AccountClock:
    row = db.session.execute(_clock, {"account_id": account_id}).one()
    return AccountClock(row.set_to + (machine_now() - row.set_at), row.directory_down)


class SandboxClock:
    def system_now(self) -> datetime:
        return machine_now()

    def now(self, account: Account) -> datetime:
        return in_zone(read_clock(account.id).now, account.zone)

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
