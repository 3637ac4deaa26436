"""`support find`: the account of an e-mail, a name, a domain or an invoice number."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import click
from flask.cli import with_appcontext
from sqlalchemy import ColumnElement, Select, String, cast, func, select

from ...access import members
from ...access.sign_in import normalize_email
from ...config import COMMAND
from ...db import Across, across, db
from ...domain.permissions import Role
from ...models.accounts import Account, Member
from ...models.invoices import Invoice
from ...models.subscriptions import SubscriptionRow
from ...models.trail import Person
from .. import health

MOST = 20  # accounts that are listed
SHORTEST = 3  # letters of what is searched
NUMBER = re.compile(r"\S+-[0-9]{4}-[0-9]+", re.ASCII)
DOMAIN = re.compile(r"@?[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII | re.IGNORECASE)


class Found(NamedTuple):
    account_id: str
    name: str
    city: str
    owner: str
    state: str


def search(text: str) -> list[Found]:
    """The accounts of what is written, at most MOST and one. Reads only."""
    text = " ".join(text.split())
    ids: dict[str, None] = {}
    for query in _queries(text):
        ids |= dict.fromkeys(db.session.scalars(across(query.distinct().limit(MOST + 1), Across.SUPPORT)))
    return [_described(account_id) for account_id in [*ids][: MOST + 1]]


def _queries(text: str) -> Iterator[Select[Any]]:
    email = normalize_email(text)
    yield select(Account.id).where(Account.id == text)
    if NUMBER.fullmatch(text):
        yield select(Invoice.account_id).where(Invoice.number == text.upper())
    elif DOMAIN.fullmatch(text):
        domain = email.removeprefix("@")
        yield select(Member.account_id).where(Member.email.endswith(f"@{domain}", autoescape=True))
        yield select(Account.id).where(_billed_to(f"@{domain}"))
        yield select(SubscriptionRow.account_id).where(SubscriptionRow.tenant.icontains(domain, autoescape=True))
    elif "@" in text:
        known = members.account_of(members.email_key(email))
        if known != members.NO_ACCOUNT:
            yield select(Account.id).where(Account.id == known)
        yield select(Account.id).where(_billed_to(email))
        yield select(Person.account_id).where(Person.email == email)
    elif len(text) >= SHORTEST:
        yield select(Account.id).where(Account.legal_name.icontains(text, autoescape=True))
        yield select(Member.account_id).where(Member.name.icontains(text, autoescape=True))


def _billed_to(end: str) -> ColumnElement[bool]:
    """A billing e-mail ends so. They are a list, stored as JSON."""
    return func.lower(cast(Account.billing_emails, String)).contains(f'{end}"', autoescape=True)


def _described(account_id: str) -> Found:
    account = db.session.get_one(Account, account_id)
    owner = select(Member.name, Member.email).where(Member.account_id == account_id, Member.role == Role.OWNER)
    name, email = db.session.execute(owner).one_or_none() or ("nobody", "")
    state = "" if account.deactivated_at is None else "  (deactivated)"
    return Found(account_id, account.legal_name, account.city, f"{name} <{email}>", state)


def only(text: str) -> str:
    """The id of the only account of what is written. Raises ClickException."""
    if db.session.get(Account, text) is not None:
        return text
    found = search(text)
    if not found:
        raise click.ClickException(f"There is no account of {text}. Look for it: {COMMAND} support find TEXT")
    if len(found) > 1:
        raise click.ClickException(f"{_several(found)} are of {text}: name one by its id.\n{_listed(found)}")
    return found[0].account_id


def _several(found: Sequence[Found]) -> str:
    return f"More than {MOST} accounts" if len(found) > MOST else f"{len(found)} accounts"


def _listed(found: Sequence[Found]) -> str:
    return "\n".join(f"{one.account_id}  {one.name}, {one.city}  owner {one.owner}{one.state}" for one in found[:MOST])


@click.command("find")
@click.argument("text")
@with_appcontext
def find(text: str) -> None:
    """Find accounts by an e-mail, a name, a domain (also a tenant's), an invoice number or an id."""
    health.check_database()
    found = search(text)
    db.session.rollback()
    if not found:
        raise click.ClickException(
            f"Nothing is found for {text}. Try a part of an organisation's or a member's name ({SHORTEST} letters or "
            "more), a whole e-mail address, a domain, or a whole invoice number."
        )
    click.echo(_listed(found))
    if len(found) > MOST:
        click.echo(f"{_several(found)} match: only {MOST} are listed. Write more of the name.")
