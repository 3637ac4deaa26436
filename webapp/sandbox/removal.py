"""Removes an account that was made for testers. No other account is ever removed: invoices stay for good."""

from sqlalchemy import delete, select

from ..db import Base, transaction
from ..models.access import SignInKey
from ..models.accounts import Account, Issuer
from ..models.invoices import InvoiceCounter, SpentNumber
from ..models.prices import LaterPrices, PriceList, Publication
from ..models.subscriptions import PeriodRow, SubscriptionRow
from .tables import SandboxCard, SandboxCharge, SandboxHeadcount, SandboxRefund, SandboxSetup


def remove_account(account: Account) -> None:
    """Its rows, those of the services that the sandbox stands for, and its own seller and price lists."""
    account_id, issuer_id = account.id, account.issuer_id
    with transaction() as session:
        lists = session.scalars(select(SubscriptionRow.price_list_id).where(SubscriptionRow.account_id == account_id))
        paid = session.scalars(select(PeriodRow.price_list_id).where(PeriodRow.account_id == account_id))
        told = session.scalars(select(LaterPrices.price_list_id).where(LaterPrices.account_id == account_id))
        published = session.scalars(select(Publication.price_list_id).where(Publication.only_account == account_id))
        prices = {*lists, *paid, *told, *published}
        for table in reversed(Base.metadata.sorted_tables):  # those that refer to others come first
            if table.primary_key.columns.keys()[0] == "account_id":
                session.execute(delete(table).where(table.c.account_id == account_id))
        for service in (SandboxRefund, SandboxCharge, SandboxSetup, SandboxCard, SandboxHeadcount):
            session.execute(delete(service).where(service.customer == account_id))
        session.execute(delete(SignInKey).where(SignInKey.account_id == account_id))
        session.execute(delete(Account).where(Account.id == account_id))
        session.execute(delete(Publication).where(Publication.only_account == account_id))
        session.execute(delete(PriceList).where(PriceList.id.in_(prices)))
        for table_of_issuer in (InvoiceCounter, SpentNumber):
            session.execute(delete(table_of_issuer).where(table_of_issuer.issuer_id == issuer_id))
        session.execute(delete(Issuer).where(Issuer.id == issuer_id))
