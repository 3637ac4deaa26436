"""Formats money, numbers and dates in the reader's language. Amounts are in cents; the end of a period is exclusive."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from math import ceil
from unicodedata import normalize

import flask_babel
from babel.dates import format_date, format_time
from babel.numbers import format_currency, format_decimal
from flask_babel import get_locale, gettext


@lru_cache(maxsize=4096)
def _money(cents: int, currency: str, locale: str) -> str:
    return format_currency(Decimal(cents).scaleb(-2), currency, locale=locale)


@lru_cache(maxsize=4096)
def _number(value: int, locale: str) -> str:
    return format_decimal(value, locale=locale)


def language() -> str:
    """The language of the current page or mail, "fr" or "en"."""
    locale = get_locale()
    return locale.language if locale else "fr"


def _regional() -> str:
    """The locale for dates and numbers. English is British, because the portal bills in Europe."""
    return "en_GB" if language() == "en" else "fr_FR"


def money(cents: int, currency: str = "EUR") -> str:
    return _money(cents, currency, _regional())


def number(value: int) -> str:
    return _number(value, _regional())


def _signed(value: int, printed: str) -> str:
    space = "\u00a0" if language() == "fr" else ""
    return f"{'+' if value > 0 else '−'}{space}{printed}" if value else printed


def money_change(cents: int, currency: str = "EUR") -> str:
    """A difference with its sign: + 24,00 €."""
    return _signed(cents, money(abs(cents), currency))


def number_change(value: int) -> str:
    return _signed(value, number(abs(value)))


def percent(basis_points: int) -> str:
    """20 % for 2000."""
    value = format_decimal(Decimal(basis_points).scaleb(-2), locale=_regional())
    return f"{value}\u00a0%" if language() == "fr" else f"{value}%"


def day(value: date | str) -> str:
    """15 février 2027, with no-break spaces. `value` may be an ISO 8601 date."""
    if isinstance(value, str):
        value = date.fromisoformat(value)
    return format_date(value, "d MMMM y", locale=_regional()).replace(" ", "\u00a0")


def month(value: date) -> str:
    """janv. 2027"""
    return format_date(value, "MMM y", locale=_regional()).replace(" ", "\u00a0")


def last_day(end: date | str) -> str:
    """The last day of a period whose `end` is exclusive."""
    if isinstance(end, str):
        end = date.fromisoformat(end)
    return day(end - timedelta(days=1))


def period(value: tuple[int, date, date]) -> str:
    """15 janvier 2027 – 14 février 2027. `value` is (ordinal, start, exclusive end)."""
    return f"{day(value[1])} – {last_day(value[2])}"


# Territories in CLDR that are not countries of ISO 3166-1.
NO_COUNTRY = frozenset({"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"})


def country(code: str) -> str:
    """The name of a country in the reader's language."""
    locale = get_locale()
    return str(locale.territories.get(code, code)) if locale else code


def countries() -> dict[str, str]:
    """Country names by ISO 3166-1 code, sorted by name without accents: É is sorted as E."""
    locale = get_locale()
    codes = [code for code in locale.territories if len(code) == 2 and code.isalpha() and code not in NO_COUNTRY]
    named = [(code, str(locale.territories[code])) for code in codes]
    return dict(sorted(named, key=lambda pair: normalize("NFKD", pair[1]).encode("ascii", "ignore").lower()))


def clock_time(value: datetime) -> str:
    """09:03, in the time zone of `value`."""
    return format_time(value, "HH:mm", locale=_regional())


def last_minute(end: datetime) -> str:
    """16 February 2027 at 23:59, of what ends at midnight; in the zone that `end` carries."""
    last = end - timedelta(minutes=1)
    return gettext("%(day)s at %(time)s", day=day(last.date()), time=clock_time(last))


def minutes_and_seconds(seconds: int) -> tuple[int, str]:
    """65 is 1 and 05."""
    return seconds // 60, f"{seconds % 60:02}"


def ngettext(singular: str, plural: str, count: int, **variables: object) -> str:
    """Like flask_babel's, with `%(n)s` as the count, formatted in the reader's language."""
    return str(flask_babel.ngettext(singular, plural, count, n=number(count), **variables))


# Running text has numbers up to ten in words; « une » because minutes are feminine. Babel knows no such names.
WORDS = {
    "en": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    "fr": ("zéro", "une", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix"),
}


def minutes(duration: timedelta) -> str:
    """A time to wait, in words and rounded up: « deux minutes », « 30 minutes »."""
    count, words = ceil(duration / timedelta(minutes=1)), WORDS[language()]
    printed = words[count] if count < len(words) else number(count)
    return str(flask_babel.ngettext("%(n)s minute", "%(n)s minutes", count, n=printed))


def card_name(brand: str, last4: str) -> str:
    """The name of a card, such as Visa •••• 4242, with a no-break space before the digits."""
    return f"{brand} ••••\u00a0{last4}"


FILTERS = {
    "money": money,
    "number": number,
    "percent": percent,
    "day": day,
    "last_day": last_day,
    "month": month,
    "clock_time": clock_time,
    "last_minute": last_minute,
    "period": period,
    "minutes": minutes,
    "country": country,
    "money_change": money_change,
    "number_change": number_change,
    "minutes_and_seconds": minutes_and_seconds,
}
