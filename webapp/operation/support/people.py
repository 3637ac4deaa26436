"""`support set-manager`, `set-email` and `end-sessions`: who looks after an account, and who signs in."""

from typing import Any

import click
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ... import addresses, pasting
from ...access import sessions
from ...access.sign_in import normalize_email
from ...accounts import activity
from ...db import LOCK, transaction
from ...domain.refusals import EmailTaken
from ...models.access import PasswordReset
from ...models.accounts import Account, Member
from ...ports import ports
from ...subscriptions import loading
from ...team import members, own_email
from . import acting
from .acting import NOTHING


def _address(text: str) -> str:
    try:
        return addresses.parse(text)
    except addresses.WrongAddress as wrong:
        raise click.ClickException(f"{text}: {wrong}. {NOTHING}") from None


def _line(text: str, longest: int) -> str:
    line = pasting.line(text)
    if not line.isprintable() or not 0 < len(line) <= longest:
        raise click.ClickException(f"Write one line of at most {longest} letters: {text}. {NOTHING}")
    return line


@click.command("set-manager")
@acting.acts
@click.option("--name", "manager_name", help="The new account manager.")
@click.option("--email", "manager_email")
@click.option("--phone", "manager_phone")
def set_manager(account_id: str, **given: str | None) -> None:
    """Change the account manager; what is not named stays."""
    lengths: dict[str, Any] = {name: Account.__table__.c[name].type for name in given}
    values = {name: _line(value, lengths[name].length) for name, value in given.items() if value is not None}
    if "manager_email" in values:
        values["manager_email"] = _address(values["manager_email"])
    with transaction() as session:
        account = session.get_one(Account, account_id, with_for_update=LOCK)
        before = {name: getattr(account, name) for name in values}
        changed = {name: value for name, value in values.items() if before[name] != value}
        if not changed:
            raise click.ClickException(f"Name what is new: --name, --email or --phone. {NOTHING}")
        for name, value in changed.items():
            setattr(account, name, value)
        old = {name: before[name] for name in changed}
        activity.record(account_id, "manager_changed", ports().clock.now(account), old, changed)
        told = f"{account.manager_name} <{account.manager_email}>, {account.manager_phone}"
    click.echo(f"The account manager is {told}.")


@click.command("set-email")
@acting.acts
@click.argument("old")
@click.argument("new")
def set_email(account_id: str, old: str, new: str) -> None:
    """Change the e-mail with which a member signs in. Their sessions and password links end."""
    new = normalize_email(_address(new))
    with transaction() as session:
        loading.lock_all(account_id)  # mails that are being written go to the one or the other address
        locked = members.lock(session, account_id)
        member = locked.member(_member(session, account_id, old).id)
        try:
            own_email.set_email(session, locked, member, new)
        except EmailTaken:
            raise click.ClickException(
                f"{new} is a member's already, and one address signs in to one account: use another, or "
                f"find whose it is ({acting.hint(f'find {new}')}). {NOTHING}"
            ) from None
        end_access(session, member)
        name = member.name
    click.echo(f"{name} signs in as {new} from now on. Both addresses have been told.")


@click.command("end-sessions")
@acting.acts
@click.option("--member", "email", metavar="EMAIL", help="Only those of this member.")
def end_sessions(account_id: str, email: str | None) -> None:
    """End the sessions and the password links of a member, or of all members of an account."""
    with transaction() as session:
        everyone = select(Member).where(Member.account_id == account_id).order_by(Member.id)
        ended = [_member(session, account_id, email)] if email else [*session.scalars(everyone)]
        for member in ended:
            end_access(session, member)
            now = ports().clock.now(acting.account_row(account_id))
            activity.record(account_id, "sessions_ended", now, {}, {"email": member.email})
        told = ", ".join(member.email for member in ended)
    click.echo(f"The sessions of {told} have ended.")


def end_access(session: Session, member: Member) -> None:
    sessions.end(session, member.account_id, member.id, "revoked")
    links = delete(PasswordReset).where(PasswordReset.account_id == member.account_id)
    session.execute(links.where(PasswordReset.member_id == member.id))


def _member(session: Session, account_id: str, email: str) -> Member:
    """Locked. Raises ClickException."""
    query = select(Member).where(Member.account_id == account_id, Member.email == normalize_email(email))
    member = session.scalars(query.with_for_update(key_share=True)).one_or_none()
    if member is None:
        emails = session.scalars(select(Member.email).where(Member.account_id == account_id).order_by(Member.email))
        listed = ", ".join(emails)
        raise click.ClickException(f"{email} is no member of this account. Its members: {listed}. {NOTHING}")
    return member
