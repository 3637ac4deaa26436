"""The billing information of an account: whom invoices name as buyer, and who receives them."""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from stdnum.eu import vat as eu_vat
from stdnum.fr import siren as fr_siren
from stdnum.fr import siret as fr_siret
from stdnum.mc import tva as monaco_vat

from .. import addresses, pasting
from ..db import db
from ..domain.checks import TaxNumber
from ..domain.tax import (
    EU,
    FRENCH_VAT_AREA,
    OTHER_TERRITORIES,
    WITH_SIREN,
    WITHOUT_FRENCH_VAT,
    TaxTerms,
    country_of_postal_code,
    tax_terms,
)
from ..models.accounts import Account


def account_of(account_id: str) -> Account:
    """The account with this id, which comes from the session and so must exist."""
    return db.session.get_one(Account, account_id)


FRENCH_NUMBERS = FRENCH_VAT_AREA | WITHOUT_FRENCH_VAT  # where a VAT number is a French one
VAT_PREFIX = {"GR": "EL"} | dict.fromkeys(FRENCH_NUMBERS, "FR")  # where it is not the country's own code
SIREN_LENGTH, SIRET_LENGTH = 9, 14
MAX_EMAILS = 10


class WrongDigits(ValueError):
    """A number whose check digits are wrong."""


class WrongCountry(ValueError):
    """A VAT number of another country than the chosen one. `prefix` is the prefix required there, empty if none is."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix


class WrongEmailCount(ValueError):
    """There is no address, or more than MAX_EMAILS."""

    def __init__(self) -> None:
        super().__init__(f"Write 1 to {MAX_EMAILS} e-mail addresses")


class Information(NamedTuple):
    """The columns of `Account` that the owner may change. `update_information` of
    `billing_changes` normalises the numbers."""

    legal_name: str
    street: str
    postal_code: str
    city: str
    country: str
    siren: str | None
    vat_number: str | None
    purchase_order: str | None
    billing_emails: list[str]
    document_locale: str


LONGEST = {
    name: column.type.length
    for name in Information._fields
    if hasattr((column := Account.__table__.c[name]).type, "length")
}


def plain(text: str) -> str:
    """Trimmed, in Unicode form NFC, with ordinary spaces. Controls inside stay, so that validation refuses them."""
    return pasting.line(unicodedata.normalize("NFC", text))


def compact(text: str) -> str:
    """A number as one word: people paste it with spaces, tabs, dots or hyphens."""
    return re.sub(r"[\s.\u00a0\u202f-]", "", text)


def siren_of(text: str) -> str:
    """What was meant: a SIRET (14 digits) begins with its SIREN (9)."""
    number = compact(text)
    return number[:SIREN_LENGTH] if len(number) == SIRET_LENGTH and fr_siret.is_valid(number) else number


def vat_number_of(text: str) -> str:
    return re.sub(r"\s", "", plain(text)).upper()


def siren(country: str, text: str) -> str | None:
    """Nine digits. None where firms have none, and for an empty text. Raises WrongDigits."""
    number = siren_of(text)
    if country not in WITH_SIREN or not number:
        return None
    if not fr_siren.is_valid(number):
        raise WrongDigits
    return number


@lru_cache(4096)  # each page asks whether the number is right
def vat_number(country: str, text: str) -> str | None:
    """The VAT number as invoices print it: upper case, no spaces. None for an empty text.

    Raises WrongDigits and WrongCountry. Outside the EU any text is accepted, except a VAT number of the EU.
    """
    number = vat_number_of(text)
    if not number:
        return None
    if country not in EU | FRENCH_NUMBERS:
        if _of_a_member_state(country, number):
            raise WrongCountry
        return number
    prefix = VAT_PREFIX.get(country, country)
    number = compact(number)
    if not number.startswith(prefix):
        raise WrongCountry(prefix)
    if not eu_vat.is_valid(number):
        raise WrongDigits
    if monaco_vat.is_valid(number) != (country == "MC"):
        raise WrongCountry
    return prefix + str(eu_vat.compact(number))[2:]


def _of_a_member_state(country: str, number: str) -> bool:
    """A French number may belong to a firm of a French territory; Northern Ireland (XI) is in the United Kingdom."""
    allowed = "FR" if country in OTHER_TERRITORIES else "XI"
    return eu_vat.is_valid(number) and not number.startswith(allowed)


def misplaced(country: str, postal_code: str) -> str | None:
    """The country that a French overseas postal code belongs to, where that is not the one chosen."""
    right = country_of_postal_code(postal_code)
    french = country in FRENCH_NUMBERS | OTHER_TERRITORIES
    return right if right is not None and french and right != country else None


def emails(text: str) -> list[str]:
    """The addresses in a text, each once. Raises WrongEmailCount, and WrongAddress for the first invalid one."""
    recipients = addresses.parse_list(plain(text)) if len(text) <= addresses.LONGEST_LIST else []
    if not 1 <= len(recipients) <= MAX_EMAILS:
        raise WrongEmailCount
    return recipients


def information_of(account: Account) -> Information:
    return Information(**{name: getattr(account, name) for name in Information._fields})


class Taxed(NamedTuple):
    """A customer as the tax sees them, and what follows. `domestic`: in the French VAT area."""

    country: str
    vat_number: str | None
    terms: TaxTerms
    domestic: bool


def taxed(account: Account, country: str, typed: str) -> Taxed:
    """The tax with this country and VAT number, which may not be saved yet; a wrong number counts as none."""
    number = account.vat_number
    if (country, typed) != (account.country, number or ""):
        try:
            number = vat_number(country, typed)
        except (WrongDigits, WrongCountry):
            number = None
    return Taxed(country, number, tax_terms(country, number), country in FRENCH_VAT_AREA)


def tax_number(account: Account) -> TaxNumber:
    """Whether the stored VAT number is valid for the stored country, which may have changed since."""
    try:
        return TaxNumber.VALID if vat_number(account.country, account.vat_number or "") else TaxNumber.MISSING
    except (WrongDigits, WrongCountry):
        return TaxNumber.INVALID
