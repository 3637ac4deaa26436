"""Issuers (sellers), accounts (customers) and the members who sign in."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Instant, Model, new_id
from ..domain.permissions import Role
from ..domain.tax import TaxTerms, tax_terms
from .columns import Id, account_key, index_where, one_of


class Issuer(Model):
    """A seller, who numbers its invoices. `share_capital` in cents of euro; `register`: the town of its trade register.

    `vat_on_debits`: it chose to owe VAT from the invoice on, not from the payment on. Invoices must say so.
    """

    __tablename__ = "issuer"
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    legal_name: Mapped[str] = mapped_column(String(200))
    street: Mapped[str] = mapped_column(String(200))
    postal_code: Mapped[str] = mapped_column(String(20))
    city: Mapped[str] = mapped_column(String(100))
    country: Mapped[str] = mapped_column(String(2))
    siren: Mapped[str] = mapped_column(String(9))
    vat_number: Mapped[str] = mapped_column(String(20))
    legal_form: Mapped[str | None] = mapped_column(String(60))
    share_capital: Mapped[int | None] = mapped_column(BigInteger)
    register: Mapped[str | None] = mapped_column(String(100))
    vat_on_debits: Mapped[bool] = mapped_column(default=False, server_default=false())
    invoice_prefix: Mapped[str] = mapped_column(String(10))


class Account(Model):
    """A customer organisation: its billing information, its time zone and its account manager.

    `requires_factor`: each member needs a second factor. `spending_limit`, in cents: more asks for a proof.
    `deactivated_at`: since then nobody signs in, nothing is charged, and no notice is written.
    """

    __tablename__ = "account"
    __table_args__ = (CheckConstraint("(deactivated_at IS NULL) = (deactivated_by IS NULL)", name="deactivated"),)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    issuer_id: Mapped[str] = mapped_column(ForeignKey("issuer.id"))
    legal_name: Mapped[str] = mapped_column(String(200))
    street: Mapped[str] = mapped_column(String(200))
    postal_code: Mapped[str] = mapped_column(String(20))
    city: Mapped[str] = mapped_column(String(100))
    country: Mapped[str] = mapped_column(String(2))
    siren: Mapped[str | None] = mapped_column(String(9))
    vat_number: Mapped[str | None] = mapped_column(String(20))
    purchase_order: Mapped[str | None] = mapped_column(String(100))
    billing_emails: Mapped[list[str]] = mapped_column(JSON)
    document_locale: Mapped[str] = mapped_column(String(2))
    zone: Mapped[str] = mapped_column(String(64))
    manager_name: Mapped[str] = mapped_column(String(200))
    manager_email: Mapped[str] = mapped_column(String(254))
    manager_phone: Mapped[str] = mapped_column(String(40))
    requires_factor: Mapped[bool] = mapped_column(default=False, server_default=false())
    spending_limit: Mapped[int | None] = mapped_column(BigInteger)
    deactivated_at: Mapped[datetime | None] = mapped_column(Instant)
    deactivated_by: Mapped[str | None] = mapped_column(String(120))

    @property
    def tax_terms(self) -> TaxTerms:
        return tax_terms(self.country, self.vat_number)

    @property
    def buyer(self) -> dict[str, Any]:
        """What an invoice prints of the customer; frozen with the tax that is computed for it."""
        names = ["legal_name", "street", "postal_code", "city", "country", "siren", "vat_number", "purchase_order"]
        email = next(iter(self.billing_emails), None)
        return {**{name: getattr(self, name) for name in names}, "email": email}

    def local(self, moment: datetime) -> datetime:
        """A moment in the account's time zone."""
        return moment.astimezone(ZoneInfo(self.zone))


class Member(Model):
    """Somebody who signs in. Each has a SignInKey of the same e-mail.

    One member of each account is its service account owner (SAO): the schema allows no second one, and `team/` never
    leaves an account without. `unwanted_mails`: the kinds of mails that the member does not want.
    """

    __tablename__ = "member"
    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email_lower"),
        UniqueConstraint("account_id", "email"),
        one_of("role", *Role),
        index_where(f"role = '{Role.OWNER}'", "uq_member_owner", "account_id", unique=True),
    )
    account_id: Mapped[str] = account_key()
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    role: Mapped[str] = mapped_column(String(12))
    unwanted_mails: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(254))
    password_hash: Mapped[str] = mapped_column(String(200))
    locale: Mapped[str | None] = mapped_column(String(2))
