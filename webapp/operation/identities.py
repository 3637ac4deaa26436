"""What support does for a person: `unbind-owner`, where the identity provider made them anew, under another subject,
and `reset-factor`, where they have lost their second factor."""

import click
from flask.cli import with_appcontext
from sqlalchemy import delete, select

from ..access import members, second_factor
from ..access.sign_in import normalize_email
from ..db import NotFound, db, transaction
from ..models.access import ProviderIdentity


@click.command("unbind-owner")
@click.option("--email", required=True, help="The owner's, as the portal knows it.")
@with_appcontext
def unbind_owner(email: str) -> None:
    """Forget who an owner is at the identity provider: who signs in next with this e-mail is bound."""
    with transaction() as session:
        owner = members.find_member(normalize_email(email))
        if owner is None:
            raise click.ClickException(f"There is no owner {email}. Nothing was changed.")
        mine = ProviderIdentity.account_id == owner.account_id, ProviderIdentity.member_id == owner.id
        for identity in session.scalars(select(ProviderIdentity).where(*mine)).all():
            members.forget_key(members.subject_key(identity.issuer, identity.subject))
        session.execute(delete(ProviderIdentity).where(*mine))
    click.echo(f"Whoever signs in next at the provider with the e-mail {email} is bound to this owner.")


@click.command("reset-factor")
@click.argument("email")
@click.option("--as", "name", required=True, help="Your name: the activity of the account and the mail say it.")
@with_appcontext
def reset_factor(email: str, name: str) -> None:
    """Remove the second factors of a member who has lost them, such as an owner. Be sure first of who asks for it."""
    name = " ".join(name.split())
    if not name or not name.isprintable():
        raise click.ClickException("--as is the name of whoever resets the factor. Nothing was changed.")
    member = members.find_member(normalize_email(email))
    if member is None:
        raise click.ClickException(f"There is no member {email}. Nothing was changed.")
    key = member.account_id, member.id
    db.session.rollback()
    try:
        second_factor.reset(*key, name)
    except NotFound:
        raise click.ClickException(f"{email} has no second factor. Nothing was changed.") from None
    click.echo(f"{email} signs in with the password alone, and was told by mail. All sessions have ended.")
