"""Which adapters stand behind the ports: the sandbox's, or those of the real world."""

from dataclasses import replace
from typing import Any, cast

from flask import Flask

from ..guard import Guard, Guarded, allowed_to_wait
from ..ports import (
    Clock,
    DirectoryUnavailable,
    GatewaySilent,
    OutcomeUnknown,
    PaymentGateway,
    Ports,
    TenantDirectory,
)
from ..relay import parse_relay
from . import tables
from .smtp import Smtp

__all__ = ["chosen", "tables"]


def chosen(app: Flask) -> Ports:
    """The adapters that the settings ask for. Mail goes out wherever SMTP_URL is set, in the sandbox too."""
    config = app.config
    if config["SANDBOX"]:
        from .. import sandbox

        ports = sandbox.adapters(app)
    else:
        ports = _guarded(_real(config), config["WORKER_THREADS"])
    if config["SMTP_URL"]:
        ports = replace(ports, mailer=Smtp(parse_relay(config["SMTP_URL"]), config["MAIL_FROM"]))
    return ports


def _real(config: dict[str, Any]) -> Ports:
    """Imported where they are used: the sandbox needs none of their libraries."""
    from .clock import MachineClock
    from .stripe import StripeGateway

    clock = MachineClock()
    gateway = StripeGateway(config["STRIPE_SECRET_KEY"], config["STRIPE_WEBHOOK_SECRET"], config["STRIPE_API_URL"])
    return Ports(gateway, tenant_directory(config, clock), clock, notifier=gateway)


def _guarded(ports: Ports, threads: int) -> Ports:
    """In a web process, a silent service keeps only some of the threads. The sender of mails is a process of its own,
    and gives up after a few silences in a row by itself."""
    if not threads:
        return ports
    most = allowed_to_wait(threads)
    gateway = Guard("the payment gateway", most, (GatewaySilent,), OutcomeUnknown)
    directory = Guard("the tenant directory", most, (DirectoryUnavailable,), DirectoryUnavailable)
    return replace(
        ports,
        gateway=cast(PaymentGateway, Guarded(ports.gateway, gateway)),
        directory=cast(TenantDirectory, Guarded(ports.directory, directory, lambda tenant: str(tenant))),
    )


def tenant_directory(config: dict[str, Any], clock: Clock) -> TenantDirectory:
    from .qlik_cloud import QlikCloud, credentials_of

    return QlikCloud(credentials_of(config), clock, count_bots=config["QLIK_COUNT_BOTS"])
