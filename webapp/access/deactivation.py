"""An account that support deactivated: nobody signs in to it. Who could is told whom to contact."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..db import db
from ..models.accounts import Account
from ..words import gettext


def is_deactivated(database: Session, account_id: str) -> bool:
    query = select(Account.id).where(Account.id == account_id, Account.deactivated_at.is_not(None))
    return database.scalars(query).one_or_none() is not None


def sentence(account_id: str) -> str:
    """Only for who gave the right password or had a session: others must not learn that the account exists."""
    account = db.session.get_one(Account, account_id)
    return gettext(
        "The account of %(name)s is deactivated. Contact your account manager: %(manager)s, %(email)s, %(phone)s.",
        name=account.legal_name,
        manager=account.manager_name,
        email=account.manager_email,
        phone=account.manager_phone,
    )
