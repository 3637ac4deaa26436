"""`support set-tenant`, `add-subscription` and `end-subscription`."""

import json
import re
from typing import Any
from zoneinfo import ZoneInfo

import click
from sqlalchemy import update

from ...accounts import activity
from ...db import LOCK, new_id, transaction
from ...domain.refusals import Refusal
from ...mail import outbox
from ...models.accounts import Account
from ...models.prices import PriceList
from ...models.subscriptions import SubscriptionRow
from ...ports import ports
from ...subscriptions import loading, service
from ...subscriptions.opening import Terms
from ...subscriptions.opening import add_subscription as open_subscription
from . import acting
from .acting import NOTHING

TENANT = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
which = click.option("--subscription", default="", metavar="ID", help="Its id or its tenant, if there are several.")


@click.command("set-tenant")
@acting.acts
@click.argument("tenant")
@which
def set_tenant(account_id: str, tenant: str, subscription: str) -> None:
    """Name another tenant, whose active users are counted from now on."""
    if not TENANT.fullmatch(tenant):
        raise click.ClickException(f"{tenant} is not the name of a tenant such as acme.eu.qlikcloud.com. {NOTHING}")
    found = acting.subscription_of(account_id, subscription)
    with transaction() as session:
        locked = loading.load(account_id, found.id, lock=True)
        if locked.tenant == tenant:
            raise click.ClickException(f"The subscription is on {tenant} already. {NOTHING}")
        if locked.ended_on:
            raise click.ClickException(f"The subscription {locked.id} has ended. {NOTHING}")
        this = SubscriptionRow.account_id == account_id, SubscriptionRow.id == locked.id
        session.execute(update(SubscriptionRow).where(*this).values(tenant=tenant))
        now = ports().clock.now(locked.account)
        activity.record(account_id, "tenant_changed", now, {"tenant": locked.tenant}, {"tenant": tenant}, locked)
    click.echo(f"{found.product} is on {tenant} now. Its active users are counted when they are next needed.")


@click.command("add-subscription")
@acting.acts
@click.argument("file", type=click.File(encoding="utf-8"))
def add(account_id: str, file: Any) -> None:
    """Add a subscription from a JSON file, written as one in the file of `add-account`."""
    from ..account_file import Subscription, read  # pydantic is slow to import

    try:
        document = json.load(file)
    except ValueError as fault:
        raise click.ClickException(f"{file.name} is not JSON: {fault}. {NOTHING}") from None
    with transaction() as session:
        account = session.get_one(Account, account_id, with_for_update=LOCK)
        now = ports().clock.now(account)
        if account.deactivated_at is not None:
            raise click.ClickException(f"The account is deactivated: reactivate it first. {NOTHING}")
        given = read(Subscription, document, "$", now.astimezone(ZoneInfo(account.zone)))
        if any(one.tenant == given.tenant and not one.ended_on for one in loading.load_all(account_id)):
            raise click.ClickException(f"A subscription on {given.tenant} is there already. {NOTHING}")
        terms = Terms(**given.model_dump(exclude={"periods_paid", "price_list"}), paid=given.periods_paid)
        prices = PriceList(id=new_id(), currency=given.price_list.currency, rows=given.price_list.tiers)
        added = loading.load(account_id, open_subscription(account_id, terms, prices, "external", now))
        after = {"tenant": added.tenant, "seats": given.seats}
        activity.record(account_id, "subscription_added", now, {}, after, added)
    click.echo(f"Subscription {added.id}: {added.product} on {added.tenant}.")


@click.command("end-subscription")
@acting.acts
@which
@click.option("--now", "at_once", is_flag=True, help="Today, instead of at the end of what is paid.")
def end(account_id: str, subscription: str, at_once: bool) -> None:
    """End a subscription: at the end of what is paid, as its owner would, or at once. No money goes back by itself."""
    found = acting.subscription_of(account_id, subscription)
    if at_once:
        _end_now(account_id, found.id)
        click.echo(f"{found.product} on {found.tenant} has ended. To give money back: {acting.hint('credit')}")
        return
    try:
        service.cancel(account_id, found.id)
    except Refusal as refusal:
        raise acting.refused(refusal, found) from None
    ended = loading.load(account_id, found.id).ended_on
    last = "has ended" if ended else f"ends on {found.facts.paid_until}, which its owner can undo until then"
    click.echo(f"{found.product} on {found.tenant} {last}.")


def _end_now(account_id: str, subscription_id: str) -> None:
    """Also one that its owner cannot cancel, such as one of a reseller."""
    with transaction() as session:
        locked = loading.load(account_id, subscription_id, lock=True)
        now = ports().clock.now(locked.account)
        if locked.ended_on:
            raise click.ClickException(f"The subscription {locked.id} has ended already. {NOTHING}")
        if locked.facts.payment_pending:
            raise click.ClickException(
                f"A payment of this subscription is pending: wait for its outcome, which roll-over asks for. {NOTHING}"
            )
        if locked.held:
            raise click.ClickException(f"The subscription is held: `doctor` says what to release first. {NOTHING}")
        service.end_subscription(locked, now.date(), now)
        session.add_all(outbox.ended(locked, now.date(), now))
