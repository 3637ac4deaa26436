"""Accounts that are made by the operator: `flask add-account FILE` and `flask add-owner`. A file is read whole before
anything is written; each fault in it is one sentence, which begins with its place.
"""

import json
import re
import secrets
from datetime import date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_babel import force_locale
from sqlalchemy import select
from stdnum.eu import vat
from stdnum.fr import siren

from ..access.passwords import fault as password_fault
from ..access.sign_in import hasher
from ..accounts import billing_information
from ..config import LOCALES
from ..db import db, new_id, transaction
from ..domain import seats as seat_rules
from ..domain.periods import boundary, ordinal_on
from ..domain.pricing import parse_tiers
from ..domain.subscription import Plan
from ..models.accounts import Account, Issuer, Owner
from ..models.subscriptions import PeriodRow, PriceList, Subscription
from ..ports import ports
from ..subscriptions import loading

PARTY = "legal_name street postal_code city country"
DEAREST = 1_000_000  # cents a seat and month
MOST_PERIODS = 10_000  # paid elsewhere before; each becomes a row


class NotMade(click.ClickException):
    """Nothing was written: each line is a fault and what to do."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("Nothing was written.\n" + "\n".join(f"- {fault}" for fault in faults))


class Terms(NamedTuple):
    """A subscription as it is made: `paid` periods from the anchor on are behind it, at `seats` seats."""

    plan: Plan
    product: str
    tenant: str
    reseller: str | None
    anchor: date
    term_months: int
    seats: int
    active_users: int
    paid: int


def subscription(account: Account, terms: Terms, prices: PriceList, source: str, counted_at: datetime) -> Subscription:
    """The rows of a new subscription; `source` is who billed its periods: "paid" here, "external" elsewhere."""
    rows = [
        PeriodRow(ordinal=ordinal, seats=terms.seats, price_list_id=prices.id, source=source)
        for ordinal in range(terms.paid)
    ]
    told = terms._asdict() | {"plan": terms.plan.value}
    del told["seats"], told["paid"]
    return Subscription(
        id=new_id(),
        account=account,
        price_list=prices,
        active_users_as_of=counted_at,
        periods=rows,
        open_changes=[],
        pending_payments=[],
        refusals=[],
        **told,
    )


class Given:
    """An object of the file: what is read of it, and its faults, each with its place."""

    def __init__(self, value: object, place: str, faults: list[str]) -> None:
        self.values: dict[str, Any] = value if isinstance(value, dict) else {}
        self.place, self.faults, self.known = place, faults, set[str]()
        if not isinstance(value, dict):
            faults.append(f"{place} is not an object: write {{…}}.")

    def fault(self, name: str, sentence: str) -> None:
        self.faults.append(f"{self.place}.{name} {sentence}")

    def get(self, name: str, default: Any = None) -> Any:
        self.known.add(name)
        return self.values.get(name, default)

    def text(self, name: str, column: Any, default: str | None = None) -> Any:
        """One line that the column can hold; "" after a fault, None where it may be missing and is."""
        value = self.get(name, default)
        if value is None and column.nullable:
            return None
        longest = getattr(column.type, "length", None) or 1000
        line = value.translate(billing_information.NATIONAL_SPACES).strip() if isinstance(value, str) else ""
        if line.isprintable() and 0 < len(line) <= longest:
            return line
        self.fault(name, f"is missing or no line of at most {longest} characters.")
        return ""

    def number(self, name: str, low: int, high: int, default: int | None = None) -> int:
        value = self.get(name, default)
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.fault(name, f"is not a whole number from {low} to {high}.")
        return low

    def one_of(self, name: str, values: tuple[Any, ...], default: Any = None) -> Any:
        value = self.get(name, default)
        for one in values:
            if value == one and type(value) is type(one):
                return one
        self.fault(name, f"is not one of {', '.join(map(str, values))}.")
        return values[0]

    def day(self, name: str) -> date:
        try:
            return date.fromisoformat(self.get(name))
        except (TypeError, ValueError):
            self.fault(name, "is not a day such as 2027-01-31.")
            return date.min

    def objects(self, name: str) -> list["Given"]:
        values = self.get(name)
        if not isinstance(values, list) or not values:
            self.fault(name, "is not a list of at least one object.")
            return []
        return [Given(value, f"{self.place}.{name}[{number}]", self.faults) for number, value in enumerate(values)]

    def columns(self, model: type[Issuer | Account], names: str) -> dict[str, Any]:
        return {name: self.text(name, model.__table__.c[name]) for name in names.split()}

    def nothing_else(self) -> None:
        for name in self.values.keys() - self.known:
            self.fault(str(name), f"is not known here: {', '.join(sorted(self.known))} are.")


def _issuer(given: Given) -> Issuer:
    """The one that is named by its id, or a new one."""
    value = given.get("issuer")
    if isinstance(value, str):
        found = db.session.get(Issuer, value)
        if found is not None:
            return found
        given.fault("issuer", "names no issuer there is: give its id, or an object that makes one.")
        return Issuer()
    told = Given(value, f"{given.place}.issuer", given.faults)
    columns = told.columns(Issuer, f"{PARTY} siren vat_number legal_form register invoice_prefix")
    if not siren.is_valid(columns["siren"]):
        told.fault("siren", "is not a SIREN: check its nine digits.")
    if not vat.is_valid(columns["vat_number"]):
        told.fault("vat_number", "is not a VAT number: check it.")
    for name in ("legal_form", "register"):
        if not columns[name]:
            told.fault(name, "is missing: invoices must state it.")
    issuer = Issuer(
        id=new_id(),
        share_capital=told.number("share_capital", 0, 10**15),
        vat_on_debits=told.one_of("vat_on_debits", (False, True), False),
        **columns,
    )
    told.nothing_else()
    return issuer


def _account(given: Given, issuer: Issuer) -> Account:
    columns = given.columns(Account, f"{PARTY} purchase_order manager_name manager_email manager_phone")
    columns["siren"] = columns["vat_number"] = None
    numbers = {name: given.get(name) or "" for name in ("siren", "vat_number")}
    if not columns["country"]:
        numbers = {}
    elif not re.fullmatch(r"[A-Z]{2}", columns["country"]):
        given.fault("country", "is not a code of two capitals such as FR.")
        numbers = {}
    for name, number in numbers.items():
        try:
            columns[name] = getattr(billing_information, name)(columns["country"], number)
        except (TypeError, ValueError):
            given.fault(name, f"does not fit the country {columns['country']}: check it.")
    if (email := columns["manager_email"]) and not billing_information.EMAIL.fullmatch(email):
        given.fault("manager_email", "is not an e-mail address.")
    addresses = given.get("billing_emails")
    try:
        columns["billing_emails"] = billing_information.emails("\n".join(addresses))
    except (TypeError, ValueError):
        given.fault("billing_emails", f"is not a list of 1 to {billing_information.MAX_EMAILS} e-mail addresses.")
    columns["zone"] = given.get("zone", "Europe/Paris")
    if not isinstance(columns["zone"], str) or columns["zone"] not in available_timezones():
        given.fault("zone", "is not a time zone such as Europe/Paris.")
        columns["zone"] = "UTC"
    columns["document_locale"] = given.one_of("document_locale", LOCALES, LOCALES[0])
    given.nothing_else()
    return Account(id=new_id(), issuer=issuer, **columns)


def _owner(given: Given, password: str | None) -> Owner:
    columns = Owner.__table__.c
    email = given.text("email", columns.email).lower()
    if email and not billing_information.EMAIL.fullmatch(email):
        given.fault("email", "is not an e-mail address.")
    elif db.session.scalars(select(Owner.id).where(Owner.email == email)).first():
        given.fault("email", "is an owner's already: one address signs in to one account.")
    locale = given.one_of("locale", (None, *LOCALES))
    owner = Owner(
        id=new_id(),
        name=given.text("name", columns.name),
        email=email,
        locale=locale,
        password_hash=hasher.hash(password or secrets.token_hex(32)),
    )
    given.nothing_else()
    return owner


def _subscription(given: Given, account: Account, now: datetime) -> Subscription:
    columns = Subscription.__table__.c
    anchor, months = given.day("anchor"), given.one_of("term_months", (1, 12))
    today = ordinal_on(anchor, months, now.date())
    if today < 0:
        given.fault("anchor", "is in the future: make the account on the day that the subscription begins.")
    paid = given.number("periods_paid", 1, MOST_PERIODS, max(1, today + 1))
    if anchor > date.min and today >= paid:
        ended = boundary(anchor, months, paid)
        given.fault(
            "periods_paid", f"is too small: the last one ended before {ended}, and each since would be charged."
        )
    tenant = given.text("tenant", columns.tenant)
    if tenant and not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", tenant):
        given.fault("tenant", "is not a host name such as acme.eu.qlikcloud.com.")
    terms = Terms(
        Plan(given.one_of("plan", tuple(plan.value for plan in Plan))),
        given.text("product", columns.product),
        tenant,
        given.text("reseller", columns.reseller),
        anchor,
        months,
        given.number("seats", 1, seat_rules.MAX_SEATS),
        given.number("active_users", 0, seat_rules.MAX_SEATS, 0),
        paid,
    )
    made = subscription(account, terms, _prices(given), "external", now)
    given.nothing_else()
    return made


def _prices(given: Given) -> PriceList:
    told = Given(given.get("price_list"), f"{given.place}.price_list", given.faults)
    currency, tiers = told.get("currency", "EUR"), told.get("tiers")
    if not isinstance(currency, str) or not re.fullmatch(r"[A-Z]{3}", currency):
        told.fault("currency", "is not a code of three capitals such as EUR.")
    try:
        if any(limit is not None and type(limit) is not int for limit, _ in tiers):
            raise ValueError("a fraction of a seat")
        if any(type(cents) is not int or cents > DEAREST for _, cents in tiers):
            raise ValueError("a fraction of a cent, or more than any seat costs")
        parse_tiers(tiers)
    except (TypeError, ValueError):
        told.fault("tiers", 'is not a list such as [[10, 3000], [null, 2700]]: "up to so many seats, cents a month".')
    told.nothing_else()
    return PriceList(id=new_id(), currency=currency, rows=tiers)


def add_account(document: object, passwords: dict[str, str] | None = None) -> Account:
    """Makes all that the document says, or raises NotMade. `passwords` are by e-mail."""
    faults: list[str] = []
    given = Given(document, "$", faults)
    now = ports().clock.system_now()
    with transaction() as session:
        account = _account(Given(given.get("organisation"), "$.organisation", faults), _issuer(given))
        told = given.objects("owners")
        owners = [_owner(one, (passwords or {}).get(str(one.get("email")).lower())) for one in told]
        if len({owner.email for owner in owners}) < len(owners):
            faults.append("$.owners has an e-mail address twice.")
        local = now.astimezone(ZoneInfo(account.zone))
        made = [_subscription(one, account, local) for one in given.objects("subscriptions")]
        given.nothing_else()
        if faults:
            session.expunge_all()
            raise NotMade(faults)
        session.add(account)
        session.flush()
        for owner in owners:
            owner.account_id = account.id
        session.add_all([*owners, *made])
    return account


def _refuse_in_sandbox() -> None:
    if current_app.config["SANDBOX"]:
        raise click.ClickException("SANDBOX is 1: its accounts are made at /sandbox, each with a clock of its own.")


@click.command("add-account")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--passwords", is_flag=True, help="Ask for each owner's password; without it, a reset or single sign-on.")
@with_appcontext
def add_account_command(file: Any, passwords: bool) -> None:
    """Make an account of an organisation from a JSON file: its issuer, owners and subscriptions."""
    _refuse_in_sandbox()
    try:
        document = json.load(file)
    except ValueError as fault:
        raise click.ClickException(f"{file.name} is not JSON: {fault}. Nothing was written.") from None
    asked = {}
    if passwords and isinstance(document, dict):
        emails = [str(one.get("email")).lower() for one in document.get("owners") or [] if isinstance(one, dict)]
        asked = {email: _password(email) for email in emails}
    account = add_account(document, asked)
    click.echo(f"Account {account.id} of {account.legal_name}, invoiced by {account.issuer_id}.")


@click.command("add-owner")
@click.option("--account", required=True, help="The account that the owner is to look after.")
@click.option("--email", required=True)
@click.option("--name", required=True)
@click.option("--password", is_flag=True, help="Ask for a password; without it, a reset or single sign-on.")
@with_appcontext
def add_owner_command(account: str, email: str, name: str, password: bool) -> None:
    """Let one more person look after an account."""
    _refuse_in_sandbox()
    faults: list[str] = []
    chosen = _password(email) if password else None
    with transaction() as session:
        owner = _owner(Given({"email": email, "name": name}, "owner", faults), chosen)
        if session.get(Account, account) is None:
            faults.append(f"There is no account {account}.")
        if faults:
            raise NotMade(faults)
        owner.account_id = account
        session.add(owner)
        loading.lock_all(account)  # who was not there yet is told of the next renewal, too
    click.echo(f"{email.lower()} is an owner of {account}.")


def _password(email: str) -> str:
    """One that owners could choose themselves, typed twice."""
    while True:
        chosen = str(click.prompt(f"Password of {email}", hide_input=True, confirmation_prompt=True))
        with force_locale("en"):
            fault = password_fault(chosen, email)
        if not fault:
            return chosen
        click.echo(fault)
