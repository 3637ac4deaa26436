"""The clock of each sandbox account: it starts where its scenario says, ticks, and is moved forward by testers."""

from datetime import datetime

from ..adapters.clock import at_place
from ..adapters.clock import machine_now as machine_now
from ..db import db
from ..models import Account
from .tables import SandboxAccount


class SandboxClock:
    def system_now(self) -> datetime:
        return machine_now()

    def now(self, account: Account) -> datetime:
        setting = db.session.get_one(SandboxAccount, account.id)
        return at_place(setting.set_to + (machine_now() - setting.set_at), account.zone)
