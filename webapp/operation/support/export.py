"""`support export`: all that is stored of an account, as JSON, for the customer or another system."""

import json
import os
from datetime import date, datetime
from typing import Any

import click
from sqlalchemy import LargeBinary, RowMapping, Table, select

from ...accounts import activity
from ...db import Base, db, transaction
from ...models.accounts import Account
from ...ports import ports
from . import acting

# What lets somebody in, or charges: it is nobody's business outside.
SECRET = {"password_hash", "token_hash", "id_token", "token", "card_token", "subject", "action_url"}
KEPT = {("message", "subject"), ("contact_case", "subject")}  # words, no secrets
# Each table of accounts is here or there, so that a new one is not exported unseen.
TOLD = (
    *("active_users_by_day", "activity", "card", "change", "contact_case", "default_card", "email_change", "handover"),
    *("invitation", "invoice", "later_prices", "member", "message", "payment", "period", "person", "quote", "refund"),
    *("security_event", "subscription", "unbooked_capture"),
)
LEFT_OUT = (
    *("alarm_link", "card_detachment", "card_setup", "draft", "held_form", "invoice_document", "known_browser"),
    *("member_session", "passkey", "password_reset", "provider_identity", "quiet", "recovery_code"),
    *("stripe_customer", "stripe_setup", "totp", "trail_seal"),
)


def exported(account_id: str) -> dict[str, Any]:
    """The rows of each table, by its name. Documents are downloaded from the portal, so no PDF is here."""
    account = Account.__table__
    found = {"account": [_row(account, row) for row in _rows(account, account.c.id == account_id)]}
    for name in TOLD:
        table = Base.metadata.tables[name]
        found[name] = [_row(table, row) for row in _rows(table, table.c.account_id == account_id)]
    return found


def _rows(table: Any, mine: Any) -> list[RowMapping]:
    return [row._mapping for row in db.session.execute(select(table).where(mine).order_by(*table.primary_key))]


def _row(table: Any, row: RowMapping) -> dict[str, Any]:
    return {column.name: _plain(row[column.name]) for column in table.columns if _is_told(table, column.name)}


def _is_told(table: Table, name: str) -> bool:
    if isinstance(table.c[name].type, LargeBinary):
        return False
    is_reset = table.name == "message" and name in ("body", "html")  # a link may be in it
    return not is_reset and (name not in SECRET or (table.name, name) in KEPT)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date | datetime) else value


@click.command("export")
@acting.acts
@click.argument("file", type=click.Path(dir_okay=False))
def export(account_id: str, file: str) -> None:
    """Write all that is stored of an account into a new JSON file, without passwords, tokens and documents."""
    content = json.dumps(exported(account_id), ensure_ascii=False, indent=1)
    db.session.rollback()
    acting.write_new(file, content)
    with transaction():
        activity.record(account_id, "exported", ports().clock.now(acting.account_row(account_id)))
    click.echo(f"{file}: {os.path.getsize(file):,} bytes. It is personal data: send it safely, then delete it.")
