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
            gettext("Somebody asked to set a new password for your access to My Qlik."),
            gettext("If it was not you, there is nothing to do: your password stays as it is."),
        ],
        [(gettext("The link works for"), valid), *_where(browser)],
        (gettext("Set a new password"), public_url("passwords.open_link", token=token)),
    )


def password_changed(email: str, browser: str) -> Mail:
    return Mail(
        gettext("Your password is changed"),
        email,
        [
            gettext("The password of your access to My Qlik is changed, and every other session is ended."),
            gettext("If it was not you, set a new password at once and tell your Qlik account manager."),
        ],
        [(gettext("E-mail"), email), *_where(browser)],
        (gettext("Set a new password"), public_url("passwords.forgotten")),
    )


def _where(browser: str) -> list[tuple[str, str]]:
    return [(gettext("Browser"), browser)] if browser else []
