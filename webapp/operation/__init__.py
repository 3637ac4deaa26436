"""What operators use: commands, the server, health checks and logs."""

from flask import Flask

from . import (
    backup,
    cli,
    count_users,
    distribution,
    doctor,
    grants,
    identities,
    provision,
    prune,
    restored,
    serving,
    support,
    trail,
)


def register(app: Flask) -> None:
    """Adds the commands to `flask` and `my-qlik-portal`."""
    for command in (
        cli.demo,
        cli.roll_over,
        cli.send_mail,
        cli.credit_note,
        support.support,
        backup.backup,
        restored.restored,
        restored.release,
        serving.serve,
        doctor.doctor,
        provision.add_account_command,
        provision.add_member_command,
        provision.add_owner_command,
        identities.unbind_owner,
        identities.reset_factor,
        prune.prune_command,
        count_users.count_users_command,
        distribution.distribute_command,
        grants.grant_command,
        trail.verify_trail,
    ):
        app.cli.add_command(command)
