"""Who the bills are made out to and where they go. The same shared rules as `service`."""

import unicodedata
from typing import NamedTuple

from stdnum.eu import vat as eu_vat
from stdnum.fr import siren as fr_siren
from stdnum.mc import tva as monaco_vat

from .. import addresses
from ..db import LOCK, db, transaction
from ..domain.checks import TaxNumber
from ..domain.tax import EU, FRENCH_VAT_AREA, Treatment, amounts
from ..models.accounts import Account
from ..ports import ports
from . import activity


def account_of(account_id: str) -> Account:
    return db.session.get_one(Account, account_id)


VAT_PREFIX = {"GR": "EL", "MC": "FR"}  # where it is not the country's own code
NATIONAL_SPACES = str.maketrans("\u00a0\u202f", "  ")  # typed by French keyboards, meant as spaces
MAX_EMAILS = 10


class WrongDigits(ValueError):
    """A number that its own check digits contradict."""


class WrongCountry(ValueError):
    """A VAT number of another country than the one chosen; `prefix` is what one starts with there, if it is fixed."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix


class WrongEmailCount(ValueError):
    """There are no addresses, or more than MAX_EMAILS."""

    def __init__(self) -> None:
        super().__init__(f"Write 1 to {MAX_EMAILS} e-mail addresses")


class Information(NamedTuple):
    """The columns of `Account` that the owner may change; `update_information` normalises the numbers."""

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
    """Trimmed and composed, French spaces as spaces; line breaks and controls are kept, to be refused."""
    return unicodedata.normalize("NFC", text).translate(NATIONAL_SPACES).strip(" ")


def siren(country: str, text: str) -> str | None:
    """Nine digits; None where there is none, which is everywhere but in France. Raises WrongDigits."""
    number = fr_siren.compact(plain(text))
    if country != "FR" or not number:
        return None
    if not fr_siren.is_valid(number):
        raise WrongDigits
    return str(number)


def vat_number(country: str, text: str) -> str | None:
    """As invoices print it: upper case, no spaces. Raises WrongDigits and WrongCountry; outside the EU, any text."""
    number = plain(text).upper().replace(" ", "")
    if not number:
        return None
    prefix = VAT_PREFIX.get(country, country)
    if country not in EU | FRENCH_VAT_AREA:
        if eu_vat.is_valid(number) and not number.startswith("XI"):  # Northern Ireland is in the United Kingdom
            raise WrongCountry
        return number
    if not number.startswith(prefix):
        raise WrongCountry(prefix)
    if not eu_vat.is_valid(number):
        raise WrongDigits
    if monaco_vat.is_valid(number) != (country == "MC"):
        raise WrongCountry
    return prefix + str(eu_vat.compact(number))[2:]


def emails(text: str) -> list[str]:
    """One to MAX_EMAILS addresses, each once. Raises WrongEmailCount, and WrongAddress for the first that is none."""
    found = addresses.parse_list(plain(text)) if len(text) <= addresses.LONGEST_LIST else []
    if not 1 <= len(found) <= MAX_EMAILS:
        raise WrongEmailCount
    return found


def update_information(account_id: str, wished: Information) -> bool:
    """Saves what differs and tells it to the activity; whether anything did. Raises what `siren` and the like do.

    Invoices are snapshots: those that were issued keep what they say.
    """
    wished = wished._replace(
        siren=siren(wished.country, wished.siren or ""),
        vat_number=vat_number(wished.country, wished.vat_number or ""),
        billing_emails=emails("\n".join(wished.billing_emails)),
    )
    with transaction() as session:
        account = session.get_one(Account, account_id, with_for_update=LOCK)
        after = {name: value for name, value in wished._asdict().items() if getattr(account, name) != value}
        before = {name: getattr(account, name) for name in after}
        for name, value in after.items():
            setattr(account, name, value)
        if after:
            now = ports().clock.now(account)
            activity.record(account_id, "billing_information_changed", now, before, after)
    return bool(after)


class TaxTerms(NamedTuple):
    """Which rule a new invoice falls under. `rate` in basis points; `domestic`: in the French VAT area."""

    treatment: Treatment
    rate: int
    domestic: bool


def tax_terms(account: Account) -> TaxTerms:
    which = account.tax_treatment
    return TaxTerms(which, amounts([], which).tax_rate, account.country in FRENCH_VAT_AREA)


def tax_number(account: Account) -> TaxNumber:
    """Whether the VAT number that is stored is one of its country, which may have been changed elsewhere since."""
    try:
        return TaxNumber.VALID if vat_number(account.country, account.vat_number or "") else TaxNumber.MISSING
    except (WrongDigits, WrongCountry):
        return TaxNumber.INVALID
