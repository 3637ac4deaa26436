"""The machine's clock: outside the sandbox, business time is the time that it is at the account's place."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from ..models.accounts import Account

EASTERNMOST = timedelta(hours=14)  # no zone is further ahead


def machine_now() -> datetime:
    """The one place that reads the machine's time."""
    return datetime.now(UTC)


def at_place(instant: datetime, zone: str) -> datetime:
    """The same instant in that zone, with a fixed offset, so that adding minutes adds minutes on any night."""
    local = instant.astimezone(ZoneInfo(zone))
    return local.replace(tzinfo=timezone(local.utcoffset() or timedelta()))


class MachineClock:
    def system_now(self) -> datetime:
        return machine_now()

    def now(self, account: Account) -> datetime:
        return at_place(machine_now(), account.zone)

    def latest_day(self, _account_id: str | None) -> date:
        return (machine_now() + EASTERNMOST).date()
