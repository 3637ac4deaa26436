"""The machine's clock. Outside the sandbox, an account's time is the real time in its time zone."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from ..models.accounts import Account

EASTERNMOST = timedelta(hours=14)  # the largest offset from UTC of any time zone


def machine_now() -> datetime:
    """The current time in UTC. Nothing else reads the machine's time."""
    return datetime.now(UTC)


def in_zone(instant: datetime, zone: str) -> datetime:
    """The same instant in that zone, with a fixed offset, so that adding minutes is exact when clocks change."""
    local = instant.astimezone(ZoneInfo(zone))
    return local.replace(tzinfo=timezone(local.utcoffset() or timedelta()))


class MachineClock:
    def system_now(self) -> datetime:
        return machine_now()

    def now(self, account: Account) -> datetime:
        return in_zone(machine_now(), account.zone)

    def latest_day(self, _account_id: str | None) -> date:
        return (machine_now() + EASTERNMOST).date()
