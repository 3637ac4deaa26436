"""The clock of each sandbox account: it starts where its scenario says, ticks, and is moved forward by testers."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from ..db import db
from ..models import Account
from .tables import SandboxAccount


def machine_now() -> datetime:
    """The one place that reads the machine's time."""
    return datetime.now(UTC)


class SandboxClock:
    def system_now(self) -> datetime:
        return machine_now()

    def now(self, account: Account) -> datetime:
        setting = db.session.get_one(SandboxAccount, account.id)
        local = (setting.set_to + (machine_now() - setting.set_at)).astimezone(ZoneInfo(account.zone))
        return local.replace(tzinfo=timezone(local.utcoffset() or timedelta()))  # so that adding minutes adds minutes
