"""`support deactivate` and `reactivate`: an account that nobody uses any more, or that nobody may use for now."""

from collections.abc import Sequence
from datetime import datetime

import click
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ...accounts import activity
from ...db import LOCK, transaction
from ...domain.subscription import ChangeKind, Status, status
from ...models.accounts import Account, Member
from ...models.subscriptions import Subscription
from ...models.team import Handover, Invitation
from ...ports import ports
from ...subscriptions import loading, service
from . import acting
from .acting import NOTHING
from .people import end_access


@click.command("deactivate")
@acting.acts
@click.option("--cancel", is_flag=True, help="End its subscriptions when what is paid ends.")
def deactivate(account_id: str, cancel: bool) -> None:
    """Let nobody sign in to an account any more. Nothing is renewed or charged; invoices and the activity stay."""
    with transaction() as session:
        loading.lock_all(account_id)  # no renewal is under way between the check and the write
        account = session.get_one(Account, account_id, with_for_update=LOCK)
        if account.deactivated_at is not None:
            raise click.ClickException(f"The account is deactivated already. {NOTHING}")
        every = loading.load_all(account_id)
        _check(every, cancel)
        now = ports().clock.now(account)
        account.deactivated_at, account.deactivated_by = now, activity.supporter.get()
        session.flush()
        activity.record(account_id, "account_deactivated", now)
        ending = [_end(one, now) for one in loading.load_all(account_id) if _renews(one)]
        _end_everyones_access(session, account_id)
        told = account.legal_name
    click.echo(f"The account of {told} is deactivated. To undo it: {acting.hint(f'reactivate {account_id}')}")
    for line in ending:
        click.echo(line)


@click.command("reactivate")
@acting.acts
def reactivate(account_id: str) -> None:
    """Let the members of a deactivated account sign in again. What was cancelled stays cancelled."""
    with transaction() as session:
        account = session.get_one(Account, account_id, with_for_update=LOCK)
        if account.deactivated_at is None:
            raise click.ClickException(f"The account is not deactivated. {NOTHING}")
        account.deactivated_at = account.deactivated_by = None
        activity.record(account_id, "account_reactivated", ports().clock.now(account))
        told = account.legal_name
    click.echo(f"The members of {told} can sign in again. Its owner can undo a cancellation until its day.")


def _check(every: Sequence[Subscription], cancel: bool) -> None:
    """Raises ClickException where money is under way, or where something would be lost without --cancel."""
    for one in every:
        if one.facts.payment_pending:
            raise click.ClickException(
                f"A payment of {one.product} is pending: wait for its outcome, which roll-over asks for. {NOTHING}"
            )
        if one.held:
            raise click.ClickException(f"{one.product} is held: `doctor` says what to release first. {NOTHING}")
    live = [f"{one.product} on {one.tenant} (paid until {one.facts.paid_until})" for one in every if not one.ended_on]
    if live and not cancel:
        raise click.ClickException(
            f"Its members would lose what they use: {', '.join(live)}. With --cancel, what is bought here ends when "
            f"what is paid ends, and nobody signs in from now on. {NOTHING}"
        )


def _renews(subscription: Subscription) -> bool:
    """What others bill goes on there."""
    facts = subscription.facts
    return facts.self_service and facts.ended_on is None and facts.change(ChangeKind.CANCELLATION) is None


def _end(subscription: Subscription, now: datetime) -> str:
    facts = subscription.facts
    if status(facts, now.date()) in (Status.PAST_DUE, Status.LAPSED):
        service.end_subscription(subscription, now.date(), now)
        return f"{subscription.product} on {subscription.tenant} has ended: its period was not paid."
    service.write_cancellation(subscription, now)
    return f"{subscription.product} on {subscription.tenant} ends on {facts.paid_until}."


def _end_everyones_access(session: Session, account_id: str) -> None:
    for member in session.scalars(select(Member).where(Member.account_id == account_id).order_by(Member.id)):
        end_access(session, member)
    for table in (Invitation, Handover):
        session.execute(delete(table).where(table.account_id == account_id))
