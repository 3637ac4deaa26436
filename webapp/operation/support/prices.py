"""`support publish-prices` and `withdraw-prices`: a price list for all who have bought a product, from a day on.

Customers are told one by one, each in a transaction of its own. Where the command dies, running it again goes on.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

import click
from flask import current_app
from sqlalchemy import select, tuple_
from sqlalchemy.exc import IntegrityError

from ...accounts import activity
from ...db import Across, across, db, new_id, transaction
from ...domain.money import CURRENCIES
from ...domain.pricing import PRICE_NOTICE, earliest_start, tier_faults
from ...domain.subscription import Plan
from ...models.prices import LaterPrices, PriceList, Prices, Publication
from ...models.subscriptions import PeriodRow, SubscriptionRow
from ...ports import ports
from ...subscriptions import prices as one_by_one
from . import acting, finding
from .acting import NOTHING

log = logging.getLogger(__name__)
PAGE = 200  # subscriptions that are looked up at once
Key = tuple[str, str]  # of a subscription: its account, its id
DAY = click.DateTime(formats=["%Y-%m-%d"])
valid_from = click.option("--from", "from_", type=DAY, required=True, metavar="YYYY-MM-DD", help="The first day.")
only = click.option("--account", default="", metavar="ACCOUNT", help="For this account only.")


@click.command("publish-prices")
@click.argument("file", type=click.File(encoding="utf-8"))
@valid_from
@only
@acting.acts_for_many
def publish(file: Any, from_: datetime, account: str) -> None:
    """Publish the price list of a product from a day on, and tell the customers. Run again, it goes on."""
    product, currency, tiers = _read(file)
    only_account = _only(account)
    published = _published(product, currency, from_.date(), only_account)
    if published is None:
        published = _store(product, currency, tiers, from_.date(), only_account)
    listed = _prices(published)
    if listed.rows != tiers:
        raise click.ClickException(
            f"Other prices of {product} are published from {from_.date()}: withdraw them first "
            f"({acting.hint('withdraw-prices')}), or publish these from another day. {NOTHING}"
        )
    done = _one_by_one(
        _concerned(product, currency, only_account), lambda key: one_by_one.tell(*key, published, listed)
    )
    if not done["failed"]:
        _mark(published, told_at=ports().clock.system_now())
    click.echo(f"{done[True]} subscriptions were told of the prices from {from_.date()}, {done[False]} knew already.")
    _check(done)


@click.command("withdraw-prices")
@click.argument("product")
@click.option("--currency", default="EUR", show_default=True)
@valid_from
@only
@acting.acts_for_many
def withdraw(product: str, currency: str, from_: datetime, account: str) -> None:
    """Withdraw a price list that does not apply yet, and tell those who were told of it. Run again, it goes on."""
    only_account = _only(account)
    published = _published(product, currency, from_.date(), only_account, withdrawn=True)
    if published is None:
        raise click.ClickException(f"No prices of {product} in {currency} are published from {from_.date()}. {NOTHING}")
    if published.withdrawn_at is None:
        _check_not_valid(published)
        now = ports().clock.system_now()
        _mark(published, withdrawn_at=now, withdrawn_by=activity.supporter.get())
    told = select(LaterPrices.account_id, LaterPrices.subscription_id).where(
        LaterPrices.price_list_id == published.price_list_id
    )
    done = _one_by_one(
        _pages(told, LaterPrices.account_id, LaterPrices.subscription_id),
        lambda key: one_by_one.withdraw(*key, published.price_list_id),
    )
    click.echo(f"The prices from {from_.date()} are withdrawn: {done[True]} subscriptions were told.")
    for account_id in _paid_already(published):
        click.echo(f"Account {account_id} has paid a period at them: {acting.hint(f'credit {account_id}')}")
    _check(done)


def _read(file: Any) -> tuple[str, str, list[list[int | None]]]:
    """Raises ClickException with each fault on a line."""
    try:
        given = json.load(file)
    except ValueError as fault:
        raise click.ClickException(f"{file.name} is not JSON: {fault}. {NOTHING}") from None
    if not isinstance(given, dict) or set(given) != {"product", "currency", "tiers"}:
        raise click.ClickException(
            f"{file.name} is to be an object with product, currency and tiers, such as "
            f'{{"product": "Qlik Sense Business", "currency": "EUR", "tiers": [[10, 3000], [null, 2700]]}}. {NOTHING}'
        )
    faults = []
    if not isinstance(given["product"], str) or not given["product"]:
        faults.append("product: write its name as subscriptions have it")
    if given["currency"] not in CURRENCIES:
        faults.append(f"currency: {given['currency']} is none of {', '.join(CURRENCIES)}")
    faults += [f"tiers: {fault}" for fault in _faults(given["tiers"])]
    if faults:
        raise click.ClickException("\n".join([NOTHING, *(f"- {fault}." for fault in faults)]))
    return given["product"], given["currency"], given["tiers"]


def _faults(tiers: object) -> list[str]:
    def is_tier(row: object) -> bool:
        return isinstance(row, list) and len(row) == 2 and type(row[1]) is int and type(row[0]) in (int, type(None))

    if not isinstance(tiers, list) or not all(map(is_tier, tiers)):
        return ["write a list of [up to so many seats, or null; whole cents a seat and month]"]
    return tier_faults(tiers)


def _only(account: str) -> str:
    if not account and current_app.config["SANDBOX"]:
        raise click.ClickException(f"In the sandbox each account has its own clock: name one with --account. {NOTHING}")
    return finding.only(account) if account else ""


def _today(only_account: str) -> date:
    """The latest day that it is for any of the customers."""
    clock = ports().clock
    return clock.now(acting.account_row(only_account)).date() if only_account else clock.latest_day(None)


def _published(
    product: str, currency: str, day: date, only_account: str, *, withdrawn: bool = False
) -> Publication | None:
    """The publication of this day; if it is withdrawn, only where that is asked for: then the newest."""
    this = Publication.product == product, Publication.currency == currency, Publication.valid_from == day
    query = select(Publication).where(*this, Publication.only_account == only_account)
    rows = db.session.scalars(query.order_by(Publication.published_at)).all()
    found = [row for row in rows if row.withdrawn_at is None] or ([*rows[-1:]] if withdrawn else [])
    return found[0] if found else None


def _store(product: str, currency: str, tiers: list[list[int | None]], day: date, only_account: str) -> Publication:
    """Raises ClickException if it is too early, or if it concerns nobody."""
    earliest = earliest_start(_today(only_account))
    if day < earliest:
        raise click.ClickException(
            f"Customers are told {PRICE_NOTICE.days} days before: {earliest} is the earliest day. {NOTHING}"
        )
    if next(_concerned(product, currency, only_account), None) is None:
        raise click.ClickException(
            f"Nobody has bought {product} in {currency}: write the product as `support show` has it. {NOTHING}"
        )
    published = Publication(
        price_list_id=new_id(),
        only_account=only_account,
        product=product,
        currency=currency,
        valid_from=day,
        published_by=activity.supporter.get() or "",
        published_at=ports().clock.system_now(),
    )
    try:
        with transaction() as session:
            session.add(PriceList(id=published.price_list_id, currency=currency, rows=tiers))
            session.flush()
            session.add(published)
    except IntegrityError:
        raise click.ClickException(f"Somebody else has just published prices from {day}. {NOTHING}") from None
    return published


def _prices(published: Publication) -> Prices:
    stored = db.session.get_one(PriceList, published.price_list_id)
    db.session.expunge_all()
    db.session.rollback()
    return Prices(stored.id, stored.currency, stored.rows)


def _concerned(product: str, currency: str, only_account: str) -> Iterator[list[Key]]:
    c = SubscriptionRow
    query = select(c.account_id, c.id).join(PriceList, PriceList.id == c.price_list_id)
    bought = c.plan == Plan.BUSINESS, c.reseller.is_(None), c.ended_on.is_(None)
    query = query.where(*bought, c.product == product, PriceList.currency == currency)
    return _pages(query.where(c.account_id == only_account) if only_account else query, c.account_id, c.id)


def _pages(query: Any, *key: Any) -> Iterator[list[Key]]:
    last: Key = ("", "")
    while True:
        page = query.where(tuple_(*key) > last).order_by(*key).limit(PAGE)
        rows = [(row[0], row[1]) for row in db.session.execute(across(page, Across.SUPPORT))]
        db.session.rollback()
        if not rows:
            return
        yield rows
        last = rows[-1]


def _one_by_one(pages: Iterator[list[Key]], do: Callable[[Key], bool]) -> Counter[object]:
    """How often it was done, how often there was nothing to do, and how often it failed, which stops no other."""
    done: Counter[object] = Counter()
    for page in pages:
        for key in page:
            try:
                done[do(key)] += 1
            except Exception:
                log.exception("the members of subscription %s were not told", key[1])
                db.session.rollback()
                done["failed"] += 1
    return done


def _check(done: Counter[object]) -> None:
    if done["failed"]:
        raise click.ClickException(f"{done['failed']} subscriptions failed (see the log): run the command again.")


def _mark(published: Publication, **values: Any) -> None:
    with transaction() as session:
        row = session.get_one(Publication, published.price_list_id, with_for_update=True)
        for name, value in values.items():
            setattr(row, name, getattr(row, name) or value)


def _check_not_valid(published: Publication) -> None:
    if published.valid_from <= _today(published.only_account):
        raise click.ClickException(
            f"The prices apply since {published.valid_from}, so they cannot be withdrawn: publish others. {NOTHING}"
        )


def _paid_already(published: Publication) -> list[str]:
    query = select(PeriodRow.account_id).where(PeriodRow.price_list_id == published.price_list_id)
    found = db.session.scalars(across(query.distinct().order_by(PeriodRow.account_id), Across.SUPPORT)).all()
    db.session.rollback()
    return [*found]
