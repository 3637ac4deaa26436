"""Words of the mails about an owner's password. `browser` is empty where it is not known."""

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


def password_changed(email: str, browser: str) -> Mail:
    return Mail(
        gettext("Your password has been changed"),
        email,
        [
            gettext("Your My Qlik password has been changed, and all other sessions have been ended."),
            gettext("If this was not you, set a new password straight away and tell your Qlik account manager."),
        ],
        [(gettext("E-mail"), email), *_where(browser)],
        (gettext("Set a new password"), public_url("passwords.forgotten")),
    )


def _where(browser: str) -> list[tuple[str, str]]:
    return [(gettext("Browser"), browser)] if browser else []
