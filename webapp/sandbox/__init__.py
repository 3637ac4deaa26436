"""A world to try the portal in: a payment gateway, a tenant directory and a clock that testers command.

Everything here is real code behind the same ports as production's adapters, in tables of its own (`sandbox_…`).
"""

from flask import Flask
from flask_wtf.csrf import CSRFProtect

from ..ports import Ports
from . import gateway_pages, panel, tenant_pages
from .clock import SandboxClock
from .gateway import SandboxGateway
from .tenant import SandboxDirectory


def adapters(app: Flask) -> Ports:
    clock = SandboxClock()
    return Ports(SandboxGateway(app.config["GATEWAY_ORIGIN"]), SandboxDirectory(clock), clock)


def register(app: Flask, csrf: CSRFProtect) -> None:
    """The routes of the sandbox; testers' programs have no session, so these need no CSRF token."""
    for pages in (gateway_pages, tenant_pages, panel):
        csrf.exempt(pages.blueprint)
        app.register_blueprint(pages.blueprint)
