"""Words of the mails about a member's second factor."""

from flask_babel import gettext

from .security import Told

APP, PASSKEY = "app", "passkey"


def added(kind: str, name: str) -> Told:
    if kind == APP:
        sentence = gettext("An authenticator app is now a second factor of your My Qlik access.")
    else:
        sentence = gettext("A passkey is now a second factor of your My Qlik access.")
    return Told(gettext("A second factor has been added"), sentence, _named(name))


def removed(kind: str, name: str) -> Told:
    if kind == APP:
        sentence = gettext("The authenticator app is no longer a second factor of your My Qlik access.")
    else:
        sentence = gettext("A passkey is no longer a second factor of your My Qlik access.")
    return Told(gettext("A second factor has been removed"), sentence, _named(name))


def reset(by: str) -> Told:
    sentence = gettext(
        "%(name)s has removed all second factors of your My Qlik access. Your sessions have been ended: sign in with "
        "your password, then set up a new factor.",
        name=by,
    )
    return Told(gettext("Your second factor has been reset"), sentence)


def codes_made() -> Told:
    sentence = gettext(
        "New recovery codes have been created for your My Qlik access. The previous ones no longer work."
    )
    return Told(gettext("New recovery codes"), sentence)


def code_used() -> Told:
    sentence = gettext("A recovery code was used to sign in to your My Qlik access. It will not work again.")
    return Told(gettext("A recovery code was used"), sentence)


def _named(name: str) -> list[tuple[str, str]]:
    return [(gettext("Passkey"), name)] if name else []
