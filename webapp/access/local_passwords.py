"""Whether owners may sign in with a password of this portal."""

from flask import current_app

from ..db import db
from ..models.access import KeptDefault
from . import provider

DEFAULT = "local_passwords"


def are_on() -> bool:
    """As LOCAL_PASSWORDS says. Where it is not set: on without a provider; with one, off in a new portal."""
    setting: bool | None = current_app.config["LOCAL_PASSWORDS"]
    return setting if setting is not None else not provider.is_configured() or are_kept()


def are_kept() -> bool:
    """This portal had owners before a provider turned passwords off, so an upgrade changes nothing for them."""
    return db.session.get(KeptDefault, DEFAULT) is not None
