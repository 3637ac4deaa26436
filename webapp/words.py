"""Sentences in the language of the current page or mail.

Flask-Babel chooses the language and loads the catalogues. Its own functions look both up again for each sentence.
"""

from babel.support import NullTranslations, Translations
from flask import g
from flask_babel import LazyString, get_locale

from .config import PACKAGE

catalogues: dict[str, NullTranslations] = {}  # by language, each loaded when it is first needed


def language() -> str:
    """The language of the current page or mail, "fr" or "en"."""
    try:
        locale = g._get_current_object()._flask_babel.babel_locale  # where Flask-Babel keeps what it has chosen
    except (AttributeError, RuntimeError):  # nothing is chosen yet, or no request is open
        locale = None
    locale = locale or get_locale()
    return locale.language if locale else "fr"


def catalogue() -> NullTranslations:
    """The catalogue of the current language."""
    chosen = language()
    if chosen not in catalogues:  # by its name, since outside of a request Flask-Babel has none
        catalogues[chosen] = Translations.load(str(PACKAGE / "translations"), [chosen])
    return catalogues[chosen]


def gettext(sentence: str, **variables: object) -> str:
    translated: str = catalogue().ugettext(sentence)
    return translated % variables if variables else translated


def lazy_gettext(sentence: str, **variables: object) -> LazyString:
    """Translated when it is shown."""
    return LazyString(gettext, sentence, **variables)
