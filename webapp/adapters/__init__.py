"""Which adapters stand behind the ports: the sandbox's, or those of the real world."""

from flask import Flask

from ..config import Misconfigured
from ..ports import Ports, TenantDirectory
from . import tables

__all__ = ["chosen", "tables"]


def chosen(app: Flask) -> Ports:
    """The adapters that the settings ask for; raises Misconfigured where one is missing."""
    if app.config["SANDBOX"]:
        from .. import sandbox

        return sandbox.adapters(app)
    from .clock import MachineClock
    from .stripe import StripeGateway

    gateway = StripeGateway(
        app.config["STRIPE_SECRET_KEY"], app.config["STRIPE_WEBHOOK_SECRET"], app.config["STRIPE_API_URL"]
    )
    return Ports(gateway, tenant_directory(app), MachineClock(), gateway)


def tenant_directory(app: Flask) -> TenantDirectory:
    """The one place that names the directory of real tenants."""
    raise Misconfigured("There is no tenant directory outside the sandbox yet: start with SANDBOX=1.")
