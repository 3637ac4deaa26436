"""The accounts that testers start from. Each has an issuer of its own, so its invoice numbers begin at one."""

import secrets
from base64 import b32encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, tzinfo
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select

from ..access import members, sealing
from ..access.sign_in import hasher
from ..adapters.clock import machine_now
from ..db import db, insert_rows, new_id, transaction
from ..domain import subscription as rules
from ..domain.periods import boundary, ordinal_on
from ..domain.permissions import Role
from ..domain.pricing import period_lines
from ..domain.subscription import Plan
from ..domain.tax import amounts
from ..invoices import issuing
from ..models.accounts import Account, Member
from ..models.cards import Card
from ..models.mail import Message
from ..models.prices import PriceList
from ..models.purchases import Payment, Quote
from ..models.second_factor import Totp
from ..models.subscriptions import ActiveUsersOfDay, BilledPeriod, Subscription
from ..purchases import cards, quotes, wallet
from ..purchases.captures import AUTOMATIC
from ..subscriptions import service
from ..subscriptions.loading import load
from ..subscriptions.opening import Terms, add_subscription
from . import people
from .gateway import card_details
from .organisation import new_account, new_issuer
from .tables import SandboxAccount, SandboxCard, SandboxHeadcount

START = datetime(2027, 1, 15, 9, 0)  # noqa: DTZ001  naive on purpose: in the account's time zone
TIERS: list[list[int | None]] = [[10, 3000], [25, 2700], [50, 2400], [None, 2100]]
VISA = ("accepted", "Visa", "4242")
REDUCED_TO = 8  # seats, by the request of `business-reduction-pending`
COUNTED_DAYS = 120  # before today, for which a Business subscription has active users
MORE_ACTIVE = (0, 1, 1, 2, 1, 0, 1, 0, 2, 0, 1)  # than today, on one day after the other
DECLINED_VISA = ("card_declined", "Visa", "0341")
MASTERCARD = ("accepted", "Mastercard", "4444")


@dataclass(frozen=True)
class SubscriptionSetup:
    """One subscription of a scenario.

    - `past`: paid periods before the current one
    - `days_in`: days since the current period began
    - `unpaid`: whether the current period is unpaid
    - `ahead`: paid periods after the current one
    - `lapsed`: whether every automatic attempt to pay the unpaid period was declined
    - `anchor_day`: moves the anchor to that day of January of the previous year
    """

    plan: Plan
    product: str
    seats: int
    active: int
    term_months: int
    past: int
    days_in: int = 0
    unpaid: bool = False
    ahead: int = 0
    lapsed: bool = False
    anchor_day: int | None = None
    reseller: str | None = None


BUSINESS = SubscriptionSetup(Plan.BUSINESS, "Qlik Sense Business", seats=12, active=5, term_months=1, past=5)
ENTERPRISE = SubscriptionSetup(
    Plan.ENTERPRISE, "Qlik Sense Enterprise SaaS", seats=250, active=183, term_months=12, past=1
)


@dataclass(frozen=True)
class Scenario:
    """`cards` are the behaviour, brand and last digits of each. `then` is what the owner did after that.

    `expiring` makes the cards expire at the end of this month. `totp`: the owner has an authenticator app.
    """

    subscriptions: tuple[SubscriptionSetup, ...]
    cards: tuple[tuple[str, str, str], ...] = (VISA,)
    expiring: bool = False
    totp: bool = False
    then: Callable[[str, str], object] = lambda _account, _subscription: None
    with_members: bool = False


class Wishes(NamedTuple):
    """What a tester wants otherwise than the scenario has it: of each subscription, and of the organisation."""

    seats: int | None = None
    active: int | None = None
    term_months: int | None = None
    country: str | None = None

    def applied(self, setup: SubscriptionSetup) -> SubscriptionSetup:
        given = {name: value for name, value in self._asdict().items() if name != "country" and value is not None}
        return replace(setup, **given)


SCENARIOS = {
    "business": Scenario((BUSINESS,)),
    "team": Scenario((BUSINESS,), with_members=True),
    "no-card": Scenario((BUSINESS,), cards=()),
    "business-annual": Scenario((replace(BUSINESS, term_months=12, past=1),)),
    "business-two-cards": Scenario((BUSINESS,), (VISA, MASTERCARD)),
    "business-backup-card": Scenario((BUSINESS,), (VISA, MASTERCARD), then=lambda account, _: choose_backup(account)),
    "business-at-floor": Scenario((replace(BUSINESS, active=12),)),
    "business-reduction-pending": Scenario((BUSINESS,), then=partial(service.reduce, seats=REDUCED_TO)),
    "business-cancellation-pending": Scenario((BUSINESS,), then=service.cancel),
    "business-renewed": Scenario((replace(BUSINESS, ahead=1),)),
    "business-past-due": Scenario((replace(BUSINESS, past=6, unpaid=True),), (DECLINED_VISA,)),
    "business-lapsed": Scenario((replace(BUSINESS, past=6, days_in=10, unpaid=True, lapsed=True),), (DECLINED_VISA,)),
    "month-end": Scenario((replace(BUSINESS, anchor_day=31),)),
    "expiring-card": Scenario((BUSINESS,), expiring=True),
    "many-invoices": Scenario((replace(BUSINESS, past=119),)),
    "third-party": Scenario((replace(BUSINESS, reseller="Nordlys Data"),)),
    "enterprise": Scenario((ENTERPRISE,)),
    "both": Scenario((BUSINESS, ENTERPRISE)),
    "two-factor": Scenario((BUSINESS,), totp=True),
}


