"""What the file of `flask add-account` may hold. Each fault in it is one sentence that begins with its place."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, TypeVar
from zoneinfo import ZoneInfo, available_timezones

import click
from pydantic import AfterValidator, BaseModel, Field, PlainValidator, ValidationError, ValidationInfo, field_validator
from stdnum.eu import vat
from stdnum.fr import siren

from .. import addresses, pasting
from ..access import members
from ..accounts import billing_information
from ..config import LOCALES
from ..db import Model, db, new_id
from ..domain.periods import boundary, ordinal_on
from ..domain.permissions import Role
from ..domain.pricing import DEAREST, parse_tiers
from ..domain.seats import MAX_SEATS
from ..domain.subscription import Plan
from ..models import accounts as models
from ..models import prices, subscriptions

MOST_PERIODS = 10_000  # paid elsewhere before; each becomes a row
Read = TypeVar("Read", bound=BaseModel)


def read(kind: type[Read], value: object, place: str, now: datetime) -> Read:
    """Raises ClickException with every fault."""
    try:
        return kind.model_validate(value, context={"now": now})
    except ValidationError as error:
        faults = ["Nothing was written."]
        for fault in error.errors():
            path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"])
            faults.append(f"- {place}{path}: {fault['msg'].removeprefix('Value error, ').rstrip('.')}.")
        raise click.ClickException("\n".join(faults)) from None


def _issuer(value: object) -> models.Issuer:
    """The one that is named by its id, or a new one."""
    if not isinstance(value, str):
        return Issuer.model_validate(value).row()
    found = db.session.get(models.Issuer, value)
    if found is None:
        raise ValueError("There is no issuer with this id: give another, or an object that makes one")
    return found


def _free(email: str) -> str:
    if members.account_of(members.email_key(email.lower())) != members.NO_ACCOUNT:
        raise ValueError("This is a member's already: one address signs in to one account")
    return email.lower()


def _one_of(values: Collection[Any], sentence: str) -> AfterValidator:
    def check(value: Any) -> Any:
        if value not in values:
            raise ValueError(sentence)
        return value

    return AfterValidator(check)


def _past_day(value: object, info: ValidationInfo) -> date:
    try:
        day = date.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError("Write a day such as 2027-01-31") from None
    if day > _today(info):
        raise ValueError("This is in the future: make the account on the day that the subscription begins")
    return day


def _today(info: ValidationInfo) -> date:
    now: datetime = (info.context or {})["now"]
    return now.date()


def _rising(tiers: list[tuple[int | None, int]]) -> list[tuple[int | None, int]]:
    parse_tiers(tiers)
    return tiers


Email = Annotated[str, AfterValidator(addresses.parse)]
Emails = Annotated[list[str], AfterValidator(lambda emails: billing_information.emails("\n".join(emails)))]
Language = Annotated[str, _one_of(LOCALES, f"Write one of {', '.join(LOCALES)}")]
Zone = Annotated[str, _one_of(available_timezones(), "Write a time zone such as Europe/Paris")]
# Up to so many seats, or null: any number; and what each costs a month, in cents.
Tier = Annotated[tuple[int | None, Annotated[int, Field(le=DEAREST)]], Field(strict=False)]


class Part(BaseModel, strict=True, extra="forbid"):
    """An object of the file, which becomes a row of `table`; its fields are named as the columns."""

    table: ClassVar[type[Model]]

    @field_validator("*")
    @classmethod
    def fits(cls, value: Any, info: ValidationInfo) -> Any:
        """A text is one line that its column can hold."""
        name = info.field_name or ""
        if type(value) is not str:
            return value
        longest = cls.table.__table__.c[cls.model_fields[name].alias or name].type.length  # type: ignore[attr-defined]
        line = pasting.line(value)
        if not line.isprintable() or not 0 < len(line) <= longest:
            raise ValueError(f"Write one line of at most {longest} characters")
        return line

    def row(self, **columns: Any) -> Any:
        return self.table(id=new_id(), **self.model_dump(by_alias=True), **columns)


class Party(Part):
    legal_name: str
    street: str
    postal_code: str
    city: str
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")]


class Issuer(Party):
    table = models.Issuer
    siren: Annotated[str, AfterValidator(siren.validate)]
    vat_number: Annotated[str, AfterValidator(vat.validate)]
    legal_form: str
    share_capital: Annotated[int, Field(ge=0, le=10**15)]
    town: Annotated[str, Field(alias="register")]
    vat_on_debits: bool = False
    invoice_prefix: str


class Organisation(Party):
    table = models.Account
    siren: str | None = None
    vat_number: str | None = None
    purchase_order: str | None = None
    manager_name: str
    manager_email: Email
    manager_phone: str
    billing_emails: Emails
    zone: Zone = "Europe/Paris"
    document_locale: Language = LOCALES[0]

    @field_validator("siren", "vat_number", mode="before")
    @classmethod
    def fits_the_country(cls, number: object, info: ValidationInfo) -> object:
        country = info.data.get("country")
        if not number or not isinstance(number, str) or not country:
            return None if number == "" else number
        try:
            return getattr(billing_information, info.field_name or "")(country, number)
        except ValueError:
            raise ValueError(f"This does not fit the country {country}: check it") from None


class Member(Part):
    """Where the file gives no role, it is the owner."""

    table = models.Member
    role: Annotated[Role, Field(strict=False)] = Role.OWNER
    name: str
    email: Annotated[Email, AfterValidator(_free)]
    locale: Language | None = None


class Prices(Part):
    table = prices.PriceList
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "EUR"
    tiers: Annotated[list[Tier], AfterValidator(_rising)]


class Subscription(Part):
    table = subscriptions.SubscriptionRow
    plan: Annotated[Plan, Field(strict=False)]
    product: str
    tenant: Annotated[str, Field(pattern="^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")]
    reseller: str | None = None
    anchor: Annotated[date, PlainValidator(_past_day)]
    term_months: Annotated[int, _one_of((1, 12), "Write 1 or 12")]
    periods_paid: int = Field(default=None, validate_default=True, ge=1, le=MOST_PERIODS)
    seats: Annotated[int, Field(ge=1, le=MAX_SEATS)]
    active_users: Annotated[int, Field(ge=0, le=MAX_SEATS)] = 0
    price_list: Prices

    @field_validator("periods_paid", mode="before")
    @classmethod
    def reach_today(cls, paid: object, info: ValidationInfo) -> object:
        """Where the file does not say, the present period is the last one."""
        if not {"anchor", "term_months"} <= info.data.keys():
            return 1 if paid is None else paid
        anchor, months = info.data["anchor"], info.data["term_months"]
        needed = ordinal_on(anchor, months, _today(info)) + 1
        if type(paid) is int and 1 <= paid < needed:
            ended = boundary(anchor, months, paid)
            raise ValueError(f"The last one ended before {ended}, and each since would be charged: write {needed}")
        return needed if paid is None else paid


def _one_owner(members: list[Member]) -> list[Member]:
    if len({member.email for member in members}) < len(members):
        raise ValueError("This has an e-mail address twice")
    if [member.role for member in members].count(Role.OWNER) != 1:
        raise ValueError("Give exactly one member the role owner, and each other one another role")
    return members


class AccountFile(BaseModel, strict=True, extra="forbid"):
    issuer: Annotated[Any, PlainValidator(_issuer)]
    organisation: Organisation
    members: Annotated[list[Member], Field(min_length=1), AfterValidator(_one_owner)]
    subscriptions: Annotated[list[Subscription], Field(min_length=1)]

    @field_validator("subscriptions", mode="before")
    @classmethod
    def begin_in_the_zone(cls, subscriptions: object, info: ValidationInfo) -> object:
        """Days begin where the organisation is."""
        if organisation := info.data.get("organisation"):
            info.context["now"] = info.context["now"].astimezone(ZoneInfo(organisation.zone))  # type: ignore[index]
        return subscriptions
