"""What a form says when somebody else changed the same fields while it was open."""

from zoneinfo import ZoneInfo

from .. import formats
from ..models.activity import Activity
from ..words import gettext


def changed_meanwhile() -> str:
    return gettext(
        "Someone else changed the same fields while you had this form open. Nothing has been saved yet. Compare "
        "the values, then save again to keep those in the form."
    )


def saved_meanwhile(field: str, value: str, change: Activity | None, zone: ZoneInfo) -> str:
    """What is stored in a field now, with who saved it and when if the activity says so."""
    if change is None or change.by is None:
        if value:
            return gettext("%(field)s: “%(value)s” was saved in the meantime.", field=field, value=value)
        return gettext("%(field)s: cleared in the meantime.", field=field)
    at = change.at.astimezone(zone)
    told = {"field": field, "name": change.by, "day": formats.day(at), "time": formats.clock_time(at)}
    if value:
        return gettext("%(field)s: %(name)s saved “%(value)s” on %(day)s at %(time)s.", value=value, **told)
    return gettext("%(field)s: cleared by %(name)s on %(day)s at %(time)s.", **told)
