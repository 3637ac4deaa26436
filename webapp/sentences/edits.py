"""What a form says when somebody else changed the same fields while it was open."""

from zoneinfo import ZoneInfo

from .. import formats
from ..models.activity import Activity
from ..words import gettext


def changed_meanwhile() -> str:
    return gettext(
        "Somebody else changed the same fields while this form was open. Nothing was saved yet. "
        "Compare the values, then save again: what the form shows is saved."
    )


def saved_meanwhile(field: str, value: str, change: Activity | None, zone: ZoneInfo) -> str:
    """What is stored in a field now, with who saved it and when if the activity says so."""
    if change is None or change.by is None:
        if value:
            return gettext("%(field)s: “%(value)s” was saved meanwhile.", field=field, value=value)
        return gettext("%(field)s: it was emptied meanwhile.", field=field)
    at = change.at.astimezone(zone)
    told = {"field": field, "name": change.by, "day": formats.day(at), "time": formats.clock_time(at)}
    if value:
        return gettext("%(field)s: %(name)s saved “%(value)s” on %(day)s at %(time)s.", value=value, **told)
    return gettext("%(field)s: %(name)s emptied it on %(day)s at %(time)s.", **told)
