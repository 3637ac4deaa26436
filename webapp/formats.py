"""Formats money, numbers and dates in the reader's language. Amounts are in cents; the end of a period is exclusive.

What was formatted is remembered: pages show the same dates and amounts again and again. Templates have these functions
bound to their language (see `in_language`); elsewhere the current one is looked up.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache, partial
from math import ceil
from typing import Any
from unicodedata import normalize

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal
from flask_babel import get_locale

from .words import catalogue, gettext, language

Functions = dict[str, Callable[..., Any]]
REMEMBERED = 4096
REGIONS = {"fr": "fr_FR", "en": "en_GB"}  # English is British, because the portal bills in Europe


@lru_cache(REMEMBERED)
def _money(language: str, cents: int, currency: str = "EUR") -> str:
    return format_currency(Decimal(cents).scaleb(-2), currency, locale=REGIONS[language])


@lru_cache(REMEMBERED)
def _number(language: str, value: int) -> str:
    return format_decimal(value, locale=REGIONS[language])


@lru_cache(REMEMBERED)
def _day(language: str, value: date | str) -> str:
    value = date.fromisoformat(value) if isinstance(value, str) else value
    return format_date(value, "d MMMM y", locale=REGIONS[language]).replace(" ", "\u00a0")


@lru_cache(REMEMBERED)
def _last_day(language: str, end: date | str) -> str:
    end = date.fromisoformat(end) if isinstance(end, str) else end
    return _day(language, end - timedelta(days=1))


@lru_cache(REMEMBERED)
def _period(language: str, value: tuple[int, date, date]) -> str:
    return f"{_day(language, value[1])} – {_last_day(language, value[2])}"


@lru_cache(REMEMBERED)
def _month(language: str, value: date) -> str:
    return format_date(value, "MMM y", locale=REGIONS[language]).replace(" ", "\u00a0")


@lru_cache(REMEMBERED)
def _month_name(language: str, value: date) -> str:
    return format_date(value, "LLLL y", locale=REGIONS[language])


def money(cents: int, currency: str = "EUR") -> str:
    return _money(language(), cents, currency)


def number(value: int) -> str:
    return _number(language(), value)


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
    value = format_decimal(Decimal(basis_points).scaleb(-2), locale=REGIONS[language()])
    return f"{value}\u00a0%" if language() == "fr" else f"{value}%"


def day(value: date | str) -> str:
    """15 février 2027, with no-break spaces. `value` may be an ISO 8601 date."""
    return _day(language(), value)


def month(value: date) -> str:
    """janv. 2027"""
    return _month(language(), value)


def month_name(value: date) -> str:
    """janvier 2027"""
    return _month_name(language(), value)


def last_day(end: date | str) -> str:
    """The last day of a period whose `end` is exclusive."""
    return _last_day(language(), end)


def period(value: tuple[int, date, date]) -> str:
    """15 janvier 2027 – 14 février 2027. `value` is (ordinal, start, exclusive end)."""
    return _period(language(), value)


# Territories in CLDR that are not countries of ISO 3166-1.
NO_COUNTRY = frozenset({"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"})


def country(code: str) -> str:
    """The name of a country in the reader's language."""
    locale = get_locale()
    return str(locale.territories.get(code, code)) if locale else code


def country_codes(locale: Locale) -> list[str]:
    """By ISO 3166-1; a language names all of them."""
    codes = map(str, locale.territories)
    return [code for code in codes if len(code) == 2 and code.isalpha() and code not in NO_COUNTRY]


def countries() -> dict[str, str]:
    """Country names by ISO 3166-1 code, sorted by name without accents: É is sorted as E."""
    locale = get_locale()
    named = [(code, str(locale.territories[code])) for code in country_codes(locale)]
    return dict(sorted(named, key=lambda pair: normalize("NFKD", pair[1]).encode("ascii", "ignore").lower()))


def clock_time(value: datetime) -> str:
    """09:03, in the time zone of `value`."""
    return f"{value:%H:%M}"


def last_minute(end: datetime) -> str:
    """16 February 2027 at 23:59, of what ends at midnight; in the zone that `end` carries."""
    last = end - timedelta(minutes=1)
    return gettext("%(day)s at %(time)s", day=day(last.date()), time=clock_time(last))


def minutes_and_seconds(seconds: int) -> tuple[int, str]:
    """65 is 1 and 05."""
    return seconds // 60, f"{seconds % 60:02}"


def ngettext(singular: str, plural: str, count: int, **variables: object) -> str:
    """The sentence for the count, which is `%(n)s`, formatted in the reader's language."""
    return str(catalogue().ungettext(singular, plural, count)) % {"n": number(count), **variables}


# Running text has numbers up to ten in words; « une » because minutes are feminine. Babel knows no such names.
WORDS = {
    "en": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    "fr": ("zéro", "une", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix"),
}


def minutes(duration: timedelta) -> str:
    """A time to wait, in words and rounded up: « deux minutes », « 30 minutes »."""
    count, words = ceil(duration / timedelta(minutes=1)), WORDS[language()]
    printed = words[count] if count < len(words) else number(count)
    return ngettext("%(n)s minute", "%(n)s minutes", count, n=printed)


def card_name(brand: str, last4: str) -> str:
    """The name of a card, such as Visa •••• 4242, with a no-break space before the digits."""
    return f"{brand} ••••\u00a0{last4}"


def in_language(language: str) -> tuple[Functions, Functions]:
    """The filters and functions of templates that are asked for most, without looking for the language."""
    sentences, number = catalogue(), partial(_number, language)

    def ngettext(singular: str, plural: str, count: int, **variables: object) -> str:
        return str(sentences.ungettext(singular, plural, count)) % {"n": number(count), **variables}

    filters: Functions = {
        "money": partial(_money, language),
        "number": number,
        "day": partial(_day, language),
        "last_day": partial(_last_day, language),
        "period": partial(_period, language),
        "month": partial(_month, language),
        "month_name": partial(_month_name, language),
    }
    return filters, {"ngettext": ngettext, "language": lambda: language}


FILTERS = {
    "money": money,
    "number": number,
    "percent": percent,
    "day": day,
    "last_day": last_day,
    "month": month,
    "month_name": month_name,
    "clock_time": clock_time,
    "last_minute": last_minute,
    "period": period,
    "minutes": minutes,
    "country": country,
    "money_change": money_change,
    "number_change": number_change,
    "minutes_and_seconds": minutes_and_seconds,
}
