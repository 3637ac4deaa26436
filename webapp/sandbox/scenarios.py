"""The accounts that testers start from. Each is its own issuer, so that its invoice numbers start at one."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from .. import billing
from ..auth import hasher
from ..db import db, new_id, transaction
from ..domain.periods import boundary, ordinal_on
from ..domain.pricing import period_lines
from ..domain.subscription import Plan
from ..domain.tax import amounts
from ..models import Account, Issuer, Owner, PeriodRow, PriceList, Quote, Subscription
from .clock import machine_now
from .gateway import card_details
from .tables import SandboxAccount, SandboxCard, SandboxHeadcount

START = datetime(2027, 1, 15, 9, 0)  # noqa: DTZ001  naive on purpose: it is in the account's zone
TIERS: list[list[int | None]] = [[10, 3000], [25, 2700], [50, 2400], [None, 2100]]
VISA = ("accepted", "Visa", "4242")
MASTERCARD = ("accepted", "Mastercard", "4444")


@dataclass(frozen=True)
class Plot:
    """One subscription of a scenario. `past` is how many periods were paid before the current one."""

    plan: Plan
    product: str
    seats: int
    active: int
    term_months: int
    past: int


BUSINESS = Plot(Plan.BUSINESS, "Qlik Sense Business", seats=12, active=5, term_months=1, past=5)
ENTERPRISE = Plot(Plan.ENTERPRISE, "Qlik Sense Enterprise SaaS", seats=250, active=183, term_months=12, past=1)


@dataclass(frozen=True)
class Scenario:
    plots: tuple[Plot, ...]
    cards: tuple[tuple[str, str, str], ...] = (VISA,)


SCENARIOS = {
    "business": Scenario((BUSINESS,)),
    "business-annual": Scenario((replace(BUSINESS, term_months=12, past=1),)),
    "business-two-cards": Scenario((BUSINESS,), (VISA, MASTERCARD)),
    "business-at-floor": Scenario((replace(BUSINESS, active=12),)),
    "enterprise": Scenario((ENTERPRISE,)),
    "both": Scenario((BUSINESS, ENTERPRISE)),
}


@dataclass(frozen=True)
class Made:
    account: str
    email: str
    password: str
    now: datetime
    subscriptions: dict[str, str | None]
    cards: list[str]


def make(scenario: str, now: datetime = START, zone: str = "Europe/Paris", email: str = "", password: str = "") -> Made:
    """A fresh account; `now` is business time there (naive: in `zone`). KeyError for an unknown scenario."""
    story = SCENARIOS[scenario]
    name = secrets.token_hex(4)
    email, password = email or f"sao-{name}@example.test", password or secrets.token_urlsafe(9)
    now = (now if now.tzinfo else now.replace(tzinfo=ZoneInfo(zone))).astimezone(ZoneInfo(zone))
    password_hash = hasher.hash(password)
    with transaction() as session:
        account = _account(name, zone)
        session.add(account)
        session.flush()
        session.add(
            SandboxAccount(
                account_id=account.id, scenario=scenario, password=password, set_to=now, set_at=machine_now()
            )
        )
        session.add(
            Owner(account_id=account.id, name="Camille Martin", email=email, password_hash=password_hash, locale=None)
        )
        session.flush()
        cards = [_card(account, card, now) for card in story.cards]
        made = [_subscription(account, plot, name, now) for plot in story.plots]
        _issue_past_invoices(made, now)
        subscriptions: dict[str, str | None] = {subscription.plan: subscription.id for subscription in made}
    return Made(account.id, email, password, now, {plan.value: subscriptions.get(plan.value) for plan in Plan}, cards)


def _account(name: str, zone: str) -> Account:
    issuer = Issuer(
        id=new_id(), legal_name="My Qlik Démonstration SAS", street="12 rue de la Facture", postal_code="75002",
        city="Paris", country="FR", siren="900100207", vat_number="FR83900100207", invoice_prefix="MQ",
    )  # fmt: skip
    return Account(
        id=new_id(), issuer=issuer, legal_name="Ateliers Beaumont SARL", street="8 quai des Analyses",
        postal_code="69002", city="Lyon", country="FR", siren="900300401", vat_number="FR41900300401",
        purchase_order=None, billing_emails=[f"compta-{name}@example.test"], document_locale="fr", zone=zone,
        manager_name="Sophie Laurent", manager_email="sophie.laurent@example.test", manager_phone="+33 1 99 00 12 34",
    )  # fmt: skip


def _card(account: Account, card: tuple[str, str, str], now: datetime) -> str:
    behaviour, brand, last4 = card
    kept = SandboxCard(
        token=new_id(), customer=account.id, behaviour=behaviour, brand=brand, last4=last4,
        exp_year=now.year + 3, exp_month=12, holder="Camille Martin",
    )  # fmt: skip
    db.session.add(kept)
    db.session.flush()
    saved = billing.add_card(account, card_details(kept))
    return saved.id


def _subscription(account: Account, plot: Plot, name: str, now: datetime) -> Subscription:
    today = now.date()
    anchor = boundary(today, plot.term_months, -plot.past)
    prices = PriceList(id=new_id(), currency="EUR", rows=TIERS)
    tenant = f"{plot.plan.value}-{name}.example.test"
    db.session.add(prices)
    subscription = Subscription(
        id=new_id(), account=account, plan=plot.plan.value, product=plot.product, tenant=tenant, reseller=None,
        anchor=anchor, term_months=plot.term_months, price_list=prices, active_users=plot.active,
        active_users_as_of=now - timedelta(minutes=2),
        periods=[
            PeriodRow(
                ordinal=ordinal, seats=plot.seats, price_list_id=prices.id,
                source="paid" if plot.plan is Plan.BUSINESS else "external",
            )
            for ordinal in range(ordinal_on(anchor, plot.term_months, today) + 1)
        ],
        open_changes=[], pending_payments=[], refusals=[],
    )  # fmt: skip
    db.session.add(subscription)
    long_ago = datetime.combine(anchor, time(), now.tzinfo)
    db.session.add(SandboxHeadcount(tenant=tenant, account_id=account.id, active=plot.active, since=long_ago))
    db.session.flush()
    return subscription


def _issue_past_invoices(subscriptions: list[Subscription], now: datetime) -> None:
    """What the periods' payments brought at the time, in date order: each is issued on its period's first day."""
    periods = [(made.facts().boundary(row.ordinal), made, row) for made in subscriptions for row in made.periods]
    for _, subscription, row in sorted(periods, key=lambda found: found[0]):
        _past_invoice(subscription, row, now)


def _past_invoice(subscription: Subscription, row: PeriodRow, now: datetime) -> None:
    facts, account = subscription.facts(), subscription.account
    lines = period_lines(subscription.price_list.tiers, row.seats, facts.months)
    billed = amounts((line["amount"] for line in lines), account.tax_treatment)
    bill = Quote(
        subscription_id=subscription.id, kind="renewal", ordinal=row.ordinal, seats=row.seats, months=facts.months,
        lines=lines, currency="EUR", **billed._asdict(),
    )  # fmt: skip
    issued = datetime.combine(facts.period(row.ordinal).start, time(9), now.tzinfo)
    billing.issue_invoice(subscription, bill, None, issued)
