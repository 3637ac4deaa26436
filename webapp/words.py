"""Sentences in the language of the current page or mail.

Flask-Babel chooses the language and loads the catalogues. Its own functions look both up again for each sentence.
"""

from babel.support import NullTranslations
from flask import g, has_app_context
from flask_babel import LazyString, get_domain, get_locale

catalogues: dict[str, NullTranslations] = {}  # by language, each loaded when it is first needed


def language() -> str:
    """The language of the current page or mail, "fr" or "en"."""
    known = g.get("_flask_babel") if has_app_context() else None  # where Flask-Babel keeps what it has chosen
    locale = getattr(known, "babel_locale", None) or get_locale()
    return locale.language if locale else "fr"


def catalogue() -> NullTranslations:
    """The catalogue of the current language."""
    chosen = language()
    if chosen not in catalogues:
        catalogues[chosen] = get_domain().get_translations()
    return catalogues[chosen]


def gettext(sentence: str, **variables: object) -> str:
    translated: str = catalogue().ugettext(sentence)
    return translated % variables if variables else translated


def lazy_gettext(sentence: str, **variables: object) -> LazyString:
    """Translated when it is shown."""
    return LazyString(gettext, sentence, **variables)
