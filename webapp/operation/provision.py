"""Accounts that are made by the operator: `flask add-account FILE` and `flask add-member`. A file is read whole before
anything is written; each fault in it is one sentence, which begins with its place.
"""

import json
import secrets
from itertools import zip_longest
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_babel import force_locale

from ..access import members
from ..access.passwords import find_problem as password_fault
from ..access.sign_in import hasher
from ..config import COMMAND
from ..db import new_id, transaction
from ..domain.permissions import INVITABLE, Role
from ..models.accounts import Account
from ..models.prices import PriceList
from ..ports import ports
from ..subscriptions import loading
from ..subscriptions.opening import Terms, add_subscription


def add_account(document: object, passwords: list[str] | None = None) -> Account:
    """Makes all that the document says, or raises ClickException. `passwords` are in the order of the members."""
    from .account_file import AccountFile, read  # pydantic is slow to import

    with transaction() as session:
        now = ports().clock.system_now()
        told = read(AccountFile, document, "$", now)
        session.add(told.issuer)
        session.flush()
        account: Account = told.organisation.row(issuer_id=told.issuer.id)
        session.add(account)
        session.flush()
        for member, password in zip_longest(told.members, passwords or []):
            members.add_member(member.row(account_id=account.id, password_hash=_hash(password)))
        for one in told.subscriptions:
            terms = Terms(**one.model_dump(exclude={"periods_paid", "price_list"}), paid=one.periods_paid)
            prices = PriceList(id=new_id(), currency=one.price_list.currency, rows=one.price_list.tiers)
            add_subscription(account.id, terms, prices, "external", now)
    return account


def _hash(password: str | None) -> str:
    """Without a password, one that nobody knows."""
    return hasher.hash(password or secrets.token_hex(32))


def _refuse_in_sandbox() -> None:
    if current_app.config["SANDBOX"]:
        raise click.ClickException("SANDBOX is 1: its accounts are made at /sandbox, each with a clock of its own.")


@click.command("add-account")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--passwords", is_flag=True, help="Ask for each one's password; without it, a reset or single sign-on.")
@with_appcontext
def add_account_command(file: Any, passwords: bool) -> None:
    """Make an account of an organisation from a JSON file: its issuer, members and subscriptions."""
    _refuse_in_sandbox()
    try:
        document = json.load(file)
    except ValueError as fault:
        raise click.ClickException(f"{file.name} is not JSON: {fault}. Nothing was written.") from None
    given = document.get("members") if passwords and isinstance(document, dict) else None
    asked = [
        _password(str(member["email"]), str(member.get("name", "")))
        for member in given or []
        if isinstance(member, dict) and "email" in member
    ]
    account = add_account(document, asked)
    click.echo(f"Account {account.id} of {account.legal_name}, invoiced by {account.issuer_id}.")


@click.command("add-member")
@click.option("--account", required=True, help="The account that the member is to look after.")
@click.option("--email", required=True)
@click.option("--name", required=True)
@click.option("--role", type=click.Choice(INVITABLE), default=Role.MANAGER, show_default=True)
@click.option("--password", is_flag=True, help="Ask for a password; without it, a reset or single sign-on.")
@with_appcontext
def add_member_command(account: str, email: str, name: str, role: str, password: bool) -> None:
    """Let one more person work on an account. Its owner is named when it is made, and can hand it over."""
    _refuse_in_sandbox()
    from .account_file import Member, read

    chosen = _password(email, name) if password else None
    with transaction() as session:
        member = read(Member, {"email": email, "name": name, "role": role}, "member", ports().clock.system_now())
        if session.get(Account, account) is None:
            raise click.ClickException(f"There is no account {account}. Nothing was written.")
        members.add_member(member.row(account_id=account, password_hash=_hash(chosen)))
        loading.lock_all(account)  # who was not there yet is told of the next renewal, too
    click.echo(f"{member.email} is a member of {account}: {role}.")


@click.command("add-owner", hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("_given", nargs=-1, type=click.UNPROCESSED)
def add_owner_command(_given: tuple[str, ...]) -> None:
    """The name of this command up to version 0.7."""
    raise click.ClickException(f"An account has one owner. Add a member with a role: {COMMAND} add-member --role.")


def _password(email: str, name: str) -> str:
    """One that members could choose themselves, typed twice."""
    while True:
        chosen = str(click.prompt(f"Password of {email}", hide_input=True, confirmation_prompt=True))
        with force_locale("en"):
            fault = password_fault(chosen, email, [name])
        if not fault:
            return chosen
        click.echo(fault)
