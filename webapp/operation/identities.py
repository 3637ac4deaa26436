"""`unbind-owner`: for a person whom the identity provider made anew, under another subject."""

import click
from flask.cli import with_appcontext
from sqlalchemy import delete, select

from ..access.sign_in import normalize_email
from ..db import transaction
from ..models.access import ProviderIdentity
from ..models.accounts import Owner


@click.command("unbind-owner")
@click.option("--email", required=True, help="The owner's, as the portal knows it.")
@with_appcontext
def unbind_owner(email: str) -> None:
    """Forget who an owner is at the identity provider: who signs in next with this e-mail is bound."""
    with transaction() as session:
        owner_id = session.scalars(select(Owner.id).where(Owner.email == normalize_email(email))).one_or_none()
        if owner_id is None:
            raise click.ClickException(f"There is no owner {email}. Nothing was changed.")
        session.execute(delete(ProviderIdentity).where(ProviderIdentity.owner_id == owner_id))
    click.echo(f"Whoever signs in next at the provider with the e-mail {email} is bound to this owner.")