@dataclass(frozen=True)
class Made:
    """A new account: what a tester needs to use it. `subscriptions` are ids by plan; `cards` are ids.

    `members` are those beside the owner: e-mail, password and role of each.
    `totp_secret` gives the codes of the owner's authenticator app, if there is one.
    """

    account: str
    email: str
    password: str
    now: datetime
    subscriptions: dict[str, str | None]
    cards: list[str]
    members: list[dict[str, str]] = field(default_factory=list)
    totp_secret: str | None = None


def fits(scenario: str, wishes: Wishes) -> bool:
    """Whether the scenario can begin with these wishes: a reduction needs more seats and no more active users."""
    if scenario != "business-reduction-pending":
        return True
    setup = wishes.applied(BUSINESS)
    return setup.active <= REDUCED_TO < setup.seats


def make(
    scenario: str,
    now: datetime = START,
    zone: str = "Europe/Paris",
    email: str = "",
    password: str = "",
    wishes: Wishes = Wishes(),  # noqa: B008  it never changes
) -> Made:
    """Makes a new account. `now` is its time, in `zone` if it is naive. Raises KeyError for an unknown scenario."""
    definition = SCENARIOS[scenario]
    name = secrets.token_hex(4)
    email, password = email or f"sao-{name}@example.test", password or secrets.token_urlsafe(9)
    now = (now if now.tzinfo else now.replace(tzinfo=ZoneInfo(zone))).astimezone(ZoneInfo(zone))
    password_hash = hasher.hash(password)
    with transaction() as session:
        issuer = new_issuer()
        session.add(issuer)
        session.flush()
        account = new_account(name, zone, issuer.id)
        if wishes.country not in (None, account.country):  # its numbers are entered as billing information
            account.country, account.siren, account.vat_number = wishes.country or "", None, None
        session.add(account)
        session.flush()
        session.add(
            SandboxAccount(
                account_id=account.id, scenario=scenario, password=password, set_to=now, set_at=machine_now()
            )
        )
        owner = Member(
            account_id=account.id,
            role=Role.OWNER,
            name="Camille Martin",
            email=email,
            password_hash=password_hash,
            locale=None,
        )
        members.add_member(owner)
        secret = _app(owner) if definition.totp else None
        others = people.add_members(account.id, name, password) if definition.with_members else []
        expiry = (now.year, now.month) if definition.expiring else (now.year + 3, 12)
        own_cards = [_card(account, card, expiry) for card in definition.cards]
        made = [_subscription(account, wishes.applied(setup), name, now) for setup in definition.subscriptions]
        _issue_past_invoices(made, now)
        subscriptions: dict[str, str | None] = {subscription.plan: subscription.id for subscription in made}
    account_id = account.id
    for subscription_id in subscriptions.values():
        definition.then(account_id, subscription_id or "")
    with transaction() as session:  # a new account has received no mail
        session.execute(delete(Message).where(Message.account_id == account_id))
    by_plan = {plan.value: subscriptions.get(plan.value) for plan in Plan}
    return Made(account_id, email, password, now, by_plan, own_cards, others, secret)


def _app(owner: Member) -> str:
    """Gives the owner an authenticator app. Returns its secret."""
    secret = b32encode(secrets.token_bytes(20)).decode()
    db.session.add(Totp(account_id=owner.account_id, member_id=owner.id, secret=sealing.seal(secret), last_step=0))
    return secret


def choose_backup(account_id: str) -> None:
    """The owner chooses the second card as the backup card."""
    second = next(own.card.id for own in wallet.cards_of(account_id) if not own.is_default)
    cards.make_backup(account_id, second)


def _card(account: Account, card: tuple[str, str, str], expiry: tuple[int, int]) -> str:
    """Saves a card at the gateway and in the account. Returns its id."""
    behaviour, brand, last4 = card
    gateway_card = SandboxCard(
        token=new_id(),
        customer=account.id,
        behaviour=behaviour,
        brand=brand,
        last4=last4,
        exp_year=expiry[0],
        exp_month=expiry[1],
        holder="Camille Martin",
    )
    db.session.add(gateway_card)
    db.session.flush()
    saved = wallet.add_card(account, card_details(gateway_card))
    return saved.id


