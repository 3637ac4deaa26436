"""`support export-member` and `support erase`: what a person may ask for about themselves."""

import json
import os

import click
from flask.cli import with_appcontext

from ...access.sign_in import normalize_email
from ...accounts import activity
from ...db import db, transaction
from ...domain.refusals import OwnerStays
from ...models.accounts import Account
from ...ports import ports
from ...team import members, personal_data
from .. import health
from . import acting
from .acting import NOTHING


def _accounts(email: str) -> list[str]:
    """Raises ClickException if nothing is stored."""
    found = personal_data.accounts_of(email)
    db.session.rollback()
    if not found:
        raise click.ClickException(f"No account has anything of {email}: check the address. {NOTHING}")
    return found


@click.command("erase")
@click.argument("email")
@acting.named
@with_appcontext
def erase(email: str, name: str) -> None:
    """Erase the personal data of a present or former member, or of somebody who was invited. Be sure of who asks.

    Invoices stay, and so does the trail, which then names nobody.
    """
    health.check_database()
    email = normalize_email(email)
    found = _accounts(email)
    for account_id in found:
        _check_is_no_owner(account_id, email)
    with acting.in_the_name_of(name):
        for account_id in found:
            try:
                personal_data.erase(account_id, email)
            except OwnerStays:
                raise _owns(account_id, email) from None
            click.echo(f"{email} is erased from {acting.account_row(account_id).legal_name} ({account_id}).")
            _tell_what_stays(account_id, email)
    db.session.rollback()
    click.echo("Their invoices stay. Backups have what was erased until they are deleted.")


def _check_is_no_owner(account_id: str, email: str) -> None:
    owner = next((one for one in members.list_members(account_id) if one.role == "owner"), None)
    is_owner = owner is not None and owner.email == email
    db.session.rollback()
    if is_owner:
        raise _owns(account_id, email)


def _owns(account_id: str, email: str) -> click.ClickException:
    return click.ClickException(
        f"{email} owns the account {account_id}. Let them hand it over to another member first (Team, Hand over the "
        f"account), then run this again. {NOTHING}"
    )


def _tell_what_stays(account_id: str, email: str) -> None:
    account: Account = acting.account_row(account_id)
    if email in [one.lower() for one in account.billing_emails]:
        click.echo("  It is among the billing e-mails still: ask the owner to replace it there.")


@click.command("export-member")
@click.argument("email")
@click.argument("file", type=click.Path(dir_okay=False))
@acting.named
@with_appcontext
def export_member(email: str, file: str, name: str) -> None:
    """Write what is stored of a member into a new JSON file, without hashes and secrets, for that member."""
    health.check_database()
    email = normalize_email(email)
    found = _accounts(email)
    stored = {
        account_id: [personal_data.stored_of(account_id, one) for one in personal_data.ids_of(account_id, email)]
        for account_id in found
    }
    db.session.rollback()
    acting.write_new(file, json.dumps(stored, ensure_ascii=False, indent=1))
    with acting.in_the_name_of(name):
        for account_id in found:
            with transaction():
                now = ports().clock.now(acting.account_row(account_id))
                activity.record(account_id, "member_exported", now, {}, {"member": email})
    click.echo(f"{file}: {os.path.getsize(file):,} bytes. It is personal data: send it safely, then delete it.")
