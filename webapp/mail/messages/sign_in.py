"""Words of the mail that resets a password. `browser` is empty where it is not known."""

from flask_babel import gettext

from ...domain import access
from ...formats import ngettext
from ...urls import public_url
from ..layout import Mail


def password_reset(email: str, token: str, browser: str) -> Mail:
    minutes = int(access.RESET_LIFETIME.total_seconds() // 60)
    valid = ngettext("%(n)s minute, once", "%(n)s minutes, once", minutes)
    return Mail(
        gettext("Set a new password"),
        email,
        [
            gettext("Someone asked to set a new password for your My Qlik access."),
            gettext("If this was not you, there is nothing you need to do: your password stays the same."),
        ],
        [(gettext("Link valid for"), valid), *_where(browser)],
        (gettext("Set a new password"), public_url("passwords.open_link", token=token)),
    )


def _where(browser: str) -> list[tuple[str, str]]:
    return [(gettext("Browser"), browser)] if browser else []