def _subscription(account: Account, setup: SubscriptionSetup, name: str, now: datetime) -> Subscription:
    today = now.date()
    anchor = boundary(today - timedelta(days=setup.days_in), setup.term_months, -setup.past)
    if setup.anchor_day:
        anchor = today.replace(year=today.year - 1, month=1, day=setup.anchor_day)
    current = ordinal_on(anchor, setup.term_months, today)
    paid = current + setup.ahead + (0 if setup.unpaid else 1)
    prices = PriceList(id=new_id(), currency="EUR", rows=TIERS)
    tenant = f"{setup.plan.value}-{name}.example.test"
    terms = Terms(
        setup.plan, setup.product, tenant, setup.reseller, anchor, setup.term_months, setup.seats, setup.active, paid
    )
    source = "paid" if setup.plan is Plan.BUSINESS and not setup.reseller else "external"
    subscription_id = add_subscription(account.id, terms, prices, source, now - rules.ACTIVE_USERS_LAG)
    if setup.plan is Plan.BUSINESS:
        last_day = max(anchor, (now - rules.ACTIVE_USERS_LAG).date())
        insert_rows(*_counts(account.id, subscription_id, setup, anchor, last_day))
    long_ago = datetime.combine(anchor, time(), now.tzinfo)
    db.session.add(SandboxHeadcount(tenant=tenant, customer=account.id, active=setup.active, since=long_ago))
    subscription = load(account.id, subscription_id)
    for attempt in range(len(rules.ATTEMPT_DAYS) if setup.lapsed else 0):
        _declined_attempt(subscription, attempt, now.tzinfo)
    return subscription


def _counts(
    account_id: str, subscription_id: str, setup: SubscriptionSetup, anchor: date, last_day: date
) -> list[ActiveUsersOfDay]:
    """The active users of each day until today: fewer at weekends, and never more than there are seats."""
    rows = []
    for ago in range(min(COUNTED_DAYS, (last_day - anchor).days) + 1):
        day = last_day - timedelta(days=ago)
        weekend = day.isoweekday() > 5
        active = setup.active - setup.active // 2 if weekend else setup.active + MORE_ACTIVE[ago % len(MORE_ACTIVE)]
        active = min(active, setup.seats) if ago else setup.active
        rows.append(ActiveUsersOfDay(account_id=account_id, subscription_id=subscription_id, day=day, active=active))
    return rows


def _declined_attempt(subscription: Subscription, attempt: int, zone: tzinfo | None) -> None:
    """Adds a past automatic attempt to pay the unpaid period, which the bank declined."""
    facts = subscription.facts
    day = facts.paid_until + timedelta(days=rules.ATTEMPT_DAYS[attempt])
    at = datetime.combine(day, time(), zone)
    quote = _quote(subscription, facts.next_unpaid, facts.last_paid_seats)
    quote.id, quote.automatic, quote.price_list_id = new_id(), True, subscription.price_list.id
    quote.created_at, quote.expires_at = at, at + quotes.QUOTE_LIFETIME
    card = db.session.scalars(select(Card).where(Card.account_id == subscription.account_id)).one()
    payment = Payment(
        account_id=subscription.account_id,
        key=f"{AUTOMATIC}{subscription.account_id}-{subscription.id}-{quote.ordinal}-{attempt + 1}",
        quote_id=quote.id,
        subscription_id=subscription.id,
        attempt=1,
        state="declined",
        amount=quote.total,
        currency="EUR",
        card_token=card.token,
        card_brand=card.brand,
        card_last4=card.last4,
        decline_code="card_declined",
        created_at=at,
        settled_at=at,
    )
    db.session.add(quote)
    db.session.flush()
    db.session.add(payment)


def _issue_past_invoices(subscriptions: list[Subscription], now: datetime) -> None:
    """Issues the invoices of the periods paid to My Qlik in date order, each on the first day of its period."""
    periods = [
        (subscription.facts.boundary(row.ordinal), subscription, row)
        for subscription in subscriptions
        for row in subscription.periods
        if not subscription.reseller  # who bills it
    ]
    for _, subscription, row in sorted(periods, key=lambda period: period[0]):
        _past_invoice(subscription, row, now)


def _past_invoice(subscription: Subscription, row: BilledPeriod, now: datetime) -> None:
    day = min(subscription.facts.period(row.ordinal).start, now.date())
    issued = datetime.combine(day, time(9), now.tzinfo)
    issuing.issue_invoice(subscription, _quote(subscription, row.ordinal, row.seats), None, issued)


def _quote(subscription: Subscription, ordinal: int, seats: int) -> Quote:
    """A quote for one period, not added to the session."""
    lines = period_lines(subscription.price_list.tiers, seats, subscription.term_months)
    billed = amounts((line["amount"] for line in lines), subscription.account.tax_terms)
    return Quote(
        account_id=subscription.account_id,
        subscription_id=subscription.id,
        kind="renewal",
        ordinal=ordinal,
        seats=seats,
        months=subscription.term_months,
        lines=lines,
        currency="EUR",
        **billed._asdict(),
    )
