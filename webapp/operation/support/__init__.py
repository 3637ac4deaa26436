"""`support`: what support does for customers. Each act is in the customer's activity, under the name of --as."""

import click

from . import (
    deactivation,
    documents,
    export,
    finding,
    people,
    personal_data,
    prices,
    showing,
    subscriptions,
)


@click.group("support")
def support() -> None:
    """Look at customers' accounts, and act for them in your name."""


for command in (
    finding.find,
    showing.show,
    documents.resend,
    documents.credit,
    people.set_manager,
    people.set_email,
    people.end_sessions,
    subscriptions.set_tenant,
    subscriptions.add,
    subscriptions.end,
    prices.publish,
    prices.withdraw,
    deactivation.deactivate,
    deactivation.reactivate,
    export.export,
    personal_data.export_member,
    personal_data.erase,
):
    support.add_command(command)
