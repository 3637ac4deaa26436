"""The sandbox: a simulated payment gateway, tenant directory and clock, which testers control.

They implement the same ports as the real adapters and have tables of their own (`sandbox_…`).
"""

from flask import Flask
from flask_wtf.csrf import CSRFProtect

from ..ports import Ports
from . import contract, gateway_pages, tenant_pages
from .clock import SandboxClock
from .gateway import SandboxGateway
from .tenant import SandboxDirectory


def adapters(app: Flask) -> Ports:
    clock = SandboxClock()
    return Ports(SandboxGateway(app.config["GATEWAY_ORIGIN"]), SandboxDirectory(), clock)


def register(app: Flask, csrf: CSRFProtect) -> None:
    """Registers the sandbox's routes. They need no CSRF token, because testers' programs have no session."""
    for pages in (gateway_pages, tenant_pages, contract):
        csrf.exempt(pages.blueprint)
        app.register_blueprint(pages.blueprint)
