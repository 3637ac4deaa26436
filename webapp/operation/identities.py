"""`unbind-owner`: for a person whom the identity provider made anew, under another subject."""

import click
from flask.cli import with_appcontext
from sqlalchemy import delete, select

from ..access import members
from ..access.sign_in import normalize_email
from ..db import transaction
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
